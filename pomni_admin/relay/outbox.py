"""What is in the outbox: how much for those who look, and the rows themselves for the relay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, TypeAlias

from django.db import connection as django_connection
from psycopg import AsyncConnection

from cache_layer import Change
from pomni_admin.relay.models import Kind

AT_ONCE = 200
"""Rows in a batch: some milliseconds of Redis, so that whoever commits meanwhile is in the next one soon."""
CHANNEL: LiteralString = "pomni_relay"

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]

# The newest and the oldest: a bulk of a hundred thousand is between them, and what was committed before, after, or in
# the middle of it is not kept waiting behind it. Whole rows: ids alone would be joined with the table by reading all
# of it.
_TAKE: LiteralString = """
SELECT o.id, o.kind, o.user_id, o.tg_id, o.level, o.at, u.tg_id, clock_timestamp()
FROM (
    (SELECT * FROM relay_outbox ORDER BY id DESC LIMIT %(half)s)
    UNION
    (SELECT * FROM relay_outbox ORDER BY id LIMIT %(half)s)
) o LEFT JOIN users u ON u.id = o.user_id
"""
# What another relay is just deleting is passed over: two that lock the same rows in other orders would stop each other.
_DELETE: LiteralString = """
DELETE FROM relay_outbox WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM relay_outbox WHERE id = ANY(%s) ORDER BY id FOR UPDATE SKIP LOCKED
))
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be dropped: how many rows, and since how many seconds the oldest of them."""

    rows: int
    oldest_s: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One row, with the Telegram ids under which the person may be cached.

    Attributes:
        at: when the change was made.
        seen: when the row was read; both by the database's clock.
    """

    id: int
    change: Change
    at: datetime
    seen: datetime


def backlog() -> Backlog:
    """Raises:
    django.db.Error: PostgreSQL could not be asked.
    """
    with django_connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), extract(epoch FROM clock_timestamp() - min(at))::float8 FROM relay_outbox",
        )
        rows, oldest_s = cursor.fetchone() or (0, None)
    return Backlog(rows, None if oldest_s is None else max(oldest_s, 0.0))


async def take(connection: Connection) -> Sequence[Row]:
    """Rows that wait, at most `AT_ONCE`, of whatever age. They stay until they are deleted.

    Raises:
        psycopg.Error: PostgreSQL could not be asked.
    """
    cursor = await connection.execute(_TAKE, {"half": AT_ONCE // 2})
    return [_row(*columns) for columns in await cursor.fetchall()]


async def delete(connection: Connection, ids: Iterable[int]) -> None:
    """Raises:
    psycopg.Error: PostgreSQL could not be asked; the rows may or may not be there still, and both are harmless.
    """
    await connection.execute(_DELETE, (list(ids),))


def _row(
    number: int,
    kind: str,
    user_id: int,
    tg_id: int | None,
    level: str | None,
    at: datetime,
    tg_id_now: int | None,
    seen: datetime,
) -> Row:
    tg_ids = tuple(sorted({one for one in (tg_id, tg_id_now) if one is not None}))
    return Row(number, _change(kind, user_id, tg_ids, level), at, seen)


def _change(kind: str, user_id: int, tg_ids: tuple[int, ...], level: str | None) -> Change:
    """A kind that this release does not know is taken for the one that forgets most."""
    match kind:
        case Kind.ROWS:
            return Change.of_rows(user_id, tg_ids)
        case Kind.PRIVACY:
            return Change.of_privacy(user_id, tg_ids, level)
        case Kind.PURGE:
            return Change.of_texts(user_id)
        case _:
            return Change.of_everything(user_id, tg_ids)
