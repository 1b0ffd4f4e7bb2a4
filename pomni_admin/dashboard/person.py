"""One person as support sees them: a handle, and what Redis believes about their access beside what is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from cache_layer import AccessState, Peek
from pomni_admin import cache
from pomni_admin.bot.access import read_access
from pomni_admin.dashboard.words import ACCESS_REASONS

Value = bool | str | datetime | None | Promise

ROWS: Final[tuple[tuple[str | Promise, Callable[[AccessState], Value]], ...]] = (
    (_("Has access"), lambda state: state.has_access),
    (_("Because of"), lambda state: ACCESS_REASONS[state.reason]),
    (_("Subscription until"), lambda state: state.subscription_until),
    (_("Trial until"), lambda state: state.trial_until),
    (_("Subscription status"), lambda state: state.subscription_status),
    (_("Plan"), lambda state: state.plan),
    (_("Renews by itself"), lambda state: state.is_auto_renew),
    (_("Latest subscription end"), lambda state: state.latest_subscription_end),
    (_("Trial started"), lambda state: state.trial_started_at),
    (_("Trial ends"), lambda state: state.trial_expires_at),
    (_("Ever had a trial"), lambda state: state.trial_ever),
)
"""What is compared, in this order; every field of `AccessState`, once."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One value, ready to be shown: `yes`, `no`, `nothing`, `moment` (with `at`) or `text`."""

    kind: str
    text: str | Promise = ""
    at: datetime | None = None

    @classmethod
    def of(cls, value: Value) -> Cell:
        if value is None:
            return cls("nothing")
        if isinstance(value, bool):
            return cls(
                "yes" if value else "no", pgettext_lazy("answer", "yes") if value else pgettext_lazy("answer", "no")
            )
        if isinstance(value, datetime):
            return cls("moment", at=value)
        return cls("text", value)


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One fact; `cached` is None when Redis holds nothing."""

    label: str | Promise
    cached: Cell | None
    true: Cell
    is_equal: bool


@dataclass(frozen=True, slots=True)
class PersonView:
    """What the Users page shows about a person.

    Attributes:
        cached: `hit`, `absent`, `unreachable` or `off`.
        stored_at, ends_at: of the cached entry.
        verdict: `equal`, `differs`, or what `cached` says when there is nothing to compare.
    """

    handle: str
    found_by: str
    has_access: bool
    cached: str
    verdict: str
    stored_at: datetime | None
    ends_at: datetime | None
    rows: tuple[ComparedRow, ...]

    @property
    def tone(self) -> str:
        """How the verdict is marked: `good`, `doubtful` or `plain`."""
        if self.verdict == "equal":
            return "good"
        return "plain" if self.verdict in {"absent", "off"} else "doubtful"


def look_at(user_id: int, found_by: str = "") -> PersonView:
    """Read both sides now; loads nothing into the cache."""
    peek = cache.layer().access_state.peek(user_id)
    true = read_access(user_id)
    now = datetime.now(UTC)
    rows = tuple(_compare(label, get, peek, true) for label, get in ROWS)
    differs = any(not row.is_equal for row in rows)
    return PersonView(
        handle=cache.handle_of(user_id),
        found_by=found_by,
        has_access=true.has_access,
        cached=peek.state,
        verdict=("differs" if differs else "equal") if peek.value is not None else peek.state,
        stored_at=now - timedelta(seconds=peek.age_s) if peek.age_s is not None else None,
        ends_at=now + timedelta(seconds=peek.ttl_s) if peek.ttl_s is not None else None,
        rows=rows,
    )


def _compare(
    label: str | Promise, get: Callable[[AccessState], Value], peek: Peek[AccessState], true: AccessState
) -> ComparedRow:
    truth = get(true)
    if peek.value is None:
        return ComparedRow(label, None, Cell.of(truth), is_equal=True)
    believed = get(peek.value)
    return ComparedRow(label, Cell.of(believed), Cell.of(truth), is_equal=believed == truth)
