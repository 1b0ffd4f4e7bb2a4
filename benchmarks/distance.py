"""PostgreSQL at a distance, on loopback: a TCP proxy that holds back what passes, half of the distance each way.

It also reads what passes, and knows every statement that a client has sent, whatever the client calls it. As a process
of its own (`python -m benchmarks.distance --to 127.0.0.1:5432 --ms 5` prints its port) it takes no time from whom it
delays.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import selectors
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from pomni_admin.demo.servers import PROJECT, leashed

HOST = "127.0.0.1"
WITHOUT_TYPE = {80877102, 80877103, 80877104}
"""Codes of what a client may send before it starts up: to cancel, to ask for TLS, to ask for GSSAPI."""


class Wire:
    """The frontend's side of PostgreSQL's protocol, as far as statements are concerned (its chapter 54.7)."""

    def __init__(self, statements: list[str]) -> None:
        self._statements = statements
        self._rest = b""
        self._started = False

    def feed(self, data: bytes) -> None:
        self._rest += data
        while (size := self._size()) is not None:
            message, self._rest = self._rest[:size], self._rest[size:]
            if not self._started:
                self._started = int.from_bytes(message[4:8]) not in WITHOUT_TYPE
            elif message[:1] == b"P":  # Parse: a name, the statement, types of parameters
                self._statements.append(message[5:].split(b"\0", 2)[1].decode())
            elif message[:1] == b"Q":
                self._statements.append(message[5:].split(b"\0", 1)[0].decode())

    def _size(self) -> int | None:
        """Of the next message, if all of it is there."""
        head = 1 if self._started else 0
        if len(self._rest) < head + 4:
            return None
        size = head + int.from_bytes(self._rest[head : head + 4])
        return size if len(self._rest) >= size else None


class Half(asyncio.Protocol):
    """One end of a connection: what it receives leaves by the other end, so much later."""

    def __init__(self, delay_s: float, wire: Wire | None = None) -> None:
        self._delay_s = delay_s
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._last = 0.0
        self._early = b""
        self.other: Half | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._wire is not None:
            self._wire.feed(data)
        if self.other is None:
            self._early += data  # the other end is not connected yet
        elif self._delay_s:
            # Never at the time of the one before, or nobody could say which goes first.
            self._last = max(self._loop.time() + self._delay_s, self._last + 1e-6)
            self._loop.call_at(self._last, self.other.send, data)
        else:
            self.other.send(data)

    def connection_lost(self, _: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self._loop.call_later(self._delay_s + 0.001, self.other.transport.close)

    def send(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def join(self, other: Half) -> None:
        self.other = other
        early, self._early = self._early, b""
        if early:
            self.data_received(early)


class Distance:
    """The proxy before a server at `host` and `port`.

    Attributes:
        statements: all that were sent since somebody last cleared it; only where `counts`.
    """

    def __init__(self, host: str, port: int, ms: float, *, counts: bool = False) -> None:
        self._upstream = host, port
        self._delay_s = ms / 2000
        self._counts = counts
        self._connecting: set[asyncio.Task[None]] = set()
        self.statements: list[str] = []
        self.port = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        server = await asyncio.get_running_loop().create_server(self._accept, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._connecting:
                task.cancel()

    def _accept(self) -> Half:
        client = Half(self._delay_s, Wire(self.statements) if self._counts else None)
        task = asyncio.get_running_loop().create_task(self._connect(client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return client

    async def _connect(self, client: Half) -> None:
        loop = asyncio.get_running_loop()
        _, server = await loop.create_connection(lambda: Half(self._delay_s), *self._upstream)
        server.join(client)
        client.join(server)


def at(url: str, port: int) -> str:
    """The same database by way of the proxy on this port."""
    parts = urlsplit(url)
    who, _, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{who}@{HOST}:{port}" if who else f"{HOST}:{port}"))


@contextlib.contextmanager
def far_away(url: str, ms: float) -> Iterator[str]:
    """The URL of the same database so far away, by a proxy in a process of its own; the URL itself where it is near."""
    if not ms:
        yield url
        return
    parts = urlsplit(url)
    to = f"{parts.hostname}:{parts.port}"
    process = subprocess.Popen(
        leashed([sys.executable, "-m", "benchmarks.distance", "--to", to, "--ms", str(ms)]),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield at(url, int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distance")
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    parser.add_argument("--ms", required=True, type=float, help="of the round trip")
    arguments = parser.parse_args()
    host, _, port = arguments.to.rpartition(":")

    async def serve() -> None:
        async with Distance(host, int(port), arguments.ms).serving() as proxy:
            sys.stdout.write(f"{proxy.port}\n")
            sys.stdout.flush()
            await asyncio.Event().wait()

    # epoll counts in whole milliseconds, and rounds up.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
