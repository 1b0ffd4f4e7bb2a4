"""The Caches page: figures of every cache, the switches, and who uses them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

import pytest
import redis
from django.contrib.auth.models import Group
from django.test import Client

from cache_layer.keys import Keys
from cache_layer.settings import CACHES
from cache_layer.statistics import Stats
from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.cache import layer
from tests.browser.scene import instances, set_up
from tests.harness.cast import Cast
from tests.harness.clock import within_a_minute
from tests.harness.servers import Database
from tests.harness.staff import sign_in


@pytest.fixture
def admin(database: Database) -> Iterator[Client]:
    """An admin in English; what they switched off is on again afterwards, as this process remembers it."""
    user = User.objects.create(username="vera")
    user.groups.add(Group.objects.get(name="Admin"))
    client = Client(headers={"accept-language": "en"})
    sign_in(client, user)
    yield client
    for switch in layer().switches.list():
        if switch.switched_off:
            layer().switches.turn(switch.cache, True, by="test", reason="other")


def text(client: Client) -> str:
    """What a reader sees, without the tags."""
    html = re.sub(r"<head.*?</head>|<script.*?</script>", "", client.get("/caches").content.decode(), flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def card(client: Client, cache: str) -> str:
    html = client.get("/caches").content.decode()
    return html[html.index(f'id="cache-{cache}"') :].partition("</section>")[0]


def switch(client: Client, cache: str, to: str, reason: str) -> str:
    return client.post(f"/caches/{cache}/switch-{to}", {"reason": reason}, follow=True).content.decode()


def test_every_cache_has_a_card_with_what_makes_sense_for_it(admin: Client, cast: Cast) -> None:
    within_a_minute(10)
    set_up(os.environ["REDIS_URL"], [cast.alisa, cast.boris, cast.vera])
    for cache in CACHES:
        assert f'id="cache-{cache}"' in admin.get("/caches").content.decode()
    assert "hit rate" in card(admin, "recent_history")
    assert "hit rate" not in card(admin, "lock")
    assert "Handed out again" in card(admin, "talkbuf")
    access = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", card(admin, "access_state")))
    assert "Redis 196 µs 330 µs 786 µs" in access
    assert "A load 2.6 ms 3.7 ms 3.7 ms" in access
    assert "Read 459.4 KB Written 14.8 KB" in access


def test_instances_are_listed_with_what_is_off_there_and_who_is_silent(admin: Client, cast: Cast) -> None:
    set_up(os.environ["REDIS_URL"], [cast.alisa, cast.boris, cast.vera])
    seen = text(admin)
    assert "pomni-bot-7d9c5-xk2lp pid 17 1f3a9c2e closed –" in seen.replace("&nbsp;", " ")
    assert "0b77e410 silent rag by hand" in seen
    assert "recent_history a secret is missing" in seen


def test_a_switch_is_turned_for_all_put_on_record_and_shown(admin: Client) -> None:
    said = switch(admin, "rag", "off", "wrong_data")
    assert "rag is switched off in all processes." in said
    assert not layer().switches.is_on("rag")
    shown = card(admin, "rag")
    assert "Switched off by vera: It shows something wrong." in shown
    assert "Switch on" in shown
    assert "rag was off already." in switch(admin, "rag", "off", "incident")
    assert "Switched off by vera: It shows something wrong." in card(admin, "rag"), "the first choice stays"
    assert "rag is switched on in all processes." in switch(admin, "rag", "on", "repaired")
    assert layer().switches.is_on("rag")
    assert "Switched off by" not in card(admin, "rag")
    assert [(entry.act, entry.actor, entry.subject, entry.reason, entry.result) for entry in acts.recent(3)] == [
        ("cache.switch_on", "vera", "rag", "repaired", "ok"),
        ("cache.switch_off", "vera", "rag", "incident", "already_off"),
        ("cache.switch_off", "vera", "rag", "wrong_data", "ok"),
    ]
    assert "Switching a cache off" in admin.get("/audit").content.decode()


def test_a_reason_that_is_not_on_the_list_switches_nothing(admin: Client) -> None:
    for reason in ("", "repaired", "she paid 700000001"):
        assert admin.post("/caches/rag/switch-off", {"reason": reason}).status_code == 400
    assert layer().switches.is_on("rag")
    assert not acts.recent(1)


def test_a_cache_that_the_environment_keeps_off_says_so(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    board = layer().switches._board
    monkeypatch.setattr(type(board._settings), "why_off", lambda _, cache: "X is not set" if cache == "rag" else "")
    switch(admin, "rag", "off", "other")
    assert "rag is switched on, but here it stays off: X is not set." in switch(admin, "rag", "on", "other")
    assert "X is not set" in card(admin, "rag")


def test_a_cache_that_other_processes_do_not_use_says_in_how_many(admin: Client) -> None:
    """Of those that are heard of: what a silent one said of itself no longer counts."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        instances(client)
        assert re.search(r"off in 1 process\s", card(admin, "talkbuf"))
        assert "off in" not in card(admin, "access_state")
        switch(admin, "talkbuf", "off", "other")
        instances(client)
        said = switch(admin, "talkbuf", "on", "repaired")
    assert "talkbuf is switched on, but in 1 process it stays off for another reason: see Instances." in said


def test_what_was_counted_just_now_and_is_not_drawn_yet_leaves_a_word_where_the_chart_will_be(admin: Client) -> None:
    within_a_minute(10)
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.hset(Stats(Keys("")).key(int(time.time()) // 60), "rag.hit", 24)
    shown = card(admin, "rag")
    assert "Nothing to draw yet" in shown
    assert "Last 15 minutes" in shown


def test_a_mistyped_name_drops_nothing_and_says_so(admin: Client) -> None:
    reason = last_reason(admin)
    answer = admin.post("/caches/rag/drop", {"reason": reason, "typed": "rug"})
    assert answer.status_code == 400
    html = answer.content.decode()
    assert "That is not the name of this cache. Nothing was dropped." in html
    assert f'<option value="{reason}" selected>' in html
    assert 'value="rug"' in html
    assert 'name="next" value="/caches/rag/drop"' in html, "who then chooses a language comes back to the question"
    assert not acts.recent(1)


def last_reason(client: Client) -> str:
    """The last reason that the form offers."""
    return str(re.findall(r'<option value="(\w+)"', client.get("/caches/rag/drop").content.decode())[-1])
