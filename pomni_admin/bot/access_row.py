"""The one SELECT that decides access, and what its row means. Apart from `access`, so that the bot needs no Django."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cache_layer import AccessState

# statement_timestamp(): now() stands still inside a transaction, and a deadline would seem not to have passed.
# The LEFT JOINs give a row of NULLs for a person nobody knows: no access, by the same rule.
ACCESS_SQL = """
SELECT statement_timestamp(), s.status, s.subscription_until, u.trial_started_at, u.trial_expires_at, s.plan,
       s.is_auto_renew
FROM (SELECT) AS always
LEFT JOIN users u ON u.id = %s
LEFT JOIN subscriptions s ON s.user_id = u.id
"""


def from_row(row: Sequence[Any]) -> AccessState:
    """Judge the row that `ACCESS_SQL` returned."""
    now, status, until, trial_started_at, trial_expires_at, plan, is_auto_renew = row
    return AccessState.decide(
        now=now,
        subscription_status=status,
        subscription_until=until,
        trial_started_at=trial_started_at,
        trial_expires_at=trial_expires_at,
        plan=plan,
        is_auto_renew=is_auto_renew,
    )
