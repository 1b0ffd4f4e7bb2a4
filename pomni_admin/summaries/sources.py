"""What a summary is made from, behind one interface: messages for a day, later summaries for longer periods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from django.db import connection

from pomni_admin.summaries.models import Kind
from pomni_admin.summaries.periods import Period
from pomni_admin.summaries.prompt import MESSAGE_CHARS
from pomni_admin.summaries.providers import Message

MOST_MESSAGES = 500

NEWEST_MESSAGES = """
SELECT id, role, left(text, %(chars)s), created_at FROM bot_messages
WHERE user_id = %(user)s AND created_at >= %(start)s AND created_at < %(end)s
ORDER BY created_at DESC, id DESC LIMIT %(most)s
"""

HOLD_NEWEST = "SELECT 1 FROM bot_messages WHERE id = %(newest)s FOR KEY SHARE"

COUNT_LEFT = "SELECT count(*) FROM bot_messages WHERE id = ANY(%(ids)s)"


@dataclass(frozen=True, slots=True)
class Material:
    """What was read for one person, oldest first, and the ids of the rows it came from, in the same order."""

    messages: tuple[Message, ...]
    row_ids: tuple[int, ...]


class Source(Protocol):
    """Reads one person's material, and tells later whether it is all still there."""

    def read(self, user_id: int, period: Period) -> Material | None:
        """None when there is nothing in the period."""

    def still_there(self, material: Material) -> bool:
        """Whether every row that was read exists still; inside the transaction that writes the summary.

        The newest row is locked against deletion until that transaction ends, so that a purge of the rows either is
        seen here, or waits and then sees the summary too.
        """


class Messages:
    """The newest 500 messages of the period."""

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
                },
            )
            rows = cursor.fetchall()[::-1]
        if not rows:
            return None
        return Material(tuple(Message(role, text, at) for _id, role, text, at in rows), tuple(row[0] for row in rows))

    def still_there(self, material: Material) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(HOLD_NEWEST, {"newest": material.row_ids[-1]})
            if cursor.fetchone() is None:
                return False
            cursor.execute(COUNT_LEFT, {"ids": list(material.row_ids)})
            (left,) = cursor.fetchone()
        return bool(left == len(material.row_ids))


SOURCES: Mapping[str, Source] = {Kind.DAILY: Messages()}
