"""A day of the bot as `docs/bot.md` makes it: after each step, what that step is said to do, whatever Redis does."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from aiogram import Bot
from aiogram.types import Chat, User
from aiogram.types import Message as TelegramMessage

from cache_layer import LockLost
from tests.docs.document import TEXT
from tests.harness.cast import Cast
from tests.harness.servers import Database

NEWCOMER = 700_000_009
LEAVER = NEWCOMER + 2
OWN_TABLES = ("turn_answers", "lock_fences")


@dataclass
class Day:
    """
    Attributes:
        it: the module `caching`, open.
        locks: whether locks are to be had: they have no source to fall back to.
    """

    it: ModuleType
    database: Database
    cast: Cast
    locks: bool = True

    def bots(self, module: str) -> ModuleType:
        return importlib.import_module(f"bot.{module}")

    async def spend(self, up_to: int, before: Callable[[int], object] = lambda _: None) -> None:
        """
        Args:
            before: called with each step's number before what it does is looked at.
        """
        for step, part in PARTS.items():
            if step <= up_to:
                before(step)
                await part(self)

    async def person(self, name: str) -> Any:
        return await self.it.meet(self.cast.tg_id(name))

    async def says(self, name: str, *texts: str) -> None:
        for text in texts:
            await self.it._log_message_by_tg(self.cast.tg_id(name), "user", text)

    async def history(self, name: str) -> list[str]:
        return [said["content"] for said in await self.it._load_history_from_db(self.cast.tg_id(name))]

    async def in_the_chat(self, bot: Bot, name: str, *texts: str) -> None:
        """Messages as they come from Telegram, at the same time, so that they are quick also on a busy machine."""
        tg_id = self.cast.tg_id(name)
        user, chat = User(id=tg_id, is_bot=False, first_name=name), Chat(id=tg_id, type="private")
        person = await self.it.meet(tg_id)
        first = self.message_id + 1
        self.message_id += len(texts)
        messages = [
            TelegramMessage(message_id=number, date=datetime.now(UTC), chat=chat, from_user=user, text=text)
            for number, text in enumerate(texts, start=first)
        ]
        await asyncio.gather(*(self.it.talk(message, bot, person) for message in messages))

    message_id = 0

    def answers(self) -> list[str]:
        """What was sent to chats, in that order."""
        return [call.text for call in self.bots("telegram").session.calls if hasattr(call, "text")]

    async def answered(self, how_many: int) -> list[str]:
        committed: asyncio.Event = self.bots("db").committed
        async with asyncio.timeout(20):
            while len(self.answers()) < how_many or len(self.kept_answers()) < how_many:
                committed.clear()
                await committed.wait()
        return self.answers()

    def kept_answers(self) -> list[dict[str, Any]]:
        return self.database.rows("SELECT * FROM turn_answers WHERE sent_at IS NOT NULL ORDER BY sent_at")


async def access(day: Day) -> None:
    for _ in range(2):
        async with day.it.sessions() as session:
            states = [await day.it.get_access_state(session, getattr(day.cast, name)) for name in NAMES]
        assert [(state["has_access"], state["reason"]) for state in states] == [
            (True, "subscription"),
            (True, "trial"),
            (False, "none"),
            (True, "trial"),
        ]
        assert [state["subscription_status"] for state in states] == ["active", None, "expired", None]
        assert states[0]["subscription_until"] > datetime.now(UTC)
        assert states[1]["subscription_until"] is None
        assert (await day.it.read_access(10**12)).has_access is False


NAMES = ("alisa", "boris", "vera", "gleb")


async def payment(day: Day) -> None:
    paid = """
        UPDATE subscriptions SET status = 'active', subscription_until = now() + interval '30 days' WHERE user_id = :id
    """
    async with day.it.sessions() as session:
        assert not (await day.it.get_access_state(session, day.cast.vera))["has_access"]
        await session.execute(day.it.text(paid), {"id": day.cast.vera})
        await day.it.commit_payment(session, day.cast.vera)
        assert (await day.it.get_access_state(session, day.cast.vera))["reason"] == "subscription"


async def identity(day: Day) -> None:
    for _ in range(2):
        flags = [await day.it._gate_user_flags(day.cast.tg_id(name)) for name in NAMES]
        assert flags == [(True, True, True)] * 4
        assert await day.it._gate_user_flags(NEWCOMER) == (False, False, False)
    assert await day.it._ensure_user_id(NEWCOMER) == await day.it._ensure_user_id(NEWCOMER)
    assert await day.it._ensure_user_id(day.cast.tg_id("boris")) == day.cast.boris
    blocked = "SELECT tg_is_blocked FROM users WHERE tg_id = %s"
    day.database.rows("UPDATE users SET tg_is_blocked = true, tg_blocked_at = now() WHERE tg_id = %s", NEWCOMER)
    data: dict[str, Any] = {}
    await day.it.first_step_of_the_gate(NEWCOMER, data)
    assert data["person"].user_id == await day.it._ensure_user_id(NEWCOMER)
    assert day.database.rows(blocked, NEWCOMER) == [{"tg_is_blocked": False}]
    boris = day.cast.tg_id("boris")
    day.database.rows("UPDATE users SET tg_is_blocked = true, tg_blocked_at = now() WHERE tg_id = %s", boris)
    await day.it.cache.identity.invalidate(boris)
    await day.it.first_step_of_the_gate(boris, {})
    assert not (await day.person("boris")).blocked


async def privacy(day: Day) -> None:
    boris = day.cast.tg_id("boris")
    assert (await day.person("boris")).may_store
    await day.it._db_set_privacy(boris, "none")
    assert not (await day.person("boris")).may_store
    await day.it._db_set_privacy(boris, "ask")
    assert (await day.person("boris")).may_store
    day.database.rows(
        "INSERT INTO users (tg_id, policy_accepted_at, trial_started_at) VALUES (%s, now(), now())", LEAVER
    )
    before = await day.it._ensure_user_id(LEAVER)
    await day.it.delete_user(LEAVER)
    assert await day.it._ensure_user_id(LEAVER) != before


async def history(day: Day) -> None:
    for name in ("alisa", "gleb"):
        assert await day.history(name) == []
        await day.says(name, "Привет", "Мне плохо спится")
        await day.it._log_message_by_tg(day.cast.tg_id(name), "bot", "Расскажи")
        for _ in range(2):
            assert await day.history(name) == ["Привет", "Мне плохо спится", "Расскажи"]
        assert (await day.it._load_history_from_db(day.cast.tg_id(name), limit=1))[0]["role"] == "assistant"
    assert day.database.rows("SELECT DISTINCT user_id FROM bot_messages") == [{"user_id": day.cast.alisa}]
    for name in ("alisa", "gleb"):
        await day.it._purge_user_history(day.cast.tg_id(name))
        assert await day.history(name) == []
        await day.says(name, "Я снова тут")
        assert await day.history(name) == ["Я снова тут"]
    alisa = day.cast.tg_id("alisa")
    await day.it._db_set_privacy(alisa, "none")
    await day.says("alisa", "Только между нами")
    assert await day.history("alisa") == ["Только между нами"]
    await day.it._db_set_privacy(alisa, "insights")
    assert await day.history("alisa") == ["Я снова тут"]


async def turn(day: Day) -> None:
    for _ in range(2):
        context = await day.it.begin_answer(day.cast.tg_id("alisa"))
        assert context.person.user_id == day.cast.alisa
        assert context.access_state.has_access
        assert [message.text for message in context.history] == ["Я снова тут"]
    assert await day.it.begin_answer(NEWCOMER + 1) is None


async def retrieval(day: Day) -> None:
    person = await day.person("vera")
    corpus = day.bots("retrieval").corpus
    for asked in ("Как уснуть?", "как  уснуть?"):
        assert (await day.it.rag_search(person, asked)).startswith("first edition")
        found = await day.it.search_summaries(person, asked)
        assert found[0]["summary_id"] == day.cast.vera
        assert found[0]["kind"] == "daily"
    corpus["edition"] = "second"
    await day.it.corpus_was_changed()
    assert (await day.it.rag_search(person, "Как уснуть?")).startswith("second edition")
    summaries = day.bots("retrieval").summaries
    for tell, whom in (
        (day.it.summaries_were_changed, day.cast.vera),
        (day.it._purge_user_history, day.cast.tg_id("vera")),
    ):
        summaries["day"] += 1
        await tell(whom)
        found = await day.it.search_summaries(person, "Как уснуть?")
        assert found[0]["period_start"] == f"2026-10-{summaries['day']:02}"


async def merging(day: Day) -> None:
    telegram = day.bots("telegram")
    day.database.rows(day.it.TURN_ANSWERS.text)
    answering = asyncio.create_task(day.it.answer_turns(telegram.bot))
    try:
        await day.in_the_chat(telegram.bot, "vera", "Привет", "Не спится", "Что делать?")
        assert (await day.answered(1))[0].endswith(repr("Привет\nНе спится\nЧто делать?"))
        await day.in_the_chat(telegram.bot, "gleb", "Тише", "Я тут")
        assert (await day.answered(2))[1].endswith(repr("Тише\nЯ тут"))
        day.bots("llm").failing.append(RuntimeError())
        await day.in_the_chat(telegram.bot, "vera", "А теперь?")
        assert (await day.answered(3))[2].endswith(repr("А теперь?"))
        assert (await day.history("vera"))[-1].endswith(repr("А теперь?"))
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
    written = day.database.rows(
        "SELECT role, count(*) FROM bot_messages WHERE user_id = %s GROUP BY role", day.cast.vera
    )
    assert {row["role"]: row["count"] for row in written} == {"user": 4, "bot": 2}
    assert day.database.rows("SELECT id FROM bot_messages WHERE user_id = %s", day.cast.gleb) == []


async def locks(day: Day) -> None:
    day.database.rows(day.it.FENCES.text)
    ended = "INSERT INTO subscriptions (user_id, status, subscription_until) VALUES (%s, 'active', %s)"
    day.database.rows(ended, day.cast.gleb, datetime.now(UTC) - timedelta(hours=1))
    assert await day.it.mark_expired() == ("ok" if day.locks else "not now")
    status = day.database.rows("SELECT status FROM subscriptions WHERE user_id = %s", day.cast.gleb)
    assert status == [{"status": "expired" if day.locks else "active"}]
    if day.locks:
        with pytest.raises(LockLost):
            await day.it.write_under("mark_expired", 1, "DELETE FROM users", {})
        async with day.it.cache.lock("mark_expired"):
            assert await day.it.mark_expired() == "already_running"


async def metrics(day: Day) -> None:
    said: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": [], "query_string": b""}
    await day.it.metrics_app()(scope, receive, send)
    text = b"".join(message.get("body", b"") for message in said).decode()
    for name in re.findall(r"`(pomni_cache_\w+)`", TEXT):
        assert f"# TYPE {name} " in text or f"# TYPE {name.removesuffix('_total')} " in text
    assert str(day.cast.tg_id("gleb")) not in text


PARTS: Mapping[int, Callable[[Day], Awaitable[None]]] = {
    2: access,
    3: payment,
    4: identity,
    5: privacy,
    6: history,
    7: turn,
    8: retrieval,
    9: merging,
    10: locks,
    11: metrics,
}
