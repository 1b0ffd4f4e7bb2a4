"""The hub by itself: one reading and one rendering for all who watch the same thing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from django.utils.safestring import SafeString

from pomni_admin.accounts.roles import Role
from pomni_admin.dashboard.live.frames import Delta, Snapshot
from pomni_admin.dashboard.live.hub import Hub
from pomni_admin.dashboard.live.outbox import Outbox
from pomni_admin.dashboard.live.stream import Stream
from pomni_admin.dashboard.page import Audience, Page
from pomni_admin.demo.servers import Valkey
from tests.harness.servers import Database


@dataclass(frozen=True)
class Number:
    value: int


class Counted(Page[Number]):
    """A page that counts how often it is read and rendered."""

    name = "counted"
    title = "Counted"
    permission = "accounts.view_site"
    fragments = ("same", "number")

    def __init__(self) -> None:
        self.value = 0
        self.read = 0
        self.rendered: Counter[Audience] = Counter()

    def topics(self, subject: str) -> Collection[str]:
        return ("counted",)

    def view(self, subject: str) -> Number:
        self.read += 1
        return Number(self.value)

    def paint(self, view: Number, audience: Audience) -> dict[str, SafeString]:
        self.rendered[audience] += 1
        return {"same": SafeString("<p>same</p>"), "number": SafeString(f"<p>{view.value} {audience.language}</p>")}


class Watching:
    """Viewers of one page on a hub, as the consumer serves them."""

    def __init__(self, hub: Hub, page: Page[Any], audiences: Collection[Audience]) -> None:
        self.outboxes = [Outbox(audience) for audience in audiences]
        self.streams = [hub.join(page, "", outbox) for outbox in self.outboxes]

    @property
    def stream(self) -> Stream:
        return self.streams[0]

    async def snapshots(self) -> None:
        for outbox in self.outboxes:
            async with asyncio.timeout(10):
                while (snapshot := self.stream.newest(outbox.audience)) is None:
                    await outbox.wait(1)
            outbox.took_snapshot(snapshot.seq)
            outbox.take_condition()

    async def deltas(self) -> list[Delta]:
        found = []
        for outbox in self.outboxes:
            async with asyncio.timeout(10):
                while (delta := outbox.take_delta()) is None:
                    await outbox.wait(1)
            found.append(delta)
        return found


def watched(
    valkey: Valkey, story: Callable[[Hub, Counted, Watching, redis.asyncio.Redis], Any], viewers: int = 20
) -> None:
    async def run() -> None:
        hub = Hub(lambda: valkey.url, "changed")
        page = Counted()
        try:
            watching = Watching(hub, page, [Audience(Role.VIEWER, "ru"), Audience(Role.ADMIN, "en")] * (viewers // 2))
            await watching.snapshots()
            async with asyncio.timeout(10):
                while not hub.is_up:
                    await watching.outboxes[0].wait(1)
            await asyncio.sleep(1.3)  # the painting that follows a subscription has happened, its period is over
            async with redis.asyncio.Redis.from_url(valkey.url) as client:
                await story(hub, page, watching, client)
        finally:
            await hub.stop()

    asyncio.run(run())


def test_a_fragment_is_rendered_once_for_all_viewers_of_a_role_and_language(valkey: Valkey, database: Database) -> None:
    async def story(hub: Hub, page: Counted, watching: Watching, client: redis.asyncio.Redis) -> None:
        page.read, page.value = 0, 7
        page.rendered.clear()
        await client.publish("changed", "counted")
        deltas = await watching.deltas()
        assert page.read == 1
        assert list(page.rendered.values()) == [1, 1]
        assert len(deltas) == 20
        assert all(set(delta.fragments) == {"counted-number"} for delta in deltas), "what is the same is not sent"

    watched(valkey, story)


def test_idle_viewers_cost_nothing(valkey: Valkey, database: Database) -> None:
    async def story(hub: Hub, page: Counted, watching: Watching, client: redis.asyncio.Redis) -> None:
        page.read = 0
        await client.publish("changed", "something else")
        await asyncio.sleep(1)
        assert page.read == 0

    watched(valkey, story)


def test_a_viewer_that_does_not_read_gets_the_newest_of_each_fragment_and_keeps_nobody_waiting(
    valkey: Valkey, database: Database
) -> None:
    async def story(hub: Hub, page: Counted, watching: Watching, client: redis.asyncio.Redis) -> None:
        reader, sleeper = watching.outboxes
        for value in (1, 2, 3):
            page.value = value
            await client.publish("changed", "counted")
            async with asyncio.timeout(10):
                while (delta := reader.take_delta()) is None:
                    await reader.wait(1)
            assert f"{value} ru" in delta.fragments["counted-number"]
        late = sleeper.take_delta()
        assert late is not None
        assert "3 en" in late.fragments["counted-number"]
        assert late.after < late.seq - 1, "states in between were skipped"
        assert sleeper.coalesced == 2

    watched(valkey, story, viewers=2)


def test_a_slow_line_is_not_filled_with_states_that_are_old_when_they_arrive(
    valkey: Valkey, database: Database
) -> None:
    """Two states are on their way at the most; what the viewer is sent after that is the newest."""

    async def story(hub: Hub, page: Counted, watching: Watching, client: redis.asyncio.Redis) -> None:
        outbox = watching.outboxes[0]
        outbox.tells = True
        sent: list[str] = []
        for value in range(1, 6):
            seq = watching.stream.seq
            page.value = value
            await client.publish("changed", "counted")
            async with asyncio.timeout(10):
                while watching.stream.seq == seq:
                    await outbox.wait(1)
            delta = outbox.take_delta()
            sent += [delta.fragments["counted-number"]] if delta else []
        assert sent == ["<p>1 ru</p>"], "the snapshot and one state more"
        outbox.saw()
        newest = outbox.take_delta()
        assert newest is not None
        assert newest.fragments["counted-number"] == "<p>5 ru</p>"

    watched(valkey, story, viewers=2)


def test_a_second_change_is_painted_at_once_and_a_third_waits_for_the_period(
    valkey: Valkey, database: Database
) -> None:
    """Without the credit of one painting the second waits too, and changes that come as often as they may be painted
    fall behind by a period; with more of it a page is painted as often as it changes."""

    async def story(hub: Hub, page: Counted, watching: Watching, client: redis.asyncio.Redis) -> None:
        page.period_s = 4  # type: ignore[misc]
        page.read = 0
        began = time.monotonic()
        for value in (1, 2):
            page.value = value
            await client.publish("changed", "counted")
            await watching.deltas()
        assert time.monotonic() - began < page.period_s / 2
        await client.publish("changed", "counted")
        await asyncio.sleep(0.5)
        assert page.read == 2

    watched(valkey, story, viewers=2)


def test_a_stream_ends_with_its_last_viewer(valkey: Valkey, database: Database) -> None:
    async def story(hub: Hub, page: Counted, watching: Watching, client: redis.asyncio.Redis) -> None:
        for outbox in watching.outboxes:
            hub.leave(watching.stream, outbox)
        assert not hub.streams
        page.read = 0
        await client.publish("changed", "counted")
        await asyncio.sleep(0.5)
        assert page.read == 0

    watched(valkey, story)


def test_a_page_that_cannot_be_read_says_so_and_recovers(valkey: Valkey, database: Database) -> None:
    class Broken(Counted):
        broken = False

        def view(self, subject: str) -> Number:
            if self.broken:
                raise RuntimeError
            return super().view(subject)

    async def run() -> None:
        hub = Hub(lambda: valkey.url, "changed")
        page = Broken()
        try:
            watching = Watching(hub, page, [Audience(Role.VIEWER, "ru")])
            await watching.snapshots()
            page.broken, page.value = True, 5
            watching.stream.may_have_changed(0)
            outbox = watching.outboxes[0]
            async with asyncio.timeout(10):
                while (condition := outbox.take_condition()) is None or condition.source:
                    await outbox.wait(1)
                page.broken = False
                while (condition := outbox.take_condition()) is None or not condition.source:
                    await outbox.wait(1)
            delta = outbox.take_delta()
            assert delta is not None
            assert "5 ru" in delta.fragments["counted-number"]
        finally:
            await hub.stop()

    asyncio.run(run())


def test_a_snapshot_is_the_whole_state(valkey: Valkey, database: Database) -> None:
    async def story(hub: Hub, page: Counted, watching: Watching, client: redis.asyncio.Redis) -> None:
        outbox = watching.outboxes[0]
        outbox.ask_for_snapshot()
        snapshot: Snapshot | None = None
        async with asyncio.timeout(10):
            while snapshot is None:
                snapshot = watching.stream.newest(outbox.audience)
                await outbox.wait(0.1)
        assert set(snapshot.fragments) == {"counted-same", "counted-number"}

    watched(valkey, story)
