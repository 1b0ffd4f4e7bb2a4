"""One viewer's WebSocket: checks who it is, then sends states; reads only which were seen, and the wish for a snapshot.

Close codes: 4401 nobody is signed in (any more), 4403 not allowed (any more), 4404 no such page. After these a client
does not come back. 1012: the role has changed; it comes back and gets what the new one sees.
"""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import parse_qs

import msgspec
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from pomni_admin.accounts.sessions import Holder, Standing, standing
from pomni_admin.dashboard.live.frames import ASK_FOR_SNAPSHOT, SEEN, Beat, now_ms
from pomni_admin.dashboard.live.guard import guard
from pomni_admin.dashboard.live.hub import hub
from pomni_admin.dashboard.live.outbox import Outbox
from pomni_admin.dashboard.live.stream import Stream
from pomni_admin.dashboard.page import Audience
from pomni_admin.dashboard.registry import LIVE

SIGNED_OUT, FORBIDDEN, NO_SUCH_PAGE = 4401, 4403, 4404
BROKEN = 1011
OTHER_ROLE = 1012
BEAT_S = 15.0
"""A line on which nothing has been sent for this long carries a beat, by which the page knows that it is alive."""

log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder()


class LivePage(AsyncWebsocketConsumer):
    """Sends the states of one page to one viewer."""

    _stream: Stream | None = None
    _sender: asyncio.Task[None] | None = None
    _outbox: Outbox
    _permission: str
    holder: Holder

    async def connect(self) -> None:
        # A close code reaches the browser only over a connection that was accepted.
        await self.accept()
        user = self.scope["user"]
        if user is None or not user.is_authenticated:
            await self.close(SIGNED_OUT)
            return
        self.holder = (str(self.scope["session"].session_key), user.pk)
        found = await database_sync_to_async(standing)(*self.holder)
        if not found.is_signed_in:
            await self.close(SIGNED_OUT)
            return
        role = found.role
        page = LIVE.get(self.scope["url_route"]["kwargs"]["page"])
        subject = str(self.scope["url_route"]["kwargs"].get("subject", ""))
        if role is None or (page is not None and not Audience(role, "").may(page.permission)):
            await self.close(FORBIDDEN)
            return
        if page is None or not page.topics(subject):
            await self.close(NO_SUCH_PAGE)
            return
        self._permission = page.permission
        self._outbox = Outbox(Audience(role, self._language()), tells=self._asked("seen") == "1")
        self._stream = hub().join(page, subject, self._outbox)
        self._sender = asyncio.create_task(self._send(self._stream, self._outbox))
        guard().add(self)

    async def judged(self, found: Standing) -> None:
        """Whether who opened this socket may still watch; if not, nothing more is sent."""
        if not found.is_signed_in:
            code = SIGNED_OUT
        elif found.role is None or not Audience(found.role, "").may(self._permission):
            code = FORBIDDEN
        elif found.role is not self._outbox.audience.role:
            code = OTHER_ROLE
        else:
            return
        guard().remove(self)
        if self._sender is not None:
            self._sender.cancel()
        await self.close(code)

    async def disconnect(self, code: int) -> None:
        guard().remove(self)
        if self._stream is not None:
            hub().leave(self._stream, self._outbox)
        if self._sender is not None:
            self._sender.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._stream is None:
            return
        if text_data == SEEN:
            self._outbox.saw()
        elif text_data == ASK_FOR_SNAPSHOT:
            self._outbox.ask_for_snapshot()

    async def _send(self, stream: Stream, outbox: Outbox) -> None:
        """Send until the stream ends. A fault closes the connection, so that the page says so and comes back."""
        try:
            await self._send_states(stream, outbox)
            await self.close(NO_SUCH_PAGE)
        except Exception as error:
            log.exception("a live connection broke", extra={"error": type(error).__name__})
            hub().dropped += 1
            await self.close(BROKEN)

    async def _send_states(self, stream: Stream, outbox: Outbox) -> None:
        while not outbox.ended:
            frame = _next(stream, outbox)
            if frame is None:
                if await outbox.wait(BEAT_S):
                    continue
                frame = Beat(outbox.seq, now_ms())
            await self.send(text_data=_encoder.encode(frame).decode())

    def _language(self) -> str:
        asked = self._asked("language")
        return asked if asked in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE

    def _asked(self, name: str) -> str:
        return parse_qs(self.scope["query_string"].decode("ascii", "replace")).get(name, [""])[0]


def _next(stream: Stream, outbox: Outbox) -> msgspec.Struct | None:
    condition = outbox.take_condition()
    if condition is not None:
        return condition
    if not outbox.wants_snapshot:
        return outbox.take_delta()
    snapshot = stream.newest(outbox.audience)
    if snapshot is not None:
        outbox.took_snapshot(snapshot.seq)
    return snapshot
