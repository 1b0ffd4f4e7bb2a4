"""Who waits for an answer: the traffic, whose people write on when they have read it, and tests."""

from __future__ import annotations

import asyncio


class Answers:
    """Answers come when a person has stopped writing, from wherever their turn was taken; not from a handler."""

    def __init__(self) -> None:
        self._coming: dict[int, asyncio.Future[None]] = {}

    def coming(self, tg_id: int) -> asyncio.Future[None]:
        """Done with the next answer to this person. Ask for it before the message is sent."""
        found = self._coming.get(tg_id)
        if found is None:
            found = self._coming[tg_id] = asyncio.get_running_loop().create_future()
        return found

    def given(self, tg_id: int) -> None:
        """They have been answered, or will not be."""
        coming = self._coming.pop(tg_id, None)
        if coming is not None and not coming.done():
            coming.set_result(None)
