"""One person as support sees them.

That is a handle, what Redis believes about their access beside what is true, what else Redis holds on them, and how
their last payments stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from cache_layer import AccessState, Holding, Peek
from pomni_admin import cache
from pomni_admin.bot.access import read_access
from pomni_admin.bot.payments import Payment, last_payments
from pomni_admin.dashboard.words import ACCESS_REASONS, PLANS, SUBSCRIPTION_STATES, Words

Value = bool | str | datetime | None | Promise


def _said(words: Words, code: str | None) -> Value:
    """In words; what the words do not know, as it stands in the database."""
    return None if code is None else words.get(code, code)


ROWS: Final[tuple[tuple[str | Promise, Callable[[AccessState], Value]], ...]] = (
    (_("Has access"), lambda state: state.has_access),
    (_("Access from"), lambda state: ACCESS_REASONS[state.reason]),
    (_("Subscription in force until"), lambda state: state.subscription_until),
    (_("Trial runs until"), lambda state: state.trial_until),
    (_("Subscription status"), lambda state: _said(SUBSCRIPTION_STATES, state.subscription_status)),
    (_("Plan"), lambda state: _said(PLANS, state.plan)),
    (_("Renews by itself"), lambda state: state.is_auto_renew),
    (_("Subscription end on record"), lambda state: state.latest_subscription_end),
    (_("Trial started"), lambda state: state.trial_started_at),
    (_("Trial end on record"), lambda state: state.trial_expires_at),
    (_("Ever had a trial"), lambda state: state.trial_ever),
)
"""What is compared, in this order; every field of `AccessState`, once."""

LATELY: Final = timedelta(days=1)
"""A payment that succeeded so lately, and no access, is more than a cache can explain."""


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
class HeldRow:
    """One thing that Redis holds: its kind, its size's class in bytes (None beyond the largest), and times."""

    kind: str
    at_most_bytes: int | None
    began_at: datetime | None
    ends_at: datetime | None

    @classmethod
    def of(cls, thing: Holding, now: datetime) -> HeldRow:
        return cls(
            kind=thing.kind,
            at_most_bytes=thing.at_most_bytes,
            began_at=None if thing.age_s is None else now - timedelta(seconds=thing.age_s),
            ends_at=None if thing.ttl_s is None else now + timedelta(seconds=thing.ttl_s),
        )


@dataclass(frozen=True, slots=True)
class PersonView:
    """What the Users page shows about a person.

    Attributes:
        former_handle: the one from before the secret was changed; empty unless that is known.
        is_known: whether PostgreSQL still has them.
        cached: `hit`, `absent`, `unreachable` or `off`.
        stored_at, ends_at: of the cached entry.
        verdict: `equal`, `differs`, or what `cached` says when there is nothing to compare.
        finding: what to tell the person on the line: a key of `words.FINDINGS`.
        held: None when Redis did not say; `is_all_held` is False when only a part of it did.
    """

    handle: str
    former_handle: str
    found_by: str
    is_known: bool
    has_access: bool
    cached: str
    verdict: str
    finding: str
    stored_at: datetime | None
    ends_at: datetime | None
    rows: tuple[ComparedRow, ...]
    held: tuple[HeldRow, ...] | None
    is_all_held: bool
    payments: tuple[Payment, ...]

    @property
    def tone(self) -> str:
        """How the verdict is marked: `good`, `doubtful` or `plain`."""
        if self.verdict == "equal":
            return "good"
        return "plain" if self.verdict in {"absent", "off"} else "doubtful"

    @property
    def finding_tone(self) -> str:
        """How the finding is marked: `good`, `doubtful`, `bad` or `plain`."""
        return {"let_in": "good", "let_in_next": "good", "no_access": "plain", "unknown": "bad"}.get(
            self.finding, "bad" if self.finding in {"locked_out", "paid_no_access"} else "doubtful"
        )


def look_at(user_id: int, tg_id: int | None, found_by: str = "") -> PersonView:
    """Read both sides now; loads nothing into the cache, and extends nothing there.

    Args:
        tg_id: as PostgreSQL has it; None when the person is there no longer.
    """
    held = cache.layer().holdings(user_id, tg_id)
    peek = held.access_state
    true = read_access(user_id)
    payments = last_payments(user_id)
    now = datetime.now(UTC)
    rows = tuple(_compare(label, get, peek, true) for label, get in ROWS)
    differs = any(not row.is_equal for row in rows)
    return PersonView(
        handle=cache.handle_of(user_id),
        former_handle=cache.former_handle_of(user_id),
        found_by=found_by,
        is_known=tg_id is not None,
        has_access=true.has_access,
        cached=peek.state,
        verdict=("differs" if differs else "equal") if peek.value is not None else peek.state,
        finding=_finding(true, peek.value, payments, now) if tg_id is not None else "unknown",
        stored_at=now - timedelta(seconds=peek.age_s) if peek.age_s is not None else None,
        ends_at=now + timedelta(seconds=peek.ttl_s) if peek.ttl_s is not None else None,
        rows=rows,
        held=tuple(HeldRow.of(thing, now) for thing in held.things) if held.reached or held.things else None,
        is_all_held=held.reached,
        payments=payments,
    )


def _finding(true: AccessState, cached: AccessState | None, payments: Sequence[Payment], now: datetime) -> str:
    if true.has_access:
        if cached is None:
            return "let_in_next"
        return "let_in" if cached.has_access else "locked_out"
    if cached is not None and cached.has_access:
        return "still_in"
    newest = payments[0] if payments else None
    if newest is not None and now - newest.at < LATELY:
        if newest.status == "succeeded":
            return "paid_no_access"
        if newest.status in {"pending", "waiting_for_capture"}:
            return "payment_pending"
    return "no_access"


def _compare(
    label: str | Promise, get: Callable[[AccessState], Value], peek: Peek[AccessState], true: AccessState
) -> ComparedRow:
    truth = get(true)
    if peek.value is None:
        return ComparedRow(label, None, Cell.of(truth), is_equal=True)
    believed = get(peek.value)
    return ComparedRow(label, Cell.of(believed), Cell.of(truth), is_equal=believed == truth)
