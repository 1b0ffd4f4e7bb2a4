"""May this person use the bot now? `access_state:{user_id}`"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from cache_layer.codecs import Codec, Entry
from cache_layer.keys import Keys
from cache_layer.metrics import Counts
from cache_layer.settings import Settings
from cache_layer.shapes.value import Value
from cache_layer.switches import Switches

Reason: TypeAlias = Literal["subscription", "trial", "none"]

TRIAL = timedelta(days=5)
"""How long a trial lasts where the row gives no end."""
LOAD_AT_MOST = timedelta(seconds=5)


class AccessState(msgspec.Struct, frozen=True, array_like=True):
    """What decides access, and what the mini-app's status call shows. Datetimes are aware.

    Attributes:
        trial_until: end of the trial, also when it has passed; None where there was none.
        subscription_until: end of the subscription that gives access now, else None.
        subscription_status: the row's status as it is.
        latest_subscription_end: end of the latest subscription, whatever its status.
        trial_ever: whether a trial was ever started.
    """

    has_access: bool
    reason: Reason
    trial_until: datetime | None = None
    subscription_until: datetime | None = None
    subscription_status: str | None = None
    plan: str | None = None
    is_auto_renew: bool | None = None
    trial_started_at: datetime | None = None
    trial_expires_at: datetime | None = None
    latest_subscription_end: datetime | None = None
    trial_ever: bool = False

    @classmethod
    def decide(
        cls,
        *,
        now: datetime,
        subscription_status: str | None = None,
        subscription_until: datetime | None = None,
        plan: str | None = None,
        is_auto_renew: bool | None = None,
        trial_started_at: datetime | None = None,
        trial_expires_at: datetime | None = None,
    ) -> AccessState:
        """The state that follows from the rows of `users` and `subscriptions` at `now`, the database's own clock.

        The one definition of the rule: an active subscription that has not ended, else a trial that has not ended.
        """
        trial_until = trial_expires_at or (trial_started_at + TRIAL if trial_started_at else None)
        subscribed = subscription_status == "active" and subscription_until is not None and subscription_until > now
        on_trial = trial_until is not None and trial_until > now
        return cls(
            has_access=subscribed or on_trial,
            reason="subscription" if subscribed else "trial" if on_trial else "none",
            trial_until=trial_until,
            subscription_until=subscription_until if subscribed else None,
            subscription_status=subscription_status,
            plan=plan,
            is_auto_renew=is_auto_renew,
            trial_started_at=trial_started_at,
            trial_expires_at=trial_expires_at,
            latest_subscription_end=subscription_until,
            trial_ever=trial_started_at is not None,
        )

    @property
    def granted_until(self) -> datetime | None:
        """When this grant ends by itself; None for "no access"."""
        if not self.has_access:
            return None
        return self.subscription_until if self.reason == "subscription" else self.trial_until


def access_state(keys: Keys, counts: Counts, settings: Settings, switches: Switches) -> Value[AccessState]:
    """A grant lives for its TTL and never past its own end; a "no access" for five seconds at most (G1)."""
    return Value(
        "access_state",
        Codec(Entry[AccessState], version=1),
        keys,
        counts,
        ttl=lambda state: settings.ttls["access_state"] if state.has_access else settings.deny_ttl,
        deadline=lambda state: state.granted_until,
        load_at_most=LOAD_AT_MOST,
        switch=switches.of("access_state"),
    )
