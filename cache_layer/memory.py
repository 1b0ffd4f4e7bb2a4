"""What one process remembers of people whose text may not be stored: their last messages, in its memory only (G5)."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class OwnMemory(Generic[T]):
    """The last items of each person, for as many people as fit; whoever was silent longest goes first."""

    def __init__(self, *, each: int, people: int) -> None:
        self._each = each
        self._people = people
        self._items: OrderedDict[int, deque[T]] = OrderedDict()

    def add(self, user_id: int, item: T) -> None:
        self._items.setdefault(user_id, deque(maxlen=self._each)).append(item)
        self._items.move_to_end(user_id)
        while len(self._items) > self._people:
            self._items.popitem(last=False)

    def of(self, user_id: int) -> tuple[T, ...]:
        """Oldest first."""
        return tuple(self._items.get(user_id, ()))

    def forget(self, user_id: int) -> None:
        self._items.pop(user_id, None)
