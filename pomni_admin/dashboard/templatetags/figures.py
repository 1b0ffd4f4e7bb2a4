"""Numbers, times and signs as the pages write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from django import template
from django.templatetags.static import static
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import Role
from pomni_admin.audit.vocabulary import Reason
from pomni_admin.dashboard import words
from pomni_admin.dashboard.matters import Matter
from pomni_admin.dashboard.word_filters import word_filters

register = template.Library()

word_filters(
    register,
    {
        "job_state": words.JOB_STATES,
        "job_kind": words.JOB_KINDS,
        "span_word": words.SPANS,
        "last_span_word": words.LAST_SPANS,
        "away_word": words.AWAY,
        "place_word": words.PLACES,
        "circuit_word": words.CIRCUIT,
        "relay_word": words.RELAY,
        "trigger_word": words.TRIGGER_STATES,
        "off_by_word": words.OFF_BY,
        "wrong_filter_word": words.WRONG_FILTERS,
        "verdict_word": words.VERDICTS,
        "finding_word": words.FINDINGS,
        "dropped_word": words.DROPPED,
        "held_word": words.HELD,
        "payment_word": words.PAYMENTS,
        "problem_word": words.PROBLEMS,
        "people_refused": words.PEOPLE_REFUSED,
        "starter": words.STARTERS,
        "found_by": words.FOUND_BY,
    },
)
word_filters(register, {"cache_holds": words.CACHES}, without="")

NONE = "–"
"""What stands where there is no figure."""


@register.filter
def number(value: float | None) -> str:
    """A count with its thousands apart."""
    return NONE if value is None else number_format(value, force_grouping=True)


@register.filter
def percent(share: float | None) -> str:
    """A share of one, as whole per cent; never 100 or 0 for what is only nearly so."""
    if share is None:
        return NONE
    whole = round(share * 100)
    if whole == 100 and share < 1:
        whole = 99
    if whole == 0 and share > 0:
        whole = 1
    return f"{whole}\N{NO-BREAK SPACE}%"


@register.filter
def per_second(value: float | None) -> str:
    if value is None:
        return NONE
    return _("%(rate)s/s") % {"rate": number_format(value, 1 if value < 100 else 0, force_grouping=True)}


@register.filter
def duration(seconds: float | None) -> str:
    """A length of time by its two largest units: `3 min 20 s`."""
    if seconds is None:
        return NONE
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in ((86400, _("d")), (3600, _("h")), (60, _("min")), (1, _("s"))):
        count, left = divmod(left, size)
        if count or (size == 1 and not parts):
            parts.append(f"{count}\N{NO-BREAK SPACE}{unit}")
    return " ".join(parts[:2])


@register.filter
def milliseconds(value: float | None) -> str:
    if value is None:
        return NONE
    if value < 0.1:
        return _("< %(count)s ms") % {"count": number_format(0.1, 1)}
    return _("%(count)s ms") % {"count": number_format(value, 1 if value < 10 else 0)}


@register.filter
def microseconds(value: float | None) -> str:
    """A short time with two or three figures: `170 µs`, `2.5 ms`, `1.2 s`."""
    if value is None:
        return NONE
    if value < 1_000:
        return _("%(count)s µs") % {"count": number_format(value, 0)}
    if value < 1_000_000:
        return milliseconds(value / 1_000)
    return _("%(count)s s") % {"count": number_format(value / 1_000_000, 1)}


@register.simple_tag
def moment(at: datetime | None) -> SafeString | str:
    """A point in time, to the second: in UTC, which the page's script turns into the time where the reader is."""
    return _time(at, "moment")


@register.simple_tag
def age(at: datetime | None) -> SafeString | str:
    """A point in time that the page's script turns into `12 s ago` and keeps right."""
    return _time(at, "age")


@register.simple_tag
def lasted(since: datetime | None) -> SafeString | str:
    """A point in time that the page's script turns into `12 s`, for how long something has gone on since."""
    return _time(since, "lasted")


@register.simple_tag
def left(at: datetime | None) -> SafeString | str:
    """A point in time that the page's script turns into `in 12 s` and keeps right."""
    return _time(at, "left")


@register.simple_tag
def zone() -> SafeString:
    """Beside a time or over a column of them: whose it is. The script that tells times elsewhere says so here too."""
    return SafeString('<span class="muted zone">UTC</span>')


@register.simple_tag
def clock(at: datetime | None) -> SafeString | str:
    """A time of day to the minute, which the page's script turns into that of where the reader is."""
    return _time(at, "clock")


@register.simple_tag
def day(at: datetime | None) -> SafeString | str:
    """A date, which the page's script turns into that of where the reader is."""
    return _time(at, "day")


FORMATS: Mapping[str, str] = {"clock": "%H:%M", "day": "%Y-%m-%d", "moment": "%Y-%m-%d %H:%M:%S"}


def _time(at: datetime | None, shown_as: str) -> SafeString | str:
    if at is None:
        return NONE
    utc = at.astimezone(UTC)
    text = utc.strftime(FORMATS.get(shown_as, "%H:%M:%S"))
    return format_html(
        '<time datetime="{}" title="{}" class="{}" data-shown="{}">{}</time>',
        utc.isoformat(timespec="milliseconds"),
        utc.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "absolute" if shown_as in FORMATS else "relative",
        shown_as,
        text,
    )


@register.inclusion_tag("parts/count.html")
def count(label: str, figure: int | None, *, of: int | None = None, unless_zero: str = "") -> Mapping[str, object]:
    """A row of a `<dl>`: a count and what it counts, marked as `bad` or `doubtful` unless it is zero."""
    return {"label": label, "figure": figure, "of": of, "tone": unless_zero if figure else ""}


@register.inclusion_tag("parts/column.html")
def column(label: str, kind: str = "") -> Mapping[str, object]:
    """The head of a column; `kind` is the class of its cells, such as `figure`."""
    return {"label": label, "kind": kind}


@register.simple_tag
def icon(name: str) -> SafeString:
    """A sign from the sprite; it only accompanies words."""
    return format_html(
        '<svg class="icon" width="16" height="16" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("icons.svg"),
        name,
    )


def _word(table: words.Words, code: str) -> str:
    return str(table.get(code, code))


@register.simple_tag
def matter(one: Matter) -> str:
    """What needs attention, in a sentence."""
    figures = {
        "about": _about(one),
        "n": number(one.number),
        "share": percent(one.share),
        "before": percent(one.share_before),
    }
    return words.matter(one.code, one.number) % figures


def _about(one: Matter) -> str:
    return _word(words.JOB_KINDS, one.about)


@register.filter
def reason_word(code: str) -> str:
    """Why somebody did something; a word from outside the site stays as it is."""
    return str(Reason(code).label) if code in Reason.values else code


@register.filter
def result_word(code: str) -> str:
    """An audit result; an error keeps its class."""
    head, _colon, kind = code.partition(":")
    if head == "error":
        return _("error: %(kind)s") % {"kind": kind} if kind else _("any error")
    return _word(words.RESULTS, code)


@register.filter
def in_fours(text: str) -> Sequence[str]:
    """A long secret in groups, which are easier to copy by hand."""
    return [text[at : at + 4] for at in range(0, len(text), 4)]


@register.filter
def at_most(size_bytes: int | None) -> str:
    """A size by its class: how long something is says something of it."""
    if size_bytes is None:
        return _("over 1 MB")
    if size_bytes < 1_000_000:
        text = _("≤ %(count)s kB") % {"count": number_format(size_bytes // 1_000)}
    else:
        text = _("≤ %(count)s MB") % {"count": number_format(size_bytes // 1_000_000)}
    return text.replace(" ", "\N{NO-BREAK SPACE}")


@register.filter
def subject_word(subject: str) -> str:
    """What an audit row is about; one of the staff's accounts by its name, with the role that it was to have."""
    kind, _colon, rest = subject.partition(":")
    if kind != "account" or not rest:
        return subject
    number, _colon, role = rest.partition(":")
    name = User.objects.filter(pk=int(number)).values_list("username", flat=True).first() if number.isdigit() else None
    return f"{name or subject}: {Role(role).label}" if role in Role.values else name or subject
