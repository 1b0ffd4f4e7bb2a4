"""The truth about one person's access: one SELECT, judged by the rule in `cache_layer`.

`ACCESS_SQL` and `from_row` are apart from `read_access` so that code with its own connection, asyncio's among it, reads
the same columns and judges them alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

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


def read_access(user_id: int) -> AccessState:
    """Read a person's access state from PostgreSQL, by the database's clock.

    Raises:
        django.db.Error: PostgreSQL could not be asked.
    """
    with connection.cursor() as cursor:
        cursor.execute(ACCESS_SQL, (user_id,))
        return from_row(cursor.fetchone() or ())


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
