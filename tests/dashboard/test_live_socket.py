"""The socket of a live page: real clients, the site under uvicorn, a real Valkey (G10)."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from datetime import date

import pytest
import redis.asyncio
from django.db import connections
from websockets.exceptions import InvalidStatus

from pomni_admin.demo.servers import Valkey
from pomni_admin.summaries.models import Job
from tests.dashboard.visitors import cookie_of, next_frame, watch
from tests.harness.processes import Site
from tests.harness.servers import Database


@pytest.fixture
def viewer(database: Database) -> str:
    return cookie_of("viewer")


@pytest.fixture
def admin(database: Database) -> str:
    return cookie_of("admin")


@pytest.fixture
def job(database: Database) -> Job:
    return Job.objects.create(
        kind="daily", period_start=date(2026, 11, 1), period_end=date(2026, 11, 2), started_by="rev-0", state="running"
    )


async def rename(job: Job, name: str) -> None:
    """Change something that the Jobs page shows."""

    def write() -> None:
        Job.objects.filter(pk=job.pk).update(started_by=name)
        connections.close_all()

    await asyncio.to_thread(write)


async def announce(server: Valkey, *topics: str) -> None:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        for topic in topics:
            await client.publish("changed", topic)


async def test_a_snapshot_comes_first_and_then_what_differs(site: Site, valkey: Valkey, viewer: str, job: Job) -> None:
    async with watch(site, "jobs", viewer) as socket:
        snapshot = await next_frame(socket, "snapshot")
        assert "rev-0" in snapshot["fragments"]["jobs-table"]
        await rename(job, "rev-1")
        before = time.time_ns() // 1_000_000
        await announce(valkey, "jobs")
        delta = await next_frame(socket, "delta")
        assert delta["after"] == snapshot["seq"]
        assert delta["seq"] > snapshot["seq"]
        assert "rev-1" in delta["fragments"]["jobs-table"]
        assert before - 1000 <= delta["changed"] <= delta["at"]


async def test_a_client_that_lost_count_is_given_everything(site: Site, valkey: Valkey, viewer: str, job: Job) -> None:
    async with watch(site, "jobs", viewer) as socket:
        first = await next_frame(socket, "snapshot")
        await socket.send("snapshot")
        again = await next_frame(socket, "snapshot")
        assert again["seq"] >= first["seq"]
        assert "rev-0" in again["fragments"]["jobs-table"]
        await socket.send("x" * 1000)
        await socket.send("snapshot")
        await next_frame(socket, "snapshot")


async def test_many_changes_become_few_states_and_the_last_one_arrives(
    site: Site, valkey: Valkey, viewer: str, job: Job
) -> None:
    """At most five a second. Without the gathering there would be as many states as changes."""
    async with watch(site, "jobs", viewer) as socket:
        await next_frame(socket, "snapshot")
        states = 0
        started = time.monotonic()
        changes = 0
        last = ""

        async def listen() -> None:
            nonlocal states, last
            while "rev-last" not in last:
                last = (await next_frame(socket, "delta"))["fragments"]["jobs-table"]
                states += 1

        listening = asyncio.create_task(listen())
        while time.monotonic() - started < 2:
            changes += 1
            await rename(job, f"rev-{changes}")
            await announce(valkey, "jobs")
        await rename(job, "rev-last")
        await announce(valkey, "jobs")
        await asyncio.wait_for(listening, 20)
        took = time.monotonic() - started
    assert states <= took * 5 + 2
    assert changes > states


async def test_a_job_page_hears_of_its_own_job_only(site: Site, valkey: Valkey, viewer: str, job: Job) -> None:
    async with watch(site, f"job/{job.pk}", viewer) as socket:
        snapshot = await next_frame(socket, "snapshot")
        parts = {"head", "acts", "counters", "workers", "failures", "locks", "times", "record", "tally"}
        parts |= {f"grid-{n}" for n in range(8)}
        assert set(snapshot["fragments"]) == {f"job-{part}" for part in parts}
        await rename(job, "rev-1")
        async with redis.asyncio.Redis.from_url(valkey.url) as client:
            await client.delete(f"summaries_job:{{{job.pk}}}")
        await announce(valkey, f"job:{uuid.uuid4()}", "jobs", "caches", f"job:{job.pk}")
        delta = await next_frame(socket, "delta")
        assert set(delta["fragments"]) == {"job-times"}, "only what differs is sent"


async def test_languages_and_roles_get_their_own_rendering(
    site: Site, valkey: Valkey, viewer: str, admin: str, job: Job
) -> None:
    async with (
        watch(site, f"job/{job.pk}", viewer) as english,
        watch(site, f"job/{job.pk}", admin, language="ru") as russian,
        watch(site, f"job/{job.pk}", viewer, language="tlh") as unknown,
    ):
        seen = (await next_frame(english, "snapshot"))["fragments"]
        said = (await next_frame(russian, "snapshot"))["fragments"]
        other = (await next_frame(unknown, "snapshot"))["fragments"]
    assert "running" in seen["job-head"]
    assert "<button" not in seen["job-acts"]
    assert "выполняется" in said["job-head"]
    assert "<button" in said["job-acts"]
    assert "выполняется" in other["job-head"]


@pytest.mark.parametrize(
    ("page", "role", "code"),
    [
        ("jobs", "", 4401),
        ("jobs", "no role", 4403),
        ("users", "admin", 4404),
        ("nowhere", "admin", 4404),
        ("job", "admin", 4404),
        (f"job/{uuid.UUID(int=5)}", "admin", 4404),
    ],
)
def test_who_may_not_watch_is_told_by_the_close_code(
    site: Site, database: Database, page: str, role: str, code: int
) -> None:
    cookie = cookie_of(role) if role else ""

    async def refused() -> int | None:
        async with watch(site, page, cookie) as socket:
            async with asyncio.timeout(20):
                await socket.wait_closed()
            return socket.close_code

    assert asyncio.run(refused()) == code


async def test_another_site_cannot_open_the_socket(site: Site, viewer: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with watch(site, "jobs", viewer, origin="https://elsewhere.example"):
            pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("fault", ["killed", "hung"])
def test_a_page_says_that_redis_is_away_and_goes_on_when_it_is_back(
    own_site: Callable[..., Site], own_valkey: Valkey, viewer: str, job: Job, fault: str
) -> None:
    site = own_site(env={"REDIS_URL": own_valkey.url})

    async def story() -> None:
        async with watch(site, "jobs", viewer) as socket:
            await next_frame(socket, "snapshot")
            await next_frame_or_now(site, viewer)
            own_valkey.kill() if fault == "killed" else own_valkey.pause()
            await next_frame(socket, "condition", redis=False)
            await rename(job, "rev-away")
            delta = await next_frame(socket, "delta")
            assert "rev-away" in delta["fragments"]["jobs-table"], "PostgreSQL is read while Redis is away"
            await asyncio.to_thread(own_valkey.start if fault == "killed" else own_valkey.resume)
            back = time.monotonic()
            await next_frame(socket, "condition", redis=True)
            assert time.monotonic() - back < 5
            await rename(job, "rev-back")
            await announce(own_valkey, "jobs")
            while "rev-back" not in (await next_frame(socket, "delta"))["fragments"]["jobs-table"]:
                pass

    asyncio.run(story())


async def next_frame_or_now(site: Site, cookie: str) -> None:
    """Wait until the hub listens: somebody who joins then is told so at once."""
    while True:
        async with watch(site, "jobs", cookie) as socket:
            if (await next_frame(socket, "condition"))["redis"]:
                return
