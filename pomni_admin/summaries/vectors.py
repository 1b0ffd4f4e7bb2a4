"""The vectors of summaries: what they are, and what can go wrong; `summaries.qdrant` has them.

A point carries ids and dates, never a text.

::

    VectorsError            what all of them are; `code` is a short fixed word
    ├── VectorsUnavailable  Qdrant does not answer, or not now: worth another try
    └── VectorsRefused      it answers, and says no; or the collection is not one that we can write to
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from pomni_admin.summaries.qdrant import Qdrant


class VectorsError(Exception):
    """The root of the tree drawn above."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class VectorsUnavailable(VectorsError):
    """Qdrant could not be used at the moment."""


class VectorsRefused(VectorsError):
    """Qdrant would refuse the same request again."""


@dataclass(frozen=True, slots=True)
class Point:
    """One summary as Qdrant has it; the id is that of the row in `dialog_summaries`."""

    summary_id: int
    user_id: int
    kind: str
    period_start: datetime
    period_end: datetime
    length: int
    updated_at: datetime

    def payload(self) -> dict[str, object]:
        return {
            "user_id": self.user_id,
            "kind": self.kind,
            "period_start": self.period_start.isoformat(),
            "period_end": self.period_end.isoformat(),
            "len": self.length,
            "tags": [],
            "updated_at": self.updated_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Stored:
    """What a point says of itself; of a foreign one the id may be a text."""

    id: int | str
    user_id: int | None
    updated_at: str
    has_text: bool

    def is_of(self, updated_at: datetime) -> bool:
        """Whether it was made from the row as it was written then, and holds no text, as the bot's own points did."""
        try:
            return not self.has_text and datetime.fromisoformat(self.updated_at) == updated_at
        except (ValueError, TypeError):
            return False


@cache
def vectors() -> Qdrant:
    """This process's client, which is imported only by who asks for it."""
    made: Qdrant = import_string("pomni_admin.summaries.qdrant.Qdrant")()
    return made
