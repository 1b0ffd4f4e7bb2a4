"""The simulated bot: updates pass the real dispatcher, over real PostgreSQL and Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from aiogram.exceptions import TelegramNotFound
from aiogram.methods import SendChatAction

from pomni_admin.demo.bot.payments import apply_success_payment
from pomni_admin.demo.servers import Valkey
from tests.demo.bot_stage import Stage, stage
from tests.harness.cast import Cast
from tests.harness.servers import Database

PAYMENT = UUID("5f6b0a52-8f2e-4c53-9d0f-000000000001")
NEWCOMER = 700_000_099


@pytest.fixture
async def bot(database: Database, valkey: Valkey) -> AsyncIterator[Stage]:
    async with stage(database.url, {"REDIS_URL": valkey.url}) as made:
        yield made


def turns(database: Database, user_id: int) -> list[tuple[str, str]]:
    rows = database.rows("SELECT role, text FROM bot_messages WHERE user_id = %s ORDER BY id", user_id)
    return [(row["role"], row["text"]) for row in rows]


async def test_a_message_is_answered_and_both_turns_are_written_down(
    bot: Stage, cast: Cast, database: Database
) -> None:
    assert await bot.say(cast.tg_id("alisa"), "Опять не сплю") == "answered"
    assert len(bot.sent) == 1
    assert turns(database, cast.alisa) == [("user", "Опять не сплю"), ("bot", bot.sent[0])]
    assert any(isinstance(call, SendChatAction) for call in bot.session.calls)


@pytest.mark.parametrize("level", ["none", "off", "whatever"])
async def test_nothing_is_written_down_of_someone_whose_text_may_not_be_stored(
    bot: Stage, cast: Cast, database: Database, level: str
) -> None:
    """G5. Fails when LOG_MESSAGE does not judge the privacy level."""
    database.rows("UPDATE users SET privacy_level = %s WHERE id = %s", level, cast.gleb)
    assert await bot.say(cast.tg_id("gleb"), "Только между нами") == "answered"
    assert len(bot.sent) == 1
    assert turns(database, cast.gleb) == []


async def test_someone_expired_is_refused_and_let_in_the_moment_the_payment_is_in(
    bot: Stage, cast: Cast, database: Database
) -> None:
    """G1. Fails when `apply_success_payment` does not invalidate: the refusal is in the cache, as is shown."""
    vera = cast.tg_id("vera")
    assert await bot.say(vera, "/start") == "refused"
    assert "pay:month" in bot.buttons()
    assert (await bot.services.cache.access_state.peek(cast.vera)).state == "hit"
    assert turns(database, cast.vera) == []

    assert await bot.press(vera, "pay:month") == "answered"
    assert await apply_success_payment(bot.services.pool, bot.services.cache, vera, "month", PAYMENT)
    assert await bot.say(vera, "Я снова тут") == "answered"
    assert len(turns(database, cast.vera)) == 2


async def test_a_webhook_that_comes_twice_is_one_payment(bot: Stage, cast: Cast, database: Database) -> None:
    services = bot.services
    tg_id = cast.tg_id("alisa")
    until = "SELECT subscription_until AS until FROM subscriptions WHERE user_id = %s"
    (before,) = database.rows(until, cast.alisa)
    assert await apply_success_payment(services.pool, services.cache, tg_id, "month", PAYMENT)
    assert not await apply_success_payment(services.pool, services.cache, tg_id, "month", PAYMENT)
    (after,) = database.rows(until, cast.alisa)
    assert (after["until"] - before["until"]).days == 30
    assert len(database.rows("SELECT id FROM payments")) == 1


async def test_a_new_person_is_offered_a_trial_and_is_in_after_one_press(bot: Stage, database: Database) -> None:
    assert await bot.say(NEWCOMER, "/start") == "refused"
    assert bot.buttons()[0] == "trial"
    assert await bot.press(NEWCOMER, "trial") == "answered"
    assert await bot.say(NEWCOMER, "Привет") == "answered"
    (user,) = database.rows("SELECT id, trial_started_at FROM users")
    assert user["trial_started_at"] is not None
    assert len(turns(database, user["id"])) == 2


async def test_a_second_trial_does_not_begin(bot: Stage, cast: Cast) -> None:
    """Vera's ended long ago; an old button must not give her another."""
    assert await bot.press(cast.tg_id("vera"), "trial") == "answered"
    assert await bot.say(cast.tg_id("vera"), "И всё-таки") == "refused"


async def test_whoever_blocked_the_bot_is_marked_until_they_write_again(
    bot: Stage, cast: Cast, database: Database
) -> None:
    marked = "SELECT tg_is_blocked AS is_blocked FROM users WHERE id = %s"
    await bot.feed(bot.updates.blocked(cast.tg_id("boris")))
    assert database.rows(marked, cast.boris) == [{"is_blocked": True}]
    await bot.say(cast.tg_id("boris"), "Вернулся")
    assert database.rows(marked, cast.boris) == [{"is_blocked": False}]


async def test_a_huge_message_with_odd_characters_is_cut_and_written_down(
    bot: Stage, cast: Cast, database: Database
) -> None:
    text = "😔\0\ud800 \u202eשלום\x07 " + "я" * 100_000
    assert await bot.services.replier.answer(cast.tg_id("alisa"), text)
    assert await bot.say(cast.tg_id("alisa"), text) == "answered"
    (_, written), _ = turns(database, cast.alisa)
    assert len(written) == 4000
    assert written.startswith("😔? \u202eשלום\x07 яя")


async def test_a_call_that_telegram_does_not_know_is_refused_as_telegram_would(bot: Stage) -> None:
    with pytest.raises(TelegramNotFound):
        await bot.bot.get_my_description()


async def test_a_warm_gate_asks_postgres_nothing_about_subscriptions(
    database: Database, valkey: Valkey, cast: Cast
) -> None:
    """The server itself counts the scans of the table. With the cache off there is one for each update."""

    async def scans(cache: str, updates: int) -> int:
        before = scanned(database)
        async with stage(database.url, {"REDIS_URL": valkey.url, "REDIS_CACHE_ACCESS_STATE": cache}) as bot:
            for _ in range(updates):
                assert await bot.say(cast.tg_id("alisa"), "Слушай") == "answered"
        return scanned(database) - before

    assert await scans("on", 1) == 1
    assert await scans("on", 10) == 0
    assert await scans("off", 10) == 10


def scanned(database: Database) -> int:
    """Scans of `subscriptions` so far. A session reports its own when it ends, so that none may be left."""
    others = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    others += " AND backend_type = 'client backend'"
    with database.connect() as connection:
        for _ in range(1000):
            (row,) = connection.execute(others.encode()).fetchall()
            if row["n"] == 0:
                break
        else:
            pytest.fail("somebody else is connected to the test's database")
        (row,) = connection.execute(
            "SELECT seq_scan + coalesce(idx_scan, 0) AS n FROM pg_stat_user_tables WHERE relname = 'subscriptions'"
        ).fetchall()
        return int(row["n"])
