"""Summary jobs in words: their periods, notes and failures."""

from __future__ import annotations

from datetime import date, timedelta

from django import template
from django.utils.translation import ngettext

from pomni_admin.dashboard import job_words

register = template.Library()


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
def note_word(code: str) -> str:
    """Why a job ended as it did; empty for a note without words."""
    return str(job_words.NOTES.get(code, ""))


@register.filter
def what_now(code: str) -> str:
    """What can be done about it."""
    return str(job_words.WHAT_NOW.get(code, ""))


@register.filter
def failure_word(code: str) -> str:
    """Why a summary could not be made; empty for a code without words."""
    if code in job_words.FAILURES:
        return str(job_words.FAILURES[code])
    return next((str(words) for begins, words in job_words.FAILURES_LIKE.items() if code.startswith(begins)), "")


@register.filter
def run_choice(kind: str) -> str:
    """A kind as the form that starts a job offers it."""
    return str(job_words.RUN_CHOICES.get(kind, kind))


@register.filter
def run_problem(code: str) -> str:
    """What is wrong with a field of the form that starts a job."""
    return str(job_words.RUN_PROBLEMS.get(code, code))
