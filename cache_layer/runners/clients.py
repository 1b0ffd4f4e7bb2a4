"""Servers as threads ask them: redis-py's client, whose pool waits for a free connection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis
from redis.connection import parse_url

from cache_layer.runners.lending import SyncConnections
from cache_layer.runners.routes import Address, Cluster, Routes, Single
from cache_layer.settings import Settings
from cache_layer.steps import Argument

SCRIPTS = frozenset({"EVALSHA", "EVAL"})
"""Their replies need no understanding."""
WAIT_S = 0.1


class Client:
    """One server."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        pool = client.connection_pool
        self._lending = SyncConnections(pool, pool.max_connections, getattr(pool, "timeout", WAIT_S))

    def execute(self, *words: Argument) -> Any:
        """Send one command and return its reply, understood."""
        if words[0] in SCRIPTS:
            return self._lending.execute(*words)
        return self._client.execute_command(*words)

    def execute_many(self, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """Send all of them at once and return their replies, understood; errors stand in their places among them."""
        with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return pipeline.execute(raise_on_error=False)

    def close(self) -> None:
        """Close what is free now; what is in use is closed when it is given back, or forgotten."""
        self._lending.close()
        self._client.connection_pool.disconnect(inuse_connections=False)


def url_at(url: str, address: Address | None) -> str:
    """`url` with everything that is in it, at another address."""
    if address is None:
        return url
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    host = f"[{address.host}]" if ":" in address.host else address.host
    return urlunsplit(parts._replace(netloc=f"{user}{at}{host}:{address.port}"))


def routes_through(client: redis.Redis | None, settings: Settings) -> Routes[Client] | None:
    """The servers of `REDIS_URL`, to none of which anybody has connected yet; None where there is no Redis.

    Args:
        client: for the only server there is; not used for a cluster, whose nodes are found here.
    """
    if not (settings.cluster and settings.redis_url):
        return None if client is None else Single(Client(client))
    timeout_s = settings.timeout / timedelta(seconds=1)
    options: dict[str, Any] = {
        "max_connections": settings.max_connections,
        "timeout": timeout_s,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "driver_info": None,  # two commands fewer at each connect
        **parse_url(settings.redis_url),
    }

    def connect(address: Address) -> Client:
        pool = redis.BlockingConnectionPool(**(options | address._asdict()))
        return Client(redis.Redis.from_pool(pool))

    return Cluster(Address(options.get("host", "localhost"), options.get("port", 6379)), connect)
