"""Those who watch a page: sockets that read at once, slowly or never, and one real browser, timed at its pixels."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Page, async_playwright
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.live_stage import LiveStage
from tests.harness.browser import FLAGS, chromium

SHOWN = re.compile(r'<progress\s[^>]*?value="(\d+)"')
SLOW_S = 2.0
"""A slow reader takes one frame in so long."""

RECORDS_PIXELS = """
window.seen = [];
document.addEventListener("pomni:state", () => requestAnimationFrame(() => {
  const shown = document.querySelector("#job-head progress");
  if (shown) window.seen.push([Date.now(), Number(shown.value)]);
}));
"""


@dataclass
class Viewer:
    """One socket. `seen` is when it saw a state, in seconds since 1970, and how many people that counts."""

    cookie: str
    reads: str = "at once"
    seen: list[tuple[float, int]] = field(default_factory=list)
    connects: int = 0
    has_a_state: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def newest(self) -> int:
        return self.seen[-1][1] if self.seen else -1

    async def watch(self, made: LiveStage) -> None:
        """Until cancelled; a lost line is taken up again after a pause as the page's own script makes it."""
        attempt = 0
        while True:
            with contextlib.suppress(OSError, TimeoutError, ConnectionClosed):
                self.connects += 1
                async with self._connected(made) as socket:
                    attempt = 0
                    await self._read(socket)
            await asyncio.sleep(min(8.0, 0.4 * 2**attempt) * random.uniform(0.5, 1.0))
            attempt += 1

    def _connected(self, made: LiveStage) -> connect:
        address = f"{made.site.url.replace('http', 'ws')}/live/job/{made.changer.job_id}?language=en&seen=1"
        cookie = {"Cookie": f"pomni_session={self.cookie}"}
        origin: Any = made.site.url
        return connect(address, additional_headers=cookie, origin=origin, open_timeout=30, ping_interval=None)

    async def _read(self, socket: ClientConnection) -> None:
        if self.reads == "never":
            self.has_a_state.set()
            await asyncio.Event().wait()
        while True:
            frame = json.loads(await socket.recv())
            shown = SHOWN.search(frame.get("fragments", {}).get("job-head", ""))
            if shown:
                self.has_a_state.set()
                self.seen.append((time.time(), int(shown[1])))
            if self.reads == "slowly":
                await asyncio.sleep(SLOW_S)
            if frame["type"] in {"snapshot", "delta"}:
                await socket.send("seen")


@contextlib.asynccontextmanager
async def watching(made: LiveStage, viewers: Sequence[Viewer]) -> AsyncIterator[None]:
    """All of them, from when each that reads has a state."""
    tasks = [asyncio.create_task(viewer.watch(made)) for viewer in viewers]
    try:
        async with asyncio.timeout(60):
            for viewer in viewers:
                await viewer.has_a_state.wait()
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Screen:
    """A page in Chromium."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.connects = 0
        page.on("websocket", self._connected)

    def _connected(self, _socket: Any) -> None:
        self.connects += 1

    async def seen(self) -> list[tuple[float, int]]:
        """When which count could be seen, since it was last asked."""
        found = await self.page.evaluate("window.seen.splice(0)")
        return [(at_ms / 1000, count) for at_ms, count in found]

    async def count(self) -> int:
        return int(await self.page.evaluate("document.querySelector('#job-head progress')?.value ?? -1"))

    async def state(self) -> str:
        return str(await self.page.evaluate("document.getElementById('live').dataset.state"))


@contextlib.asynccontextmanager
async def screens(made: LiveStage, cookies: Sequence[str]) -> AsyncIterator[list[Screen]]:
    """The job's page, live, once for each of the cookies."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            opened = []
            for cookie in cookies:
                context = await browser.new_context(locale="en-GB")
                await context.add_cookies([{"name": "pomni_session", "value": cookie, "url": made.site.url}])
                await context.add_init_script(RECORDS_PIXELS)
                screen = Screen(await context.new_page())
                await screen.page.goto(made.site.url + made.path)
                await screen.page.wait_for_selector("#live[data-state=live]")
                opened.append(screen)
            yield opened
        finally:
            await browser.close()


def delays_ms(began: dict[int, float], seen: Sequence[tuple[float, int]]) -> list[float]:
    """How long after its beginning each change was first seen; a state that holds several shows them all."""
    found, known = [], min(began, default=1) - 1
    for at, count in seen:
        found += [(at - began[number]) * 1000 for number in range(known + 1, count + 1) if number in began]
        known = max(known, count)
    return found
