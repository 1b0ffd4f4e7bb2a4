"""A turn in the hands of whoever answers it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Literal, Self, TypeAlias

from cache_layer.catalogue.talkbuf import Incoming
from cache_layer.debounce import Conversation, Resting
from cache_layer.errors import TurnLost, Unavailable
from cache_layer.layer.see_through import see_through
from cache_layer.layer.talk_exchange import Exchange, Sharing
from cache_layer.shapes.buffer_reply import Claimed

log = logging.getLogger("cache_layer")

BEAT_S = 0.5
"""Four heartbeats to a lease."""
BEGUN_WITHIN_S = 10.0
"""A turn that nobody enters in this time was forgotten, and goes to somebody else."""
FIRST_REST_S = 0.5
LONGEST_REST_S = 8.0
"""How soon a turn is handed out again whose handler raised; the pause doubles up to the second of them."""

State: TypeAlias = Literal["waits", "in work", "ending", "over"]
Ended: TypeAlias = "Callable[[Turn, float | None], None]"
"""Told when a turn is over here, and in how many seconds what waits behind it is due, if Redis has said so."""


class Turn(AbstractAsyncContextManager["Turn"]):
    """Messages of one person to be answered together. `async with` it, once; its end says that they are answered.

    When the body raises or is cancelled, the turn is handed out again, under the same `id` and a higher `fence`. When
    another instance takes it over - this process was stopped or cut off for longer than the lease of two seconds - the
    body is cancelled, and the `async with` raises `TurnLost`; as with `asyncio.timeout`, a cancellation from outside
    goes on. A body that does not await for long asks `check` before it writes.

    Attributes:
        id: the same however often it is handed out; store it with the answer, and refuse one that is there.
        user_id: `users.id`.
        fence: counts the times that it was handed out.
        messages: in Telegram's order, each once.
    """

    def __init__(
        self,
        talk: Conversation,
        claimed: Claimed[Incoming],
        sharing: Sharing,
        exchange: Exchange,
        ended: Ended,
    ) -> None:
        self.id = claimed.id
        self.user_id = talk.user_id
        self.fence = claimed.fence
        self.messages = claimed.messages
        self._talk = talk
        self._claimed = claimed
        self._sharing = sharing
        self._exchange = exchange
        self._ended = ended
        self._state: State = "waits"
        self._lost = False
        self._closing = False
        self._body: asyncio.Task[object] | None = None
        self._loop = asyncio.get_running_loop()
        self._handed_at = self._loop.time()
        self._beating: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(BEAT_S, self._start_beating)

    def __repr__(self) -> str:
        return "Turn(…)"

    @property
    def text(self) -> str:
        """All messages, joined by newlines."""
        return "\n".join(message.text for message in self.messages)

    @property
    def last(self) -> Incoming:
        return self.messages[-1]

    @property
    def chat_id(self) -> int:
        return self.last.chat_id

    @property
    def message_ids(self) -> tuple[int, ...]:
        return tuple(message.message_id for message in self.messages)

    @property
    def mode(self) -> str:
        """The last message's."""
        return self.last.mode

    @property
    def redelivered(self) -> bool:
        """Whether it may have been handed out before, so that part of the work may be done."""
        return self.fence > 1

    @property
    def is_only_here(self) -> bool:
        """Whether it would be lost with this process."""
        return self._sharing in {Sharing.MEMORY, Sharing.PRIVATE}

    def check(self) -> None:
        """Raises:
        TurnLost: it is no longer ours.
        """
        if self._lost:
            raise TurnLost

    async def __aenter__(self) -> Self:
        """Raises:
        TurnLost: it was taken over, or not entered for ten seconds.
        """
        self.check()
        if self._state != "waits":
            raise RuntimeError("a turn is entered once")
        self._state = "in work"
        self._body = asyncio.current_task()
        assert self._body is not None
        self._cancelling = self._body.cancelling()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._body is not None
        cancelled = isinstance(error, asyncio.CancelledError)
        told = self._lost and self._body.uncancel() <= self._cancelling and cancelled
        await see_through(self._end(error))
        if self._lost and (told or error is None):
            raise TurnLost from error

    async def close(self) -> None:
        """Give it back, so that another instance gets it at once; a body that is at work is told, and gives it back."""
        self._closing = True
        if self._state == "waits":
            self._lost = True
            await self._end(None)
        elif self._state == "in work":
            self._tell()

    async def _end(self, error: BaseException | None) -> None:
        self._state = "ending"
        self._timer.cancel()
        if self._beating is not None:
            await self._beating  # or it might put into Redis what is done
        if self._closing:
            await self._give_back(0.0)
        elif self._lost:
            self._over()
        elif error is None:
            await self._done()
        else:
            pause_s = min(FIRST_REST_S * 2.0 ** (self.fence - 1), LONGEST_REST_S)
            await self._give_back(pause_s if isinstance(error, Exception) else 0.0)

    async def _done(self) -> None:
        acked = await self._exchange.ack(self._talk, self._claimed) if self._sharing is Sharing.REDIS else None
        if acked is not None and acked.state != "done":
            self._lose()
        self._over(None if acked is None else acked.due_s)

    async def _give_back(self, after_s: float) -> None:
        try:
            if self._sharing is Sharing.REDIS:
                await self._exchange.release(self._talk, self._claimed, after_s)
                self._over()
                return
            if self._sharing is Sharing.MEMORY and self._closing and self._exchange.is_on:
                adopted = await self._exchange.adopt(self._talk, self._claimed, lease_ms=0)
                if adopted in {Sharing.REDIS, Sharing.LOST}:
                    self._over()
                    return
        except Unavailable:
            log.info("talk turn given back to this process: Redis is away")
        if self._sharing is not Sharing.LOST:
            self._talk.resting = Resting(self._claimed, self._loop.time() + after_s, self._sharing is Sharing.PRIVATE)
        self._over()

    def _over(self, due_s: float | None = None) -> None:
        self._state = "over"
        self._ended(self, due_s)

    def _start_beating(self) -> None:
        self._beating = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        forgotten = self._state == "waits" and self._loop.time() - self._handed_at > BEGUN_WITHIN_S
        try:
            if not forgotten:
                self._sharing = await self._exchange.keep(self._talk, self._claimed, self._sharing)
        except Unavailable:
            pass  # it stays ours as far as anybody knows; when another has it, its id tells the sink
        self._beating = None
        if self._sharing is Sharing.LOST:
            self._lose()
        elif forgotten and self._state == "waits":
            log.warning("talk turn given back: nobody entered it for %d s", BEGUN_WITHIN_S)
            self._lost = True
            self._state = "ending"
            await self._give_back(0.0)
        elif self._state in {"waits", "in work"}:
            self._timer = self._loop.call_later(BEAT_S, self._start_beating)

    def _lose(self) -> None:
        log.warning("talk turn lost to another instance: fence=%d", self.fence)
        if self._state == "waits":
            self._lost = True
            self._over()
        elif self._state == "in work":
            self._tell()
        else:
            self._lost = True

    def _tell(self) -> None:
        self._lost = True
        if self._body is not None and self._body is not asyncio.current_task():
            self._body.cancel()
