"""What `docs/bot.md` promises in its text, with Redis at hand."""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from aiogram.exceptions import TelegramNetworkError

from cache_layer import CacheLayer, Incoming
from pomni_admin.demo.servers import Valkey
from tests.docs.conftest import Begin
from tests.docs.day import Day
from tests.docs.document import TEXT
from tests.harness.cast import Cast


@pytest.fixture
def contents(valkey: Valkey) -> Any:
    """`contents()`: all that Redis has, as bytes: names and values."""

    def read() -> bytes:
        with redis.Redis.from_url(valkey.url) as client:
            names = list(client.scan_iter())
            return b"\n".join(name + b" " + (client.dump(name) or b"") for name in names)

    return read


async def test_a_message_on_a_warm_cache_costs_no_select(begin: Begin) -> None:
    """And four statements in all, where the bot of today sends nineteen."""
    async with begin() as day:
        telegram, statements = day.bots("telegram"), day.bots("db").statements
        day.database.rows(day.it.TURN_ANSWERS.text)
        answering = asyncio.create_task(day.it.answer_turns(telegram.bot))
        try:
            for number in (1, 2):
                statements.clear()
                await day.it.first_step_of_the_gate(day.cast.tg_id("alisa"), {})
                assert await day.it._gate_user_flags(day.cast.tg_id("alisa")) == (True, True, True)
                await day.in_the_chat(telegram.bot, "alisa", "Привет")
                await day.answered(number)
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
        assert [statement.split()[0] for statement in statements] == ["INSERT", "INSERT", "INSERT", "UPDATE"]
        assert "one message costs the bot 19 statements" in TEXT.replace("\n", " ").lower()


async def test_nothing_of_somebody_who_wants_nothing_stored_is_in_redis_and_nothing_in_clear(
    begin: Begin, cast: Cast, contents: Any
) -> None:
    async with begin() as day:
        await day.spend(9)
        stored = contents()
    assert b"recent_history:{%d} " % cast.vera in stored
    for name in ("recent_history", "talkbuf", "rag_cache"):
        assert b"%b:{%d} " % (name.encode(), cast.gleb) not in stored  # but for `:purged`, which says when
    for said in ("Привет", "Я тут", "Не спится", "first edition"):
        assert said.encode() not in stored
    for tg_id in range(700_000_001, 700_000_010):
        assert str(tg_id).encode() not in stored


async def test_three_quick_messages_at_two_instances_get_one_answer(begin: Begin) -> None:
    async with begin() as day, CacheLayer.from_env(role="bot") as other:
        telegram = day.bots("telegram")
        day.database.rows(day.it.TURN_ANSWERS.text)
        person = await other.identity.get(day.cast.tg_id("alisa"), load=day.it.read_identity)
        assert person is not None
        answering = asyncio.create_task(day.it.answer_turns(telegram.bot))
        try:
            await day.in_the_chat(telegram.bot, "alisa", "Раз")
            await other.talk.push(person, Incoming(day.cast.tg_id("alisa"), 2, "два", datetime.now(UTC)))
            day.message_id = 2
            await day.in_the_chat(telegram.bot, "alisa", "три")
            assert (await day.answered(1))[0].endswith(repr("Раз\nдва\nтри"))
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
        assert len(day.kept_answers()) == 1


async def test_a_turn_that_is_handed_out_twice_is_answered_once(begin: Begin) -> None:
    async with begin() as day:
        bot = day.bots("telegram").bot
        turn, person = await _turn(day, "alisa")
        async with turn:
            await day.it.send_once(turn, person, "Первый ответ", bot)
            await day.it.send_once(turn, person, "Второй ответ", bot)
        assert day.answers() == ["Первый ответ"]
        assert await day.history("alisa") == ["Привет", "Первый ответ"]


async def test_an_answer_that_was_not_sent_is_sent_later_in_the_same_words(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with begin() as day:
        bot, session = day.bots("telegram").bot, day.bots("telegram").session
        turn, person = await _turn(day, "alisa")
        async with turn:
            with monkeypatch.context() as patch:
                patch.setattr(session, "make_request", _no_network)
                with pytest.raises(TelegramNetworkError):
                    await day.it.send_once(turn, person, "Первый ответ", bot)
            await day.it.send_once(turn, person, "Второй ответ", bot)
        assert day.answers() == ["Первый ответ"]
        assert await day.history("alisa") == ["Привет", "Первый ответ"]


async def test_an_answer_that_is_not_logged_is_sent_all_the_same(begin: Begin) -> None:
    async with begin() as day:
        turn, person = await _turn(day, "gleb")
        async with turn:
            await day.it.send_once(turn, person, "Ответ", day.bots("telegram").bot)
        assert day.answers() == ["Ответ"]
        assert await day.history("gleb") == ["Привет", "Ответ"]
        assert day.database.rows("SELECT id FROM bot_messages") == []


async def test_a_turn_that_always_fails_is_given_up_with_a_word(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    async with begin() as day:
        telegram = day.bots("telegram")
        day.database.rows(day.it.TURN_ANSWERS.text)
        monkeypatch.setattr(day.it, "TRIES", 2)
        day.bots("llm").failing.extend(RuntimeError() for _ in range(10))
        answering = asyncio.create_task(day.it.answer_turns(telegram.bot))
        try:
            await day.in_the_chat(telegram.bot, "alisa", "Привет")
            async with asyncio.timeout(20):
                while not day.answers():  # noqa: ASYNC110  nothing is committed when it is given up
                    await asyncio.sleep(0.02)
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
        assert day.answers()[0].startswith("Не получилось ответить")
        assert len(day.bots("llm").asked) == 2


async def test_one_question_is_embedded_once_for_both_searches(begin: Begin) -> None:
    async with begin(up_to=8) as day:
        person, asked = await day.person("alisa"), day.bots("retrieval").asked
        for _ in range(3):
            await asyncio.gather(
                day.it.rag_search(person, "Как уснуть?"), day.it.search_summaries(person, "Как уснуть?")
            )
        assert dict(asked) == {"embed": 1, "passages": 1, "summaries": 1}


async def test_the_process_of_the_last_step_opens_answers_and_ends(begin: Begin) -> None:
    """By `main.py`, as FastAPI runs it."""
    async with begin(is_open=False) as day, importlib.import_module("main").lifespan(None):
        day.database.rows(day.it.TURN_ANSWERS.text)
        await day.in_the_chat(day.bots("telegram").bot, "alisa", "Привет")
        assert (await day.answered(1))[0].endswith(repr("Привет"))


async def test_what_waits_when_a_process_ends_is_answered_by_the_next(begin: Begin) -> None:
    async with begin(is_open=False) as day, importlib.import_module("main").lifespan(None):
        day.database.rows(day.it.TURN_ANSWERS.text)
        await day.in_the_chat(day.bots("telegram").bot, "alisa", "Привет")
        assert day.answers() == []
    async with begin(is_open=False) as day, importlib.import_module("main").lifespan(None):
        assert (await day.answered(1))[0].endswith(repr("Привет"))


async def test_the_log_says_what_the_document_says_it_says(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="cache_layer")
    async with begin(up_to=1):
        pass
    async with begin(up_to=1, REDIS_URL="redis://127.0.0.1:1"):
        pass
    quoted = re.findall(r"`(redis ping (?:ok|failed) role=[^`]*)`", TEXT)
    assert len(quoted) == 2
    for line in quoted:
        pattern = re.sub(r"(latency_ms|server|reason)=[^;]*?(?= \w+=|;|$)", r"\1=[^;]+", line)
        assert any(re.fullmatch(pattern, said) for said in caplog.messages), (pattern, caplog.messages)


async def _turn(day: Day, name: str) -> tuple[Any, Any]:
    """What they have just written, as the turn that it comes out as."""
    day.database.rows(day.it.TURN_ANSWERS.text)
    await day.in_the_chat(day.bots("telegram").bot, name, "Привет")
    return await anext(day.it.cache.talk.turns()), await day.person(name)


async def _no_network(_bot: Any, method: Any, timeout: int | None = None) -> Any:  # noqa: ASYNC109
    raise TelegramNetworkError(method, "no network")
