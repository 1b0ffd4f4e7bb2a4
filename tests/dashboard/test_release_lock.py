"""Releasing a lock: said before, done to the hold that was shown and to no other, on record, harmless twice."""

from __future__ import annotations

import html
import re
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client

from cache_layer import Grant, Holder, LockLost
from pomni_admin import cache
from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.cache import layer
from pomni_admin.dashboard.pages.release_lock import Asked
from pomni_admin.demo.servers import Valkey
from tests.harness.staff import Staff, sign_in

BOT = Holder("bot", "host-1", 41)


@pytest.fixture
def admin(staff: Staff) -> Client:
    client = Client(headers={"accept-language": "en"})
    sign_in(client, User.objects.get(username=staff.admin))
    return client


@pytest.fixture
def hung_redis(admin: Client, valkey: Valkey) -> Iterator[None]:
    valkey.pause()
    yield
    valkey.resume()
    cache.close()


def text(client: Client, grant: Grant) -> str:
    """What a person reads before."""
    page = client.get("/locks/release", {"lock": grant.name, "fence": str(grant.fence)}).content.decode()
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def press(client: Client, grant: Grant, **fields: str) -> str:
    """What a person reads after."""
    form = {"lock": grant.name, "fence": str(grant.fence), "reason": "stuck", **fields}
    page = client.post("/locks/release", form, follow=True).content.decode()
    found = re.search(r'id="said".*?<span>(.*?)</span>', page, re.DOTALL)
    assert found
    return html.unescape(found[1])


def last() -> tuple[str, str, str, str]:
    entry = acts.recent(1)[0]
    return entry.act, entry.subject, entry.reason, entry.result


def test_the_holder_that_was_shown_loses_it_and_its_act_is_on_record(admin: Client) -> None:
    grant = layer().locks.acquire("nightly", token="a", holder=BOT)
    assert "nightly was released" in press(admin, grant)
    with pytest.raises(LockLost):
        layer().locks.renew(grant)  # what the holder's next heartbeat does
    assert last() == ("locks.release", "nightly", "stuck", "ok")
    assert not layer().locks.held()


def test_whoever_has_it_by_then_keeps_it(admin: Client) -> None:
    """With the fence not compared this fails, and twice pressed takes it from a second holder."""
    shown = layer().locks.acquire("nightly", token="a", holder=BOT)
    layer().locks.release(shown)
    later = layer().locks.acquire("nightly", token="b", holder=BOT)
    assert "nothing was done" in press(admin, shown)
    assert [lock.fence for lock in layer().locks.held()] == [later.fence]
    assert last() == ("locks.release", "nightly", "stuck", "not_held")
    assert "Somebody else holds this lock by now" in text(admin, shown)


def test_pressed_twice_it_is_done_once(admin: Client) -> None:
    grant = layer().locks.acquire("nightly", token="a", holder=BOT)
    assert "was released" in press(admin, grant)
    assert "nothing was done" in press(admin, grant)
    assert "Nobody holds this lock now" in text(admin, grant)


def test_what_it_will_do_is_said_before(admin: Client) -> None:
    def wait() -> None:
        with layer().lock("nightly", wait=timedelta(seconds=60)):
            pass

    grant = layer().locks.acquire("nightly", token="a", holder=BOT)
    said = text(admin, grant)
    assert "Take this lock from its holder?" in said
    assert "host-1 pid\N{NO-BREAK SPACE}41" in said.replace("&nbsp;", "\N{NO-BREAK SPACE}")
    assert "Its holder lives" in said
    assert f"under fence {grant.fence:,} is refused" in said
    assert "Nobody waits for it now" in said
    waiting = threading.Thread(target=wait)
    waiting.start()
    while not layer().locks.held()[0].waiters:
        pass
    assert "1 waits for it" in text(admin, grant)
    press(admin, grant)
    waiting.join()


def test_of_a_summary_job_it_says_that_its_workers_take_it_again(admin: Client) -> None:
    job = str(uuid.UUID(int=7))
    grant = layer().locks.acquire("summaries_daily", token="j", holder=Holder("job", "h", 1, job), fence=7)
    page = admin.get("/locks/release", {"lock": grant.name, "fence": str(grant.fence)}).content.decode()
    assert "take it again within seconds" in page
    assert f'href="/jobs/{job}"' in page


@pytest.mark.usefixtures("hung_redis")
def test_while_redis_hangs_it_says_so_and_the_record_too(admin: Client) -> None:
    grant = Grant("nightly", "a", 7)
    assert "Redis is unreachable" in text(admin, grant)
    assert "nobody knows whether nightly was released" in press(admin, grant)
    assert last()[3] == "unreachable"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"lock": "x"},
        {"lock": "x", "fence": "-1"},
        {"lock": "x", "fence": "7 "},
        {"lock": "", "fence": "7"},
        {"lock": "x" * 201, "fence": "7"},
        {"lock": "x", "fence": "7" * 20},
    ],
)
def test_what_is_no_lock_of_the_page_is_refused(admin: Client, fields: dict[str, str]) -> None:
    assert admin.get("/locks/release", fields).status_code == 400
    assert admin.post("/locks/release", {**fields, "reason": "stuck"}).status_code == 400
    assert not acts.recent(1)


def test_without_a_reason_from_the_list_nothing_is_done(admin: Client) -> None:
    grant = layer().locks.acquire("nightly", token="a", holder=BOT)
    for reason in ("", "because", "refunded"):
        form = {"lock": grant.name, "fence": str(grant.fence), "reason": reason}
        assert admin.post("/locks/release", form).status_code == 400
    assert layer().locks.held()


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("summaries_daily", "summaries_daily"),
        ("turn:900000042", "turn__________"),
        ("7/a\n", "lock___a_"),
        ("Ночь", "lock_____"),
        ("x" * 99, "x" * 60),
    ],
)
def test_a_record_holds_no_number_and_no_text_of_a_lock_s_name(name: str, subject: str) -> None:
    assert Asked(name, 7).subject == subject


def test_only_an_admin_is_offered_it(admin: Client, staff: Staff) -> None:
    layer().locks.acquire("a b/c?", token="a", holder=BOT)
    page = admin.get("/locks").content.decode()
    (address,) = re.findall(r'href="(/locks/release\?[^"]*)"', page)
    assert "Take this lock" in admin.get(html.unescape(address)).content.decode()
    viewer = Client()
    viewer.force_login(User.objects.get(username=staff.viewer))
    assert "/locks/release" not in viewer.get("/locks").content.decode()
