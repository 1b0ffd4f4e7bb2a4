"""Users: what an agent types, what they are told, and what never shows up anywhere."""

from __future__ import annotations

import asyncio
import html
import json
import logging
import re
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cache_layer import AccessState, Identity, Incoming
from cache_layer.privacy import handle
from cache_layer.runners import SyncRunner
from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.bot.handles import Search, whose
from pomni_admin.cache import async_layer, handle_of, layer
from pomni_admin.dashboard import person_token
from tests.harness import staff
from tests.harness.cast import Cast
from tests.harness.servers import Database

FIND, REFRESH = "/users/find", "/users/refresh-access"
BY_HANDLE, FORGET = "/users/find-by-handle", "/users/forget"
PAYMENT = "2d9f6a1c-000f-5000-8000-18db351245c7"
DENIED = AccessState(has_access=False, reason="none")


@pytest.fixture
def agent(database: Database) -> Client:
    return sign_in("support")


@pytest.fixture
def admin(database: Database) -> Client:
    return sign_in("admin", "Admin")


def sign_in(name: str, role: str = "Support") -> Client:
    user = User.objects.create(username=name)
    user.groups.add(Group.objects.get(name=role))
    client = Client(headers={"accept-language": "en"})
    staff.sign_in(client, user)
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


def test_what_is_no_id_names_handles_only_to_those_who_find_people_by_them(agent: Client, admin: Client) -> None:
    assert "handle" not in problem_in(find(agent, "Alisa"))
    assert "A handle is U- and ten letters or digits" in problem_in(find(admin, "Alisa"))


def test_status_and_plan_are_in_words_and_an_unknown_one_is_as_it_stands(
    agent: Client, cast: Cast, database: Database
) -> None:
    database.rows("UPDATE subscriptions SET status = 'active', plan = 'lifetime' RETURNING 1")
    answer = page(agent.post(FIND, {"text": str(cast.alisa)}, headers={"accept-language": "ru"}))
    assert re.search(r"Статус подписки</th>.*?действует", answer, re.S)
    assert re.search(r"Тариф</th>.*?lifetime", answer, re.S)


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
        ("alisa@example.org", "e-mail address"),
        ("U-7K2M9QXD41", "only an Admin"),
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
    typed = [str(cast.tg_id("vera")), PAYMENT, "799999999", "nobody-2d9f6a1c", "vera@example.org", "+7 900 000-00-03"]
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
    assert "cached and actual state: equal" in after
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


def test_a_token_does_not_outlive_the_sign_in(agent: Client, cast: Cast) -> None:
    """Bound to the agent alone, it would work again for whoever comes back to the page after the next sign-in."""
    token = token_in(find(agent, str(cast.tg_id("alisa"))))
    agent.post("/account/sign-out")
    agent.force_login(User.objects.get(username="support"))
    assert "Find the person again" in problem_in(page(agent.post(REFRESH, {"token": token})))


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


async def meet(tg_id: int, user_id: int) -> None:
    """The person writes to the bot, which remembers who they are and what they have just said."""

    async def load(_tg_id: int) -> Identity:
        return Identity(user_id, "insights", policy_accepted=True, trial_ever=True)

    async with async_layer("bot") as bot:
        person = await bot.identity.get(tg_id, load=load)
        assert person is not None
        await bot.talk.push(person, Incoming(tg_id, 1, "Мне снова тревожно", datetime.now(UTC)))


def test_what_redis_holds_is_told_by_kind_size_and_times_only(agent: Client, cast: Cast) -> None:
    layer().access_state.get(cast.alisa, load=lambda _id: DENIED)
    asyncio.run(meet(cast.tg_id("alisa"), cast.alisa))
    answer = find(agent, str(cast.tg_id("alisa")))
    held = answer.partition("What Redis holds on this person")[2]
    for kind in ("The record of their access", "Who they are to the bot", "Messages being merged into one turn"):
        assert kind in held
    assert "≤\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}kB" in held
    assert 'data-shown="age"' in held
    assert 'data-shown="left"' in held
    assert "тревожно" not in answer
    assert "Forget everything" not in answer, "that is for admins"


def test_payments_are_told_by_status_and_age_only(agent: Client, cast: Cast, database: Database) -> None:
    pay(database, cast.alisa)
    database.rows(
        "INSERT INTO payments (user_id, amount, status, created_at)"
        " VALUES (%s, 12345, 'карта 4242', now() - interval '9 d') RETURNING id",
        cast.alisa,
    )
    answer = find(agent, str(cast.alisa))
    payments = answer.partition("Last payments")[2]
    assert "succeeded" in payments
    assert "in a state not known here" in payments, "the column is free text"
    for hidden in (PAYMENT, "49900", "499", "12345", "123.45", "4242"):
        assert hidden not in answer


@pytest.mark.parametrize(
    ("status", "ago", "says"),
    [
        ("succeeded", "1 minute", "the subscription was not activated"),
        ("pending", "1 minute", "has not come through yet"),
        ("succeeded", "3 days", "no payment has succeeded in the last 24 hours"),
    ],
)
def test_without_access_the_last_payment_tells_why(
    agent: Client, cast: Cast, database: Database, status: str, ago: str, says: str
) -> None:
    database.rows(
        "INSERT INTO payments (user_id, amount, status, created_at)"
        " VALUES (%s, 1, %s, now() - %s::interval) RETURNING id",
        cast.vera,
        status,
        ago,
    )
    assert says in find(agent, str(cast.vera))


def test_refreshing_drops_the_identity_too(agent: Client, cast: Cast) -> None:
    """The bot's gate reads flags of it. Dropping `access_state` alone leaves it for up to 45 s."""
    asyncio.run(meet(cast.tg_id("alisa"), cast.alisa))
    answer = page(agent.post(REFRESH, {"token": token_in(find(agent, str(cast.alisa)))}))
    assert "the cached identity" in answer
    assert "identity" not in {thing.kind for thing in layer().holdings(cast.alisa, cast.tg_id("alisa")).things}


def test_forgetting_is_confirmed_first_and_then_done(admin: Client, cast: Cast) -> None:
    layer().access_state.get(cast.alisa, load=lambda _id: DENIED)
    asyncio.run(meet(cast.tg_id("alisa"), cast.alisa))
    token = token_in(find(admin, str(cast.alisa)))
    asked = page(admin.post(FORGET, {"token": token}))
    assert "Goes at once" in asked
    assert "Messages being merged into one turn" in asked
    assert "PostgreSQL: the person" in asked
    assert len(layer().holdings(cast.alisa, cast.tg_id("alisa")).things) >= 3, "asking does nothing"
    done = page(admin.post(FORGET, {"token": token_in(asked), "reason": "person_asked"}))
    assert "Redis has forgotten this person" in done
    assert [thing.kind for thing in layer().holdings(cast.alisa, cast.tg_id("alisa")).things] == ["nostore"]
    entry = acts.recent(1)[0]
    assert (entry.act, entry.reason, entry.result) == ("cache.forget_person", "person_asked", "ok")
    assert entry.receipt in done
    assert (entry.handle, str(cast.tg_id("alisa")) in str(entry)) == (handle_of(cast.alisa), False)
    assert "Redis has forgotten" in page(admin.post(FORGET, {"token": token, "reason": "person_asked"})), "idempotent"
    assert admin.post(FORGET, {"token": token, "reason": "because"}).status_code == 400


def test_forgetting_wants_a_fresh_sign_in(admin: Client, cast: Cast) -> None:
    token = token_in(find(admin, str(cast.alisa)))
    session = admin.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - 3600}]
    session.save()
    layer().access_state.get(cast.alisa, load=lambda _id: DENIED)
    asked = admin.post(FORGET, {"token": token, "reason": "privacy"}).content.decode()
    assert "Redis has forgotten" not in asked
    assert 'type="password"' in asked
    assert layer().holdings(cast.alisa).things


def test_support_forgets_nobody_and_the_attempt_is_on_record(agent: Client, cast: Cast) -> None:
    token = token_in(find(agent, str(cast.alisa)))
    assert agent.post(FORGET, {"token": token, "reason": "person_asked"}).status_code == 403
    assert (acts.recent(1)[0].act, acts.recent(1)[0].result) == ("cache.forget_person", "refused")


def test_somebody_who_was_deleted_meanwhile_is_said_to_be(agent: Client, cast: Cast, database: Database) -> None:
    token = token_in(find(agent, str(cast.vera)))
    database.rows("DELETE FROM users WHERE id = %s RETURNING id", cast.vera)
    assert "in the database no longer" in page(agent.post(REFRESH, {"token": token}))


def test_an_admin_finds_a_person_by_handle_however_it_was_said(admin: Client, cast: Cast) -> None:
    name = handle_of(cast.boris)
    for said in (name, name.lower(), f" {name[:6]} {name[6:]} ", name.replace("0", "O").replace("1", "l")):
        answer = find(admin, said)
        assert name in answer
        assert "found by handle" in answer
    found = acts.recent(1)[0]
    assert (found.act, found.handle, found.result) == ("people.look_up_by_handle", name, "ok")
    assert name in page(admin.post(BY_HANDLE, {"handle": name})), "as from a row of the audit"
    assert "misheard" in problem_in(find(admin, "U-0000000000"))
    assert acts.recent(1)[0].result == "not_found"
    assert "no handle" in problem_in(page(admin.post(BY_HANDLE, {"handle": "700000001"})))


def test_a_handle_from_before_the_secret_was_changed_is_still_understood(
    admin: Client, cast: Cast, settings: Any
) -> None:
    old = b"o" * 32
    former = handle(old, cast.gleb)
    assert "earlier secret" in problem_in(find(admin, former))
    settings.ENV = replace(settings.ENV, hash_secret_old=old)
    answer = find(admin, former)
    assert handle_of(cast.gleb) in answer
    assert f"/audit?handle={former}" in answer


def test_a_search_by_handle_is_bounded_in_time(admin: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pomni_admin.bot.handles.AT_ONCE", 2)
    monkeypatch.setattr("pomni_admin.bot.handles.SEARCH_AT_MOST_S", 0.0)
    oldest = handle_of(cast.alisa)
    assert whose(oldest).user_ids == (cast.alisa,)
    assert whose(oldest, at_most_s=0.0) == Search((), 2, is_complete=False)


def test_look_ups_are_limited_and_the_answer_says_how_long_to_wait(agent: Client, cast: Cast, settings: Any) -> None:
    settings.ENV = replace(settings.ENV, lookups_per_minute=2)
    find(agent, str(cast.alisa))
    find(agent, "799999999")
    refused = agent.post(FIND, {"text": str(cast.boris)})
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 60
    answer = html.unescape(refused.content.decode())
    assert "This one was not made" in problem_in(answer)
    assert f"possible in {refused['Retry-After']} second" in problem_in(answer)
    assert "U-" not in answer.partition("<main")[2]
    assert (acts.recent(1)[0].result, acts.recent(1)[0].handle) == ("too_many", "")
    assert handle_of(cast.boris) in find(sign_in("another"), str(cast.boris)), "each agent has their own"


def test_a_look_up_costs_a_bounded_number_of_statements_and_round_trips(
    agent: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the 200 ms are made of, with PostgreSQL a network away: each is a round trip."""
    token = token_in(find(agent, str(cast.alisa)))
    for path, fields, statements in ((FIND, {"text": str(cast.alisa)}, 11), (REFRESH, {"token": token}, 11)):
        trips = Counter[str]()
        real = SyncRunner._send

        def counted(self: Any, step: Any, *rest: Any, real: Any = real, trips: Counter[str] = trips) -> Any:
            trips[threading.current_thread().name] += 1
            return real(self, step, *rest)

        with monkeypatch.context() as patched, CaptureQueriesContext(connection) as queries:
            patched.setattr(SyncRunner, "_send", counted)
            page(agent.post(path, fields))
        assert len(queries) <= statements, [query["sql"][:60] for query in queries]
        assert trips["MainThread"] <= 6
