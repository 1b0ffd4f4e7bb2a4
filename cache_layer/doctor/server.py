"""What Redis says of itself, over a connection of the doctor's own.

The layer's runners turn every failure into `Unavailable`, as their callers want it; the doctor wants to know which it
was, and is more patient: "answers in 180 ms, and REDIS_TIMEOUT_MS is 100" is a finding, and a time-out is none.

What a server says in an error is never repeated: a proxy or an old server may repeat the password in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from cache_layer.settings import Settings

PATIENCE_S = 3.0
PINGS = 20
SILENT = f"does not answer within {PATIENCE_S:g} s"


class NotReached(Exception):
    """Redis could not be talked to; the text tells a person what to look at."""


@dataclass(frozen=True)
class Observed:
    """What was seen of a server.

    Attributes:
        info: the fields of INFO; empty where it is refused.
        eviction: maxmemory-policy; None where it cannot be told.
        clock_ahead_ms: how far Redis's clock is before this machine's; None where it is refused.
        cluster: what CLUSTER INFO says, where it is a node of one.
        refusal: why it takes no writes, in the words of redis-py's exceptions; empty when it does, or was not asked.
    """

    connect_ms: float
    pings_ms: tuple[float, ...]
    info: Mapping[str, Any]
    eviction: str | None
    clock_ahead_ms: float | None
    cluster: Mapping[str, str]
    refusal: str


async def observe(settings: Settings, probe_key: str) -> Observed:
    """Connect, ask, and write and remove one key.

    Raises:
        NotReached: it does not answer, or not as Redis.
    """
    async with _client(settings.redis_url) as client:
        started = time.perf_counter()
        await _reached(client.execute_command("PING"))
        connect_ms = _ms_since(started)
        pings = []
        for _ in range(PINGS):
            started = time.perf_counter()
            await _reached(client.execute_command("PING"))
            pings.append(_ms_since(started))
        info = await _told(client.info()) or {}
        is_cluster = info.get("cluster_enabled") == 1
        return Observed(
            connect_ms=connect_ms,
            pings_ms=tuple(pings),
            info=info,
            eviction=info.get("maxmemory_policy") or await _configured(client, "maxmemory-policy"),
            clock_ahead_ms=await _clock_ahead_ms(client),
            cluster=(await _told(client.execute_command("CLUSTER INFO")) or {}) if is_cluster else {},
            refusal="" if is_cluster else await _refusal(client, probe_key),  # the key may be another node's
        )


@contextlib.asynccontextmanager
async def _client(url: str) -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(
        url,
        single_connection_client=True,
        socket_timeout=PATIENCE_S,
        socket_connect_timeout=PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
        driver_info=None,
    )
    try:
        yield client
    finally:
        with contextlib.suppress(exceptions.RedisError, OSError):
            await client.aclose()


async def _reached(reply: Awaitable[Any]) -> Any:
    """
    Raises:
        NotReached: whatever redis-py makes of a server that is away, closed, or not Redis.
    """
    try:
        return await reply
    except Exception as error:  # noqa: BLE001  a server that is not Redis makes redis-py raise anything
        raise NotReached(_explained(error)) from None


async def _told(reply: Awaitable[Any]) -> Any:
    """None where the server refuses to tell; hosted ones often do."""
    try:
        return await _reached(reply)
    except NotReached:
        return None


async def _configured(client: redis.asyncio.Redis, name: str) -> str | None:
    reply = await _told(client.config_get(name))
    return reply.get(name) if reply else None


async def _clock_ahead_ms(client: redis.asyncio.Redis) -> float | None:
    """By the quickest of five answers, since the journey is what is not known."""
    samples: list[tuple[float, float]] = []
    for _ in range(5):
        sent = time.time()
        told = await _told(client.time())
        came = time.time()
        if told is None:
            return None
        seconds, microseconds = told
        samples.append((came - sent, float(seconds + microseconds / 1e6 - (sent + came) / 2)))
    return min(samples)[1] * 1000


async def _refusal(client: redis.asyncio.Redis, key: str) -> str:
    try:
        await client.set(key, "1", px=5000)
        await client.unlink(key)
    except Exception as error:  # noqa: BLE001  named, not repeated
        return type(error).__name__
    return ""


def _explained(error: BaseException) -> str:
    """What to look at; of the error itself only its kind."""
    chain = list(_causes(error))
    for kind, said in _KINDS.items():
        if any(isinstance(one, kind) for one in chain):
            return said
    if "max number of clients" in str(error):
        return "takes no further connection: its limit of clients is reached"
    if any(isinstance(one, exceptions.ConnectionError | ConnectionError) for one in chain):
        return "closes the connection: is it a Redis, and does it want rediss://?"
    return f"answers, but not as Redis does ({type(error).__name__})"


_KINDS: Mapping[type[BaseException], str] = {
    exceptions.AuthenticationError: "wants a user and password, and not those in REDIS_URL",
    exceptions.NoPermissionError: "does not let this user in: its ACL forbids PING",
    exceptions.BusyLoadingError: "is still loading its data: try again in a moment",
    socket.gaierror: "the host name in REDIS_URL is not known here",
    ssl.SSLCertVerificationError: "its certificate is not one that this machine trusts",
    ssl.SSLError: "its TLS is not what was expected: is it redis:// and not rediss://?",
    ConnectionRefusedError: "nothing listens at the address in REDIS_URL",
    FileNotFoundError: "there is no socket at the path in REDIS_URL",
    PermissionError: "this user may not open the socket in REDIS_URL",
    exceptions.TimeoutError: SILENT,
    TimeoutError: SILENT,
    asyncio.IncompleteReadError: "closes the connection: is it a Redis, and does it want rediss://?",
}


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
