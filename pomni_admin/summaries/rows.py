"""The row of one summary: written while it may be, together with its unit's count, in one message to PostgreSQL.

What is sent together is one transaction. Its statements are carried out one after another, so that each sees what was
there after the wait for the row that the one before it holds: first the person, then the sources, then the look whether
all is as it was, and the writing.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from psycopg import errors as postgres

from cache_layer.privacy import STORABLE
from pomni_admin.summaries import claims, pending
from pomni_admin.summaries.claims import Claim, Displaced
from pomni_admin.summaries.models import Kind
from pomni_admin.summaries.pending import Summary
from pomni_admin.summaries.providers import Spent, SummaryText
from pomni_admin.summaries.sources import OLD_MONTHLY, SOURCES, Material
from pomni_admin.summaries.units import Unit
from pomni_admin.summaries.vectors import Point

WAIT_FOR_PERSON = "SET LOCAL lock_timeout = '5s'"

HOLD_PERSON = "SELECT 1 FROM users WHERE id = %(user)s FOR SHARE"

WAIT_FOR_THE_REST = "SET LOCAL lock_timeout = '200ms'"
"""Whoever waits for the person's row while holding what we want next has begun to wait after we got it: we give up long
before PostgreSQL looks for deadlocks (1 s), so that the bot's transaction is never the one that is ended."""

WRITE = """
WITH found AS (
    SELECT EXISTS (SELECT 1 FROM users WHERE id = %(user)s AND privacy_level = ANY(%(storable)s)) AS may_be_stored,
           coalesce({unchanged}, false) AS is_unchanged
), advanced AS (
    {advance} AND (SELECT may_be_stored AND is_unchanged FROM found)
    RETURNING batch.id
), renamed AS (
    {rename}
), inserted AS (
    INSERT INTO dialog_summaries
        (user_id, kind, period_start, period_end, text, tokens, source_count, created_at, updated_at)
    SELECT %(user)s, %(kind)s, %(start)s, %(end)s, %(text)s, %(tokens)s, %(source_count)s, now(), now() FROM advanced
    WHERE NOT EXISTS (SELECT 1 FROM renamed)
    ON CONFLICT ON CONSTRAINT uq_dialog_summaries_span DO UPDATE
    SET text = EXCLUDED.text, tokens = EXCLUDED.tokens, source_count = EXCLUDED.source_count,
        updated_at = EXCLUDED.updated_at
    RETURNING id, updated_at
), written AS (
    SELECT id, updated_at FROM renamed UNION ALL SELECT id, updated_at FROM inserted
), waits AS (
    {add_written}
)
SELECT found.may_be_stored, found.is_unchanged, written.id, written.updated_at FROM found LEFT JOIN written ON true
"""
"""The unit counted, its row, and that its vector is due; nothing of it where the summary may not be written any more,
or the claim is stale."""

RENAME = """
    UPDATE dialog_summaries AS old
    SET kind = %(kind)s, period_start = %(start)s, period_end = %(end)s, text = %(text)s, tokens = %(tokens)s,
        source_count = %(source_count)s, updated_at = now()
    FROM advanced
    WHERE old.id = (
        SELECT min(id) FROM dialog_summaries
        WHERE user_id = %(user)s AND kind = %(old)s AND period_start >= %(start)s AND period_start < %(end)s
    ) AND NOT EXISTS (
        SELECT 1 FROM dialog_summaries AS new WHERE new.user_id = %(user)s AND new.kind = %(kind)s
        AND new.period_start = %(start)s AND new.period_end = %(end)s
    )
    RETURNING old.id, old.updated_at
"""
"""The bot's old row for the month becomes the monthly one, so that the month has one row and one vector."""

NOTHING_TO_RENAME = "SELECT NULL::bigint AS id, NULL::timestamptz AS updated_at WHERE false"


class Unwritten(Enum):
    """Why nothing was written."""

    FORBIDDEN = "forbidden"
    """The person has left, or nothing of theirs may be stored."""
    CHANGED = "changed"
    """The summary would be made from something else now."""
    LOCKED = "locked"
    """Somebody else has one of the rows: worth another try."""


def write(claim: Claim, unit: Unit, material: Material, text: SummaryText, spent: Spent) -> Summary | Unwritten:
    """The row as it was written, or why it was not; then nothing was counted either.

    Raises:
        Displaced: the claim is stale.
    """
    source = SOURCES[unit.kind]
    statement = WRITE.format(
        unchanged=source.unchanged,
        advance=claims.ADVANCE,
        rename=RENAME if unit.kind == Kind.MONTHLY else NOTHING_TO_RENAME,
        add_written=pending.ADD_WRITTEN,
    )
    values: dict[str, Any] = source.values(unit.user_id, unit.period, material) | {
        "user": unit.user_id,
        "storable": list(STORABLE),
        "kind": unit.kind,
        "old": OLD_MONTHLY,
        "start": unit.period.starts_at,
        "end": unit.period.ends_at,
        "text": text.text,
        "tokens": text.tokens_in + text.tokens_out,
        "source_count": len(material.messages),
        "hold_s": settings.ENV.lease_s,
    }
    message = "; ".join((WAIT_FOR_PERSON, HOLD_PERSON, WAIT_FOR_THE_REST, source.hold, statement))
    try:
        with connection.cursor() as cursor:
            cursor.execute(message, values | claims.values_of(claim, unit, spent, processed=1))
            may_be_stored, is_unchanged, summary_id, updated_at = _last_row(cursor)
    except OperationalError as error:
        if isinstance(error.__cause__, (postgres.LockNotAvailable, postgres.DeadlockDetected)):
            return Unwritten.LOCKED
        raise
    if not may_be_stored:
        return Unwritten.FORBIDDEN
    if not is_unchanged:
        return Unwritten.CHANGED
    if summary_id is None:
        raise Displaced
    point = Point(
        summary_id,
        unit.user_id,
        unit.kind.value,
        unit.period.starts_at,
        unit.period.ends_at,
        len(text.text),
        updated_at,
    )
    return Summary(point, text.text)


def _last_row(cursor: CursorWrapper) -> tuple[Any, ...]:
    """Of several statements that were sent together, the row that the last of them gives."""
    while cursor.nextset():
        pass
    row: tuple[Any, ...] = cursor.fetchone()
    return row
