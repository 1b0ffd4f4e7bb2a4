"""The filters of the Jobs page: as somebody types them into one box, and as they stand in its address.

What is typed is words such as `kind:daily state:failed,partial started:7d by:olga`. An address comes to stand in
histories and logs, so only what has passed here gets into it, in its one spelling; what did not pass is answered with
what is allowed, and not repeated (G6).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from django.utils import timezone

from pomni_admin.summaries.listing import Place, Wanted
from pomni_admin.summaries.models import JobState, Kind

LONGEST: Final = 300
FIRST_YEAR: Final = 2000
MOST_BACK: Final = {"d": 365, "h": 24 * 365}
NAMES: Final = ("kind", "state", "started", "by")
SPELLINGS: Final = {"cancelled": "canceled", "cancelling": "canceling"}
MOST_SHOWN: Final = 50
_TERM = re.compile(r'(?P<name>[^\s:"]*):(?:"(?P<quoted>[^"]*)"|(?P<plain>\S*))|(?P<bare>\S+)')
_ID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){0,3}(?:-?[0-9a-f]{1,12})?")
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime.fromtimestamp(0, UTC)


class Wrong(ValueError):
    """A filter has a value that is not allowed. `what` is a key of `job_words.WRONG_FILTERS`."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"the filter {what} has a value that is not allowed")


class OneJob(Exception):
    """What was typed is the beginning of a job's id."""

    def __init__(self, first_digits: str) -> None:
        self.first_digits = first_digits
        super().__init__("one job is asked for")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address of the page asks for.

    Attributes:
        shown: the filters as they stand in the address, in a fixed order, each in its one spelling.
        before, after: the place before or after which the page begins; both None for the newest.
    """

    wanted: Wanted
    shown: Mapping[str, str]
    before: Place | None = None
    after: Place | None = None

    @property
    def text(self) -> str:
        """The filters as they would be typed."""
        return " ".join(
            f'{name}:"{value}"' if " " in value else f"{name}:{value}" for name, value in self.shown.items()
        )

    @property
    def address(self) -> str:
        """The query of the newest page of these filters; empty for all jobs."""
        return urlencode(self.shown, safe=",.:")

    def with_(self, **changed: str) -> str:
        """The query of the newest page with some filters changed; an empty value takes one away."""
        merged = {**self.shown, **changed}
        return urlencode({name: merged[name] for name in NAMES if merged.get(name)}, safe=",.:")

    def older_than(self, place: Place) -> str:
        return urlencode({**self.shown, "before": written(place)}, safe=",.:")

    def newer_than(self, place: Place) -> str:
        return urlencode({**self.shown, "after": written(place)}, safe=",.:")


def parse(text: str) -> dict[str, str]:
    """The filters that were typed, by name, not checked yet.

    Raises:
        Wrong: there is a word that is none.
        OneJob: it is the beginning of a job's id.
    """
    text = text.strip()
    if len(text) > LONGEST:
        raise Wrong("long")
    if _ID.fullmatch(text.lower()):
        raise OneJob(text.lower().replace("-", ""))
    given: dict[str, str] = {}
    for name, value in _terms(text):
        if name in given and name not in {"kind", "state"}:
            raise Wrong("twice")
        given[name] = f"{given[name]},{value}" if name in given else value
    return given


def _terms(text: str) -> Iterator[tuple[str, str]]:
    for term in _TERM.finditer(text):
        name = (term["name"] or "").lower()
        if term["bare"] is not None or name not in NAMES:
            raise Wrong("word" if term["bare"] is not None else "qualifier")
        value = term["quoted"] if term["quoted"] is not None else term["plain"]
        if not value.strip():
            raise Wrong(name)
        yield name, value.strip()


def read(given: Mapping[str, Any], starters: Callable[[], Collection[str]]) -> Asked:
    """Check what stands in an address, or was typed: one spelling of each value is let through.

    Args:
        starters: everybody and everything that has started a job; called only when one is named.

    Raises:
        Wrong: the first value that is not allowed.
    """
    texts = {name: str(given.get(name, "")).strip() for name in (*NAMES, "before", "after")}
    kinds = _several("kind", texts["kind"], [str(kind) for kind in Kind])
    states = _several("state", texts["state"], [str(state) for state in JobState])
    since, until, spelling = started(texts["started"]) if texts["started"] else (None, None, "")
    if texts["by"] and texts["by"] not in starters():
        raise Wrong("by")
    shown = {"kind": ",".join(kinds), "state": ",".join(states), "started": spelling, "by": texts["by"]}
    return Asked(
        Wanted(tuple(map(Kind, kinds)), tuple(map(JobState, states)), since, until, texts["by"]),
        {name: value for name, value in shown.items() if value},
        before=place(texts["before"]) if texts["before"] else None,
        after=place(texts["after"]) if texts["after"] else None,
    )


def _several(name: str, text: str, allowed: Collection[str]) -> list[str]:
    asked = {SPELLINGS.get(word, word) for word in text.lower().split(",") if word}
    if not asked <= set(allowed) or (text and not asked):
        raise Wrong(name)
    return [word for word in allowed if word in asked]


def started(text: str, now: datetime | None = None) -> tuple[datetime | None, datetime | None, str]:
    """From when, until when (exclusive) and the one spelling of a span of UTC days.

    Raises:
        Wrong: it is none of the forms that `job_words.WRONG_FILTERS` names.
    """
    text = text.lower()
    now = now or timezone.now()
    if text in {"today", "yesterday"}:
        day = now.astimezone(UTC).date() - timedelta(days=text == "yesterday")
        return _midnight(day), _midnight(day + timedelta(days=1)), text
    if back := re.fullmatch(r"([1-9][0-9]{0,4})([dh])", text, re.ASCII):
        count, unit = int(back[1]), back[2]
        if count > MOST_BACK[unit]:
            raise Wrong("started")
        return now - (timedelta(days=count) if unit == "d" else timedelta(hours=count)), None, text
    first, dots, last = text.partition("..")
    if not dots:
        start, end = _span(text)
        return _midnight(start), _midnight(end), text
    since = _midnight(_span(first)[0]) if first else None
    until = _midnight(_span(last)[1]) if last else None
    if (since is None and until is None) or (since is not None and until is not None and since >= until):
        raise Wrong("started")
    return since, until, text


def _span(text: str) -> tuple[date, date]:
    """The first day of a day or a month, and the day after its last."""
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}", text, re.ASCII):
            first = date.fromisoformat(f"{text}-01")
            end = (first + timedelta(days=32)).replace(day=1)
        elif re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
            first = date.fromisoformat(text)
            end = first + timedelta(days=1)
        else:
            raise Wrong("started")
    except (ValueError, OverflowError):
        raise Wrong("started") from None
    if first.year < FIRST_YEAR:
        raise Wrong("started")
    return first, end


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)


def written(place: Place) -> str:
    """A place as it stands in an address."""
    return f"{(place.created_at - _EPOCH) // _MICROSECOND}.{place.job_id.hex}"


def place(text: str) -> Place:
    """Raises:
    Wrong: it names no place.
    """
    found = re.fullmatch(r"([0-9]{1,17})\.([0-9a-f]{32})", text, re.ASCII)
    if found is None:
        raise Wrong("place")
    try:
        return Place(_EPOCH + int(found[1]) * _MICROSECOND, UUID(found[2]))
    except OverflowError:
        raise Wrong("place") from None


@dataclass(frozen=True, slots=True)
class Frozen:
    """A page of the list as somebody has it before them: what live updates keep as it is, but for the jobs' figures.

    Everybody who opened the same filters since the last change has the same, and shares each rendering.

    Attributes:
        address: the filters.
        job_ids: of the rows, in their order.
        top: the newest job of these filters when the page was made; whatever comes after it is news. None when there
            was none.
    """

    address: str
    job_ids: tuple[UUID, ...]
    top: Place | None

    @property
    def subject(self) -> str:
        """It as a part of the WebSocket's address."""
        ids = _base64(b"".join(job_id.bytes for job_id in self.job_ids))
        top = "" if self.top is None else written(self.top)
        return f"{_base64(self.address.encode())}~{top}~{ids}"


def frozen(subject: str) -> Frozen:
    """Raises:
    Wrong: it is none.
    """
    address, first, rest = subject.partition("~")
    top, second, ids = rest.partition("~")
    try:
        packed = _unbase64(ids)
        query = _unbase64(address).decode()
    except ValueError:
        raise Wrong("place") from None
    if not (first and second) or len(packed) % 16 or len(packed) > 16 * MOST_SHOWN:
        raise Wrong("place")
    job_ids = tuple(UUID(bytes=packed[at : at + 16]) for at in range(0, len(packed), 16))
    return Frozen(query, job_ids, place(top) if top else None)


def given_by(address: str) -> dict[str, str]:
    """The filters of a query, not checked."""
    return dict(parse_qsl(address))


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _unbase64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
