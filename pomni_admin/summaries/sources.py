"""What a summary is made from, behind one interface: messages for a day, earlier summaries for longer periods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.db import connection

from cache_layer.privacy import STORABLE
from pomni_admin.summaries.models import Kind
from pomni_admin.summaries.periods import Period
from pomni_admin.summaries.prompt import MESSAGE_CHARS, SUMMARY_CHARS
from pomni_admin.summaries.providers import Message

MOST_MESSAGES = 500

NEWEST_MESSAGES = """
SELECT id, role, left(text, %(chars)s), created_at FROM bot_messages
WHERE user_id = %(user)s AND created_at >= %(start)s AND created_at < %(end)s
  AND EXISTS (SELECT 1 FROM users WHERE id = %(user)s AND privacy_level = ANY(%(storable)s))
ORDER BY created_at DESC, id DESC LIMIT %(most)s
"""

HOLD_NEWEST = "SELECT 1 FROM bot_messages WHERE id = %(newest)s FOR KEY SHARE"

ALL_LEFT = "(SELECT count(*) FROM bot_messages WHERE id = ANY(%(ids)s)) = cardinality(%(ids)s)"

OF_PERIOD = """
user_id = %(user)s AND kind = ANY(%(kinds)s) AND period_start >= %(start)s AND period_start < %(end)s
"""

EARLIER = f"""
SELECT id, kind, period_start, period_end, updated_at, left(text, %(chars)s) FROM dialog_summaries
WHERE {OF_PERIOD} AND EXISTS (SELECT 1 FROM users WHERE id = %(user)s AND privacy_level = ANY(%(storable)s))
ORDER BY id
"""  # noqa: S608 (all parts are ours)

HOLD_EARLIER = f"SELECT 1 FROM dialog_summaries WHERE {OF_PERIOD} ORDER BY id FOR KEY SHARE"  # noqa: S608 (as above)

SAME_EARLIER = f"""
(SELECT (array_agg(id::bigint ORDER BY id), array_agg(updated_at ORDER BY id)) FROM dialog_summaries WHERE {OF_PERIOD})
    = (%(ids)s::bigint[], %(versions)s::timestamptz[])
"""  # noqa: S608 (as above)

WROTE = """
SELECT person.id FROM users AS person
WHERE EXISTS (
    SELECT 1 FROM bot_messages AS message
    WHERE message.user_id = person.id AND message.created_at >= %(start)s AND message.created_at < %(end)s
)
"""

HAS_EARLIER = """
SELECT DISTINCT user_id FROM dialog_summaries
WHERE kind = ANY(%(kinds)s) AND period_start >= %(start)s AND period_start < %(end)s
"""


@dataclass(frozen=True, slots=True)
class Material:
    """What was read for one person, oldest first.

    Attributes:
        row_ids: of the rows that were looked at; not all of them need have become a message.
        versions: what tells a row from the same row rewritten, in the same order; empty for messages, which stay.
    """

    messages: tuple[Message, ...]
    row_ids: tuple[int, ...]
    versions: tuple[datetime, ...] = ()


class Source(Protocol):
    """Tells who has something in a period, reads one person's material, and has it looked at again.

    Attributes:
        hold: a statement that locks rows of the material against deletion, so that a purge of them either is seen by
            `unchanged`, or waits and then sees the summary too.
        unchanged: an expression, for a later statement of the same transaction: whether it would be read again as it
            was.
    """

    hold: str
    unchanged: str

    def people(self, period: Period) -> tuple[str, dict[str, Any]]:
        """A SELECT of the ids of whoever has something, in any order, each once, and its values."""

    def read(self, user_id: int, period: Period) -> Material | None:
        """None when there is nothing in the period, or nothing of theirs may be stored: then nothing is read at all."""

    def values(self, user_id: int, period: Period, material: Material) -> dict[str, Any]:
        """The values of `hold` and `unchanged`."""


class Messages:
    """The newest 500 messages of the period.

    Messages are only ever added and deleted. What is added to a day that is over is no reason to start again.
    """

    hold = HOLD_NEWEST
    unchanged = ALL_LEFT

    def people(self, period: Period) -> tuple[str, dict[str, Any]]:
        return WROTE, {"start": period.starts_at, "end": period.ends_at}

    def read(self, user_id: int, period: Period) -> Material | None:
        with connection.cursor() as cursor:
            cursor.execute(
                NEWEST_MESSAGES,
                {
                    "user": user_id,
                    "start": period.starts_at,
                    "end": period.ends_at,
                    "most": MOST_MESSAGES,
                    "chars": MESSAGE_CHARS,
                    "storable": list(STORABLE),
                },
            )
            rows = cursor.fetchall()[::-1]
        if not rows:
            return None
        return Material(tuple(Message(role, text, at) for _id, role, text, at in rows), tuple(row[0] for row in rows))

    def values(self, user_id: int, period: Period, material: Material) -> dict[str, Any]:
        return {"newest": material.row_ids[-1], "ids": list(material.row_ids)}


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    kind: str
    start: datetime
    end: datetime
    updated_at: datetime
    text: str


class Earlier:
    """Summaries of shorter periods. Each day of the period counts once.

    A week that reaches into the next month would bring that month's days along, and the month before would not wait
    for it: so weeks count that lie wholly in the period, and days that are in none of them. Rows of the bot's old kind
    `topic` are read where there is nothing else. A row that came, went or was rewritten since means that another text
    would be written.
    """

    hold = HOLD_EARLIER
    unchanged = SAME_EARLIER

    def __init__(self, *kinds: str) -> None:
        self._kinds = list(kinds)

    def people(self, period: Period) -> tuple[str, dict[str, Any]]:
        return HAS_EARLIER, {"kinds": self._kinds, "start": period.starts_at, "end": period.ends_at}

    def read(self, user_id: int, period: Period) -> Material | None:
        values = self._span(user_id, period) | {"chars": SUMMARY_CHARS, "storable": list(STORABLE)}
        with connection.cursor() as cursor:
            cursor.execute(EARLIER, values)
            rows = [_Row(*row) for row in cursor.fetchall()]
        chosen = _each_day_once(rows, period)
        if not chosen:
            return None
        return Material(
            tuple(Message(row.kind, row.text, row.start) for row in chosen),
            tuple(row.id for row in rows),
            tuple(row.updated_at for row in rows),
        )

    def values(self, user_id: int, period: Period, material: Material) -> dict[str, Any]:
        seen = {"ids": list(material.row_ids), "versions": list(material.versions)}
        return self._span(user_id, period) | seen

    def _span(self, user_id: int, period: Period) -> dict[str, Any]:
        return {"user": user_id, "kinds": self._kinds, "start": period.starts_at, "end": period.ends_at}


def _each_day_once(rows: Sequence[_Row], period: Period) -> list[_Row]:
    weeks = [row for row in rows if row.kind == Kind.WEEKLY and row.end <= period.ends_at]
    days = [
        row for row in rows if row.kind == Kind.DAILY and not any(week.start <= row.start < week.end for week in weeks)
    ]
    chosen = weeks + days or [row for row in rows if row.kind == OLD_MONTHLY]
    return sorted(chosen, key=lambda row: (row.start, row.id))


OLD_MONTHLY = "topic"
"""What the bot once called a month's summary."""

SOURCES: Mapping[str, Source] = {
    Kind.DAILY: Messages(),
    Kind.WEEKLY: Earlier(Kind.DAILY),
    Kind.MONTHLY: Earlier(Kind.WEEKLY, Kind.DAILY, OLD_MONTHLY),
}
