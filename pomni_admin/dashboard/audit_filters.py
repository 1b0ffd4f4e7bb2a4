"""The Audit page's filters, as they stand in its address: read, checked, and written again.

An address comes to stand in histories and logs, so nothing gets into it but what has passed here: a known name, a word
from a list, a handle, a job's id, a receipt, a day. What did not pass is not repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from cache_layer.privacy import read_handle
from pomni_admin.audit.entries import ERROR, Filters
from pomni_admin.audit.receipts import read_receipt
from pomni_admin.audit.vocabulary import Act
from pomni_admin.dashboard.words import RESULTS

BIGINT_MAX: Final = 2**63 - 1
FIRST_YEAR: Final = 2000
JOB_ID: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""The subject of an act on a job; one on a schedule has its kind."""
JOB_ID_BEGINS: Final = r"[0-9a-f]{8}(-[0-9a-f]{0,4}){0,3}(-[0-9a-f]{0,12})?"
"""Pages show the first eight characters."""
RESULT_WORDS: Final = (*RESULTS, ERROR)


class Wrong(ValueError):
    """A filter has a value that is not allowed. `field` is its name in the address."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"the filter {field} has a value that is not allowed")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address of the page asks for.

    Attributes:
        shown: the filters as they stand in the address, in a fixed order, each in its one spelling.
        before: the entry before which the page begins; None for the newest.
    """

    filters: Filters
    shown: Mapping[str, str]
    before: int | None = None

    @property
    def address(self) -> str:
        """The query that leads here; empty for the newest of all acts."""
        return urlencode({**self.shown, **({"before": self.before} if self.before is not None else {})})

    def older_than(self, before: int) -> str:
        return urlencode({**self.shown, "before": before})


def read(given: Mapping[str, Any], actors: Callable[[], Collection[str]]) -> Asked:
    """Check what stands in an address, or came from the form: one spelling of each value is let through.

    Args:
        actors: everybody who stands in the record; called only when one is named.

    Raises:
        Wrong: the first value that is not allowed.
    """
    values: dict[str, str] = {}
    for name, check in CHECKS.items():
        text = str(given.get(name, "")).strip()
        if text:
            values[name] = _or_wrong(name, check(text))
    if (who := str(given.get("who", "")).strip()) and who not in actors():
        raise Wrong("who")
    shown = {"who": who, **values} if who else values
    before = str(given.get("before", "")).strip()
    if before and not (before.isascii() and before.isdigit() and len(before) <= 19 and int(before) <= BIGINT_MAX):
        raise Wrong("before")
    since, until = (_midnight(values.get(name, "")) for name in ("from", "to"))
    if since is not None and until is not None and since > until:
        raise Wrong("to")
    filters = Filters(
        actor=who,
        act=values.get("act", ""),
        handle=values.get("handle", ""),
        subject=values.get("job", ""),
        result=values.get("result", ""),
        receipt=values.get("receipt", ""),
        since=since,
        until=None if until is None else until + timedelta(days=1),
    )
    return Asked(filters, shown, int(before) if before else None)


def passing(given: Mapping[str, Any], actors: Collection[str]) -> Mapping[str, str]:
    """What of it is let through, each filter for itself: so that somebody who mistyped one types no other again."""
    found = {name: check(str(given.get(name, "")).strip()) for name, check in CHECKS.items()}
    who = str(given.get("who", "")).strip()
    return {name: value for name, value in {"who": who if who in actors else "", **found}.items() if value}


def _or_wrong(name: str, value: str | None) -> str:
    if value is None:
        raise Wrong(name)
    return value


def whole_job_id(text: str, beginning: Callable[[str], Collection[str]]) -> str:
    """The id of the one job on record whose id begins so; what was given, where it is none or not the only one."""
    said = text.strip().lower()
    if not re.fullmatch(JOB_ID_BEGINS, said):
        return text
    ids = [subject for subject in beginning(said) if re.fullmatch(JOB_ID, subject)]
    return ids[0] if len(ids) == 1 else text


def _job(text: str) -> str | None:
    said = text.lower()
    return said if re.fullmatch(JOB_ID, said) else None


def _day(text: str) -> str | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    # The year 9999 has no day after it, and nothing was recorded before this century.
    return day.isoformat() if FIRST_YEAR <= day.year < date.max.year else None


def _midnight(day: str) -> datetime | None:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) if day else None


CHECKS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "act": lambda text: text if text in Act.values else None,
    "handle": read_handle,
    "job": _job,
    "result": lambda text: text if text in RESULT_WORDS else None,
    "receipt": read_receipt,
    "from": _day,
    "to": _day,
}
"""The filters by their names in the address, but for `who`; each check returns the one spelling, or None."""
