"""How much the site takes: bodies, headers, frames, time. One definition, for Django, uvicorn and the tests.

There are no uploads, and the largest form is a search box; whatever is larger is no form of ours.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, TypeAlias

BODY_BYTES: Final = 64 * 1024
FIELDS: Final = 100
ADDRESS_BYTES: Final = 4096

UVICORN: Final[Mapping[str, int]] = {
    "h11_max_incomplete_event_size": 16 * 1024,  # request line and headers
    "ws_max_size": 1024,  # of what a viewer sends, which is one word
    "timeout_keep_alive": 15,
    "limit_concurrency": 1000,
}
"""Options of uvicorn beside its defaults; on its command line with hyphens. It has no limit on the time that headers
or a body may take: that is for the proxy before it."""

CHARSETS: Final = frozenset({b"utf-8", b"utf8", b"us-ascii", b"iso-8859-1", b"windows-1251"})
CHARSET: Final = re.compile(rb";\s*charset\s*=\s*\"?([^;\"\s]*)\"?", re.IGNORECASE)

TOO_LARGE: Final = "pomni.too_large"
"""In the scope of a request whose body is not read."""

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]


def uvicorn_arguments() -> list[str]:
    """The same options for a command line."""
    return [word for name, value in UVICORN.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def bounded(application: Application) -> Application:
    """Around Django's handler, which reads a body to its end, onto the disk, before any middleware is asked.

    What says that it is too large is not read at all, what turns out to be so only to the limit; a middleware answers.
    """

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        scope = {**scope, "headers": [_in_a_known_charset(header) for header in scope.get("headers", ())]}
        if _declared(scope) > BODY_BYTES:
            scope[TOO_LARGE] = True
            await application(scope, _nothing(), send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            if scope.get(TOO_LARGE):
                await asyncio.Event().wait()  # Django asks whether the client has gone; the rest stays unread
            message = await receive()
            received += len(message.get("body", b""))
            if received > BODY_BYTES:
                scope[TOO_LARGE] = True
                return {"type": "http.request", "body": b"", "more_body": False}
            return message

        await application(scope, counted, send)

    return limited


def _in_a_known_charset(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """A Content-Type that names no charset but those below.

    Django decodes the query by it before any middleware is asked, and what Python knows is not always a charset:
    `base64` or `idna` end the request with a fault that nothing of ours can answer.
    """
    name, value = header
    if name != b"content-type":
        return header
    return name, CHARSET.sub(lambda found: found[0] if found[1].lower() in CHARSETS else b"; charset=unknown", value)


def _declared(scope: Scope) -> int:
    """What the header says; one that is no number is left to the server, which refuses it."""
    for name, value in scope.get("headers", ()):
        if name == b"content-length" and value.isdigit():
            return int(value[:18])
    return 0


def _nothing() -> Receive:
    """An empty body. Then nothing more comes, not even that the client has gone."""
    told = False

    async def receive() -> Message:
        nonlocal told
        if told:
            await asyncio.Event().wait()
        told = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive
