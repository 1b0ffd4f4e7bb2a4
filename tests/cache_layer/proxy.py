"""A TCP proxy before Valkey that makes trouble on request. It runs in a thread of its own, for both kinds of caller."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Literal, Self, TypeAlias

Trouble: TypeAlias = Literal["none", "slow", "cut", "extra", "garbage", "swallow", "reset"]


class Held:
    """Something kept back: `arrived` is set when it is there, `free` lets it go."""

    def __init__(self, marker: bytes = b"") -> None:
        self._marker = marker
        self.arrived = threading.Event()
        self._free = threading.Event()

    def free(self) -> None:
        self._free.set()

    async def come_by(self, data: bytes) -> None:
        if self._marker and self._marker in data:
            self._marker = b""
            self.arrived.set()
            await asyncio.to_thread(self._free.wait, 10)


class Proxy:
    """Forwards to `port`.

    Attributes:
        trouble: what to do with the next requests. `slow` delays each reply by `delay_s`; `cut` closes in mid-reply;
            `extra` sends one reply too many; `garbage` answers each request with `garbage`; `swallow` answers nothing;
            `reset` drops each connection.
        requests: pieces of requests that came through, which tells whether anybody touched the socket.
    """

    def __init__(self, port: int) -> None:
        self._upstream = port
        self.port = 0
        self.trouble: Trouble = "none"
        self.delay_s = 0.0
        self.garbage = b""
        self.requests = 0
        self.reply = Held()
        self.request = Held()
        self._started = threading.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(5)

    def hold_reply(self, marker: str) -> None:
        """Keep back the next reply with this text in it, which Valkey has given already."""
        self.reply = Held(marker.encode())

    def hold_request(self, marker: str) -> None:
        """Keep back the next request with this text in it, so that Valkey does not see it yet."""
        self.request = Held(marker.encode())

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ending.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._connection(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_writer: asyncio.StreamWriter | None = None
        try:
            if self.trouble == "reset":
                return
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._requests(reader, writer, upstream_writer))
                group.create_task(self._replies(upstream_reader, writer))
        except* (OSError, EOFError):
            pass
        finally:
            for end in (writer, upstream_writer):
                if end is not None:
                    end.transport.abort()

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            self.requests += 1
            await self.request.come_by(data)
            match self.trouble:
                case "reset":
                    raise EOFError
                case "swallow":
                    continue
                case "garbage":
                    writer.write(self.garbage)
                case _:
                    upstream.write(data)
        raise EOFError

    async def _replies(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await upstream.read(65536):
            await self.reply.come_by(data)
            if self.trouble == "slow":
                await asyncio.sleep(self.delay_s)
            if self.trouble == "cut":
                writer.write(data[: len(data) // 2])
                with contextlib.suppress(OSError):
                    await writer.drain()
                raise EOFError
            writer.write(data + b":1\r\n" if self.trouble == "extra" else data)
        raise EOFError
