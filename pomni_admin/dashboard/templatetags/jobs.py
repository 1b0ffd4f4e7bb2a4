"""Summary jobs in words: their periods, notes and failures."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, timedelta

from django import template
from django.utils.translation import gettext, ngettext

from pomni_admin.dashboard import job_words
from pomni_admin.dashboard.word_filters import word_filters

register = template.Library()
word_filters(
    register,
    {
        "run_choice": job_words.RUN_CHOICES,
        "run_problem": job_words.RUN_PROBLEMS,
        "wrong_job_filter": job_words.WRONG_FILTERS,
        "started_word": job_words.SPANS,
        "fate_word": job_words.FATES,
    },
)
word_filters(register, {"note_word": job_words.NOTES, "what_now": job_words.WHAT_NOW}, without="")


@register.simple_tag
def period(kind: str, start: date, end: date) -> str:
    """What a job is about, the end exclusive: a day, a week's first and last day, a month, or so many days back."""
    last = end - timedelta(days=1)
    if kind == "weekly":
        return f"{start} – {last:%m-%d}"
    if kind == "monthly":
        return f"{start:%Y-%m}"
    if kind == "rebuild":
        count = (end - start).days
        return ngettext("%(n)s day to %(last)s", "%(n)s days to %(last)s", count) % {"n": count, "last": last}
    return f"{start}"


@register.filter
def failure_word(code: str) -> str:
    """Why a summary could not be made; empty for a code without words."""
    if code in job_words.FAILURES:
        return str(job_words.FAILURES[code])
    return next((str(words) for begins, words in job_words.FAILURES_LIKE.items() if code.startswith(begins)), "")


@register.simple_tag
def bulk_name(act: str, count: int) -> str:
    """What a button does with so many selected jobs."""
    if act == "retry":
        return ngettext("Retry failed users of %(n)s selected", "Retry failed users of %(n)s selected", count) % {
            "n": count
        }
    return ngettext("Cancel %(n)s selected", "Cancel %(n)s selected", count) % {"n": count}


@register.simple_tag
def bulk_labels(act: str, counts: Iterable[int]) -> str:
    """The button's names by the number of jobs, as JSON, for the script that counts what is ticked."""
    none = gettext("Retry failed users of selected") if act == "retry" else gettext("Cancel selected")
    return json.dumps([f"{bulk_name(act, count) if count else none}…" for count in counts], ensure_ascii=False)
