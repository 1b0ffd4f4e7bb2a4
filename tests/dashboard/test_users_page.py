"""Users: what an agent types, what they are told, and what never shows up anywhere."""

from __future__ import annotations

import html
import json
import logging
import re
import time
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from cache_layer import AccessState
from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.cache import handle_of, layer
from pomni_admin.dashboard import person_token
from tests.harness.cast import Cast
from tests.harness.servers import Database

FIND, REFRESH = "/users/find", "/users/refresh-access"
PAYMENT = "2d9f6a1c-000f-5000-8000-18db351245c7"
DENIED = AccessState(has_access=False, reason="none")


@pytest.fixture
def agent(database: Database) -> Client:
    return sign_in("support")


def sign_in(name: str) -> Client:
    user = User.objects.create(username=name)
    user.groups.add(Group.objects.get(name="Support"))
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def find(agent: Client, text: str) -> str:
    return page(agent.post(FIND, {"text": text}))


def page(response: Any) -> str:
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    return html.unescape(response.content.decode())


def token_in(text: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', text)
    assert found
    return found[1]


def problem_in(text: str) -> str:
    found = re.search(r'<p id="find-problem"[^>]*>(.*?)</p>', text, re.S)
    return found[1].strip() if found else ""


def pay(database: Database, user_id: int) -> None:
    database.rows(
        "INSERT INTO payments (user_id, provider_payment_id, amount, status) VALUES (%s, %s, 49900, 'succeeded')"
        " RETURNING id",
        user_id,
        PAYMENT,
    )


def test_a_person_is_found_by_each_of_the_three_ids(agent: Client, cast: Cast, database: Database) -> None:
    pay(database, cast.alisa)
    for text, kind in (
        (str(cast.tg_id("alisa")), "Telegram id"),
        (f"  {cast.alisa} ", "user id"),
        (PAYMENT, "payment id"),
    ):
        answer = find(agent, text)
        assert handle_of(cast.alisa) in answer
        assert f"found by {kind}" in answer
        assert "has access" in answer


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "box was empty"),
        ("   ", "box was empty"),
        ("Alisa", "not an id"),
        ("@alisa", "@name"),
        ("https://t.me/alisa", "@name"),
        ("+7 900 000-00-01", "phone number"),
        ("700000001, 700000002", "more than one number"),
        ("0" * 201, "longer than any id"),
        ("9" * 30, "No id can be that number"),
        ("-5", "No id can be that number"),
        ("799999999", "Nobody has this"),
        ("2d9f6a1c-ffff-5000-8000-18db351245c7", "Nobody has this"),
        ("\x00", "not an id"),
        ("1' OR '1'='1", "not an id"),
        ("٧٠٠٠٠٠٠٠١", "not an id"),
    ],
)
def test_what_leads_nowhere_is_answered_helpfully(agent: Client, cast: Cast, text: str, says: str) -> None:
    answer = find(agent, text)
    assert says in problem_in(answer)
    assert "U-" not in answer


def test_a_number_that_means_two_people_offers_both(agent: Client, cast: Cast, database: Database) -> None:
    database.rows("UPDATE users SET tg_id = %s WHERE id = %s RETURNING id", cast.boris, cast.alisa)
    answer = find(agent, str(cast.boris))
    assert "different people" in problem_in(answer)
    assert handle_of(cast.alisa) in answer
    assert handle_of(cast.boris) in answer
    chosen = agent.post(FIND, {"token": token_in(answer), "found_by": "tg_id"})
    assert handle_of(cast.alisa) in page(chosen)


def test_what_was_typed_and_who_it_is_are_nowhere(
    agent: Client, cast: Cast, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Not on the page, not in a log line at DEBUG, not in the audit, not in a URL or a cookie (G6)."""
    pay(database, cast.vera)
    typed = [str(cast.tg_id("vera")), PAYMENT, "799999999", "nobody-2d9f6a1c"]
    with caplog.at_level(logging.DEBUG):
        answers = [find(agent, text) for text in typed]
        answers.append(page(agent.post(REFRESH, {"token": token_in(answers[0])})))
        answers.append(page(agent.get("/users")))
        answers.append(agent.get("/audit").content.decode())
    said = caplog.text + json.dumps([str(entry) for entry in acts.recent(50)]) + str(agent.cookies)
    for text in typed:
        assert text not in said
        assert not [answer for answer in answers if text in answer]
    assert not [answer for answer in answers if re.search(rf'value="{cast.vera}"', answer)]


def test_refreshing_drops_what_was_wrong_and_shows_that_it_is_right_now(agent: Client, cast: Cast) -> None:
    layer().access_state.get(cast.alisa, load=lambda _id: DENIED)
    before = find(agent, str(cast.tg_id("alisa")))
    assert "cached state differs" in before
    after = page(agent.post(REFRESH, {"token": token_in(before)}))
    assert "Access has been refreshed" in after
    assert "the cached entry" in after
    assert "cached and true state: equal" in after
    newest = acts.recent(1)[0]
    assert newest.receipt in after
    assert (newest.act, newest.result) == ("cache.access_state.invalidate", "ok")
    assert newest.handle == handle_of(cast.alisa)
    assert layer().access_state.peek(cast.alisa).value != DENIED


def test_refreshing_twice_does_no_harm(agent: Client, cast: Cast) -> None:
    token = token_in(find(agent, str(cast.tg_id("boris"))))
    first = page(agent.post(REFRESH, {"token": token}))
    second = page(agent.post(REFRESH, {"token": token}))
    assert "nothing: there was no entry" in first
    assert "the cached entry" in second


def test_a_token_is_of_no_use_to_another_agent(agent: Client, cast: Cast) -> None:
    token = token_in(find(agent, str(cast.tg_id("alisa"))))
    answer = page(sign_in("another").post(REFRESH, {"token": token}))
    assert "Find the person again" in problem_in(answer)
    assert "U-" not in answer


@pytest.mark.parametrize("token", ["", "nonsense", "🐈", "g" * 10_000])
def test_a_forged_token_is_refused(agent: Client, cast: Cast, token: str) -> None:
    assert "Find the person again" in problem_in(page(agent.post(REFRESH, {"token": token})))


def test_a_token_ends_after_ten_minutes(database: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    token = person_token.seal(cast.alisa, bearer="1:salt")
    assert person_token.unseal(token, bearer="1:salt") == cast.alisa
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 601)
    with pytest.raises(person_token.TokenRejected):
        person_token.unseal(token, bearer="1:salt")


def test_tokens_of_small_and_large_ids_are_equally_long() -> None:
    assert len(person_token.seal(1, bearer="1:salt")) == len(person_token.seal(2**63 - 1, bearer="1:salt"))


def test_a_look_up_is_on_record_by_handle(agent: Client, cast: Cast) -> None:
    find(agent, str(cast.tg_id("gleb")))
    find(agent, "799999999")
    missed, found = acts.recent(2)
    assert (found.act, found.handle, found.result) == ("people.look_up", handle_of(cast.gleb), "ok")
    assert (missed.handle, missed.result) == ("", "not_found")
