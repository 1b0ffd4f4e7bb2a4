"""The simulated bot: updates pass the real dispatcher, over real PostgreSQL and Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from aiogram.exceptions import TelegramNotFound
from aiogram.methods import SendChatAction

from pomni_admin.demo.bot import talking
from pomni_admin.demo.bot.payments import apply_success_payment
from pomni_admin.demo.servers import Valkey
from tests.demo.bot_stage import Stage, cache_environment, stage
from tests.harness.cast import Cast
from tests.harness.servers import Database

PAYMENT = UUID("5f6b0a52-8f2e-4c53-9d0f-000000000001")
NEWCOMER = 700_000_099


@pytest.fixture
async def bot(database: Database, valkey: Valkey) -> AsyncIterator[Stage]:
    async with stage(database.url, cache_environment(valkey.url)) as made:
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
    """G5. Fails when `note` does not ask the person, and `LOG` not the row."""
    database.rows("UPDATE users SET privacy_level = %s WHERE id = %s", level, cast.gleb)
    assert await bot.say(cast.tg_id("gleb"), "Только между нами") == "answered"
    assert len(bot.sent) == 1
    assert turns(database, cast.gleb) == []


async def test_nothing_is_written_down_of_someone_whose_switch_nobody_has_heard_of(
    bot: Stage, cast: Cast, database: Database
) -> None:
    """G5. Fails when `LOG` does not judge the privacy level: the cached identity says that text may be stored."""
    alisa = cast.tg_id("alisa")
    assert await bot.say(alisa, "Привет") == "answered"
    database.rows("UPDATE users SET privacy_level = 'none' WHERE id = %s", cast.alisa)
    assert await bot.say(alisa, "Только между нами") == "answered"
    assert len(turns(database, cast.alisa)) == 2
    assert len(bot.sent) == 2


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


async def test_a_new_person_accepts_the_policy_begins_a_trial_and_is_in(bot: Stage, database: Database) -> None:
    assert await bot.say(NEWCOMER, "/start") == "refused"
    assert bot.buttons() == ["policy"]
    assert await bot.press(NEWCOMER, "trial") == "answered"  # a button of another day
    assert await bot.say(NEWCOMER, "/start") == "refused"
    assert await bot.press(NEWCOMER, "policy") == "answered"
    assert bot.buttons()[0] == "trial"
    assert await bot.press(NEWCOMER, "trial") == "answered"
    assert await bot.say(NEWCOMER, "Привет") == "answered"
    (user,) = database.rows("SELECT id, trial_started_at, policy_accepted_at FROM users")
    assert user["trial_started_at"] is not None
    assert user["policy_accepted_at"] is not None
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
    assert await bot.say(cast.tg_id("alisa"), text) == "answered"
    (_, written), _ = turns(database, cast.alisa)
    assert len(written) == 4000
    assert written.startswith("😔? \u202eשלום\x07 яя")


async def test_the_llm_is_told_what_was_said_before(bot: Stage, cast: Cast) -> None:
    alisa = cast.tg_id("alisa")
    await bot.say(alisa, "Меня зовут Алиса")
    await bot.say(alisa, "Как меня зовут?")
    persona, *said = bot.services.replier.asked[-1]
    assert persona["role"] == "system"
    assert said == [
        {"role": "user", "content": "Меня зовут Алиса"},
        {"role": "assistant", "content": bot.sent[0]},
        {"role": "user", "content": "Как меня зовут?"},
    ]


async def test_the_llm_is_told_what_someone_said_of_whom_nothing_is_stored(bot: Stage, cast: Cast) -> None:
    """From this process's memory."""
    await bot.say(cast.tg_id("gleb"), "Меня зовут Глеб")
    await bot.say(cast.tg_id("gleb"), "Как меня зовут?")
    assert [said["content"] for said in bot.services.replier.asked[-1][1:]] == [
        "Меня зовут Глеб",
        bot.sent[0],
        "Как меня зовут?",
    ]


async def test_messages_in_quick_succession_get_one_answer(database: Database, valkey: Valkey, cast: Cast) -> None:
    """G7. Fails when `talk` answers by itself."""
    patient = cache_environment(valkey.url) | {"TALK_DEBOUNCE_SEC": "0.3", "TALK_DEBOUNCE_SHORT_SEC": "0.3"}
    async with stage(database.url, patient) as bot:
        assert await bot.say(cast.tg_id("alisa"), "Слушай", "тут такое дело", "опять не сплю") == "answered"
        assert [role for role, _ in turns(database, cast.alisa)] == ["user", "user", "user", "bot"]
        assert len(bot.sent) == 1
        assert bot.services.figures.total["merged"] == 1


async def test_an_answer_that_fails_again_and_again_is_given_up_with_a_word(
    bot: Stage, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when nobody counts: the layer hands the turn out for as long as its handler raises."""

    async def broken(*_: object) -> str:
        raise RuntimeError("the model is broken")

    monkeypatch.setattr(bot.services.replier, "answer", broken)
    monkeypatch.setattr(talking, "TRIES", 1)
    assert await bot.say(cast.tg_id("alisa"), "Ты тут?") == "answered"
    assert bot.sent == [talking.SORRY]
    assert bot.services.figures.total["failed"] == 1


async def test_an_answer_that_is_sent_and_cannot_be_written_down_is_not_sent_again(
    bot: Stage, cast: Cast, database: Database
) -> None:
    database.rows("ALTER TABLE bot_messages ADD CONSTRAINT refused CHECK (role <> 'bot')")
    try:
        assert await bot.say(cast.tg_id("alisa"), "Ты тут?") == "answered"
        assert await bot.say(cast.tg_id("alisa"), "А сейчас?") == "answered"
    finally:
        database.rows("ALTER TABLE bot_messages DROP CONSTRAINT refused")
    assert len(bot.sent) == 2
    assert bot.services.figures.total["failed"] == 2


async def test_whoever_was_deleted_comes_back_as_somebody_new(bot: Stage, cast: Cast, database: Database) -> None:
    """Fails when the cached identity outlives the person: what is said then would be about nobody."""
    boris = cast.tg_id("boris")
    await bot.say(boris, "Забудь меня")
    assert await bot.press(boris, "delete") == "answered"
    assert database.rows("SELECT id FROM bot_messages WHERE user_id = %s", cast.boris) == []
    assert await bot.say(boris, "/start") == "refused"
    assert bot.buttons() == ["policy"]
    (user,) = database.rows("SELECT id FROM users WHERE tg_id = %s", boris)
    assert user["id"] != cast.boris


async def test_a_call_that_telegram_does_not_know_is_refused_as_telegram_would(bot: Stage) -> None:
    with pytest.raises(TelegramNotFound):
        await bot.bot.get_my_description()
