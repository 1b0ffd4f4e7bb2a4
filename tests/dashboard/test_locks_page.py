"""The Locks page shows who holds a lock and who waits for it."""

from __future__ import annotations

import re
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import redis
from django.test import Client

from cache_layer import Holder, Presence
from pomni_admin.accounts.models import User
from pomni_admin.cache import cache_settings, layer
from tests.harness.staff import Staff


@pytest.fixture
def admin(staff: Staff) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(User.objects.get(username=staff.admin))
    return client


def test_it_shows_how_many_wait_and_since_when(admin: Client) -> None:
    def wait() -> None:
        with layer().lock("nightly", wait=timedelta(seconds=60)):
            pass

    grant = layer().locks.acquire("nightly", token="a", holder=Holder("bot", "host-1", 41))
    waiting = threading.Thread(target=wait)
    assert "0" in cell(admin)
    waiting.start()
    while not layer().locks.held()[0].waiters:
        pass
    shown = cell(admin)
    since = layer().locks.held()[0].waiters[0].since
    layer().locks.release(grant)
    waiting.join()
    assert "<b>1</b>" in shown
    assert f'datetime="{since.isoformat(timespec="milliseconds")}"' in shown


def test_a_job_that_is_none_of_the_summary_jobs_is_shown_as_words(admin: Client) -> None:
    """A link to it broke the page."""
    layer().locks.acquire("a", token="a", holder=Holder("bot", "host-1", 41, "retrieval <b>"))
    layer().locks.acquire("b", token="b", holder=Holder("job", "host-1", 41, str(uuid.UUID(int=7))))
    page = admin.get("/locks").content.decode()
    assert "retrieval &lt;b&gt;" in page
    assert f'href="/jobs/{uuid.UUID(int=7)}"' in page


def cell(admin: Client) -> str:
    found = re.search(r'data-label="Waiting">(.*?)</td>', admin.get("/locks").content.decode(), re.DOTALL)
    assert found
    return found[1]


def test_a_holder_that_says_nothing_is_marked_in_words(admin: Client) -> None:
    """By Redis's clock: the web process's own may be wrong."""
    with redis.Redis.from_url(cache_settings().redis_url) as client:
        for name, silent_ms in (("alive", 0), ("late", 15_000), ("gone", 40_000)):
            layer().locks.acquire(name, token=name, holder=Holder("bot", "host-1", 41))
            client.hincrby(f"locks:{{{name}}}", "heartbeat_ms", -silent_ms)
    rows = rows_of(admin)
    assert "overdue" not in rows["alive"]
    assert "heartbeat overdue" in rows["late"]
    assert "orphaned" in rows["gone"]
    assert "whoever asks for it next" in admin.get("/locks").content.decode()


def test_a_holder_whose_process_is_silent_is_marked_before_its_heartbeat_is_overdue(admin: Client) -> None:
    layer().locks.acquire("bots", token="a", holder=Holder("bot", "host-9", 41))
    layer().locks.acquire("jobs", token="b", holder=Holder("job", "host-9", 41, str(uuid.UUID(int=7))))
    told = Presence(id="a1", role="bot", version="1", host="host-9", pid=41, since=datetime.now(UTC))
    with redis.Redis.from_url(cache_settings().redis_url) as client:
        client.hset("instances:{all}", "a1", msgspec.json.encode(told))
        client.zadd("instances:{all}:heard", {"a1": int(time.time() * 1000) - 8_000})
    rows = rows_of(admin)
    assert "its process is silent" in rows["bots"]
    assert "silent" not in rows["jobs"], "all workers of a job hold it together"


def test_it_shows_who_had_a_lock_and_how_that_ended(admin: Client) -> None:
    given = layer().locks.acquire("nightly", token="a", holder=Holder("bot", "host-1", 41, "corpus"))
    layer().locks.release(given)
    taken = layer().locks.acquire("nightly", token="b", holder=Holder("bot", "host-2", 42))
    layer().locks.force_release("nightly", taken.fence)
    layer().locks.acquire("nightly", token="c", holder=Holder("bot", "host-3", 43))
    with redis.Redis.from_url(cache_settings().redis_url) as client:
        layer().locks.acquire("other", token="d", holder=Holder("bot", "host-4", 44))
        client.delete("locks:{other}")
    page = admin.get("/locks").content.decode()
    grants = page.split('id="locks-grants"')[1]
    ends = re.findall(r"(host-\d).*?class=\"tag[^>]*>([^<]*)<", grants, re.DOTALL)
    assert ends == [
        ("host-4", "ran out, or Redis was flushed"),
        ("host-3", "still held"),
        ("host-2", "released here by hand"),
        ("host-1", "given back"),
    ]


def rows_of(admin: Client) -> dict[str, str]:
    table = admin.get("/locks").content.decode().split('id="locks-waiters"')[0]
    return dict(re.findall(r'<tr role="row" id="lock-(\w+)">(.*?)</tr>', table, re.DOTALL))
