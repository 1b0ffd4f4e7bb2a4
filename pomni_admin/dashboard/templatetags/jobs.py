"""Summary jobs in words: their periods, notes and failures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from pomni_admin.audit.vocabulary import Reason
from pomni_admin.dashboard import job_words
from pomni_admin.dashboard.word_filters import word_filters
from pomni_admin.summaries.eta import Eta
from pomni_admin.summaries.models import Kind

register = template.Library()
word_filters(
    register,
    {
        "run_choice": job_words.RUN_CHOICES,
        "run_problem": job_words.RUN_PROBLEMS,
        "wrong_job_filter": job_words.WRONG_FILTERS,
        "started_word": job_words.SPANS,
        "fate_word": job_words.FATES,
        "stage_word": job_words.STAGES,
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


@register.simple_tag
def weekday(day: str) -> str:
    """A day with its name, beside a field that shows it in the browser's own way."""
    return f"{day}, {date_format(date.fromisoformat(day), 'l')}"


@register.filter
def usual_reason(kind: str) -> str:
    """Why a job of that kind is started by hand, as a rule."""
    return Reason.PERSON_ASKED if kind == Kind.REBUILD else Reason.MISSED_RUN


@register.simple_tag
def beat(at: datetime, place: int) -> SafeString:
    """The heartbeat in a row, as short as it can be said; the page's script adds what `age` says besides."""
    utc = at.astimezone(UTC)
    return format_html(
        '<time id="jobs-heartbeat-{}" datetime="{}" class="relative" data-shown="age">{}</time>',
        *(place, f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%H:%M:%S}"),
    )


@register.filter
def time_range(eta: Eta) -> str:
    """How long something still takes, in one unit and rounded outwards: `3–5 min`."""
    if eta.most_s <= 90:
        unit, size, step = gettext("s"), 1, 5
    elif eta.most_s <= 2 * 3600:
        unit, size, step = gettext("min"), 60, 1
    elif eta.most_s <= 48 * 3600:
        unit, size, step = gettext("h"), 3600, 1
    else:
        unit, size, step = gettext("d"), 86400, 1
    least = max(1, step * math.floor(eta.least_s / size / step))
    most = max(1, step * math.ceil(eta.most_s / size / step))
    figures = f"{least}–{most}" if least < most else f"{most}"
    return f"{figures}\N{NO-BREAK SPACE}{unit}"


@register.filter
def failure_word(code: str) -> str:
    """Why a summary could not be made; empty for a code without words."""
    if code in job_words.FAILURES:
        return str(job_words.FAILURES[code])
    return next((str(words) for begins, words in job_words.FAILURES_LIKE.items() if code.startswith(begins)), "")


@register.simple_tag
def bulk_name(act: str, count: int, of: int | None = None) -> str:
    """What a button does with so many jobs, which are all that are selected or so many `of` them."""
    figures = {"n": count, "all": of}
    if act == "retry":
        return ngettext("Retry failed users of %(n)s job", "Retry failed users of %(n)s jobs", count) % figures
    if of is None or of == count:
        return ngettext("Cancel %(n)s job", "Cancel %(n)s jobs", count) % figures
    return ngettext("Cancel %(n)s of %(all)s jobs", "Cancel %(n)s of %(all)s jobs", count) % figures


@register.simple_tag
def bulk_labels(act: str, counts: Iterable[int]) -> str:
    """The button's names by the number of jobs, as JSON, for the script that counts what is ticked."""
    none = gettext("Retry failed users") if act == "retry" else gettext("Cancel selected")
    return json.dumps([f"{bulk_name(act, count) if count else none}…" for count in counts], ensure_ascii=False)
