"""Privacy as the bot's users see it (G5): nothing of whom nothing may be kept, and what is purged stays away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from qdrant_client import QdrantClient

from cache_layer import Message
from pomni_admin.demo.bot.settings import SUMMARIES
from pomni_admin.demo.servers import Valkey, Vectors
from tests.demo.bot_stage import Stage, add_summary, cache_environment, qdrant_environment, stage
from tests.demo.redis_contents import has_text, names
from tests.harness.cast import Cast
from tests.harness.servers import Database

SECRET = "Шкатулка с письмами"
LATER = "Ключ под половицей"
TEXT_KEYS = ("recent_history", "rag_cache", "talkbuf")


@pytest.fixture
async def bot(
    database: Database, valkey: Valkey, vectors_server: Vectors, qdrant: QdrantClient
) -> AsyncIterator[Stage]:
    """With retrieval, since what somebody asks is text of theirs as well."""
    async with stage(database.url, cache_environment(valkey.url), qdrant_environment(vectors_server)) as made:
        assert made.services.retrieval is not None
        await made.services.retrieval.fill()
        yield made


def text_keys(url: str) -> list[str]:
    """Keys that hold text, or come from it. The version of a collection is nobody's."""
    return [name for name in names(url) if name.startswith(TEXT_KEYS) and "version" not in name]


async def test_what_may_be_stored_is_found_in_redis_once_it_is_decrypted(
    bot: Stage, cast: Cast, valkey: Valkey
) -> None:
    """The control of what follows: text that is there is found, and it is not there in the clear."""
    await bot.say(cast.tg_id("alisa"), SECRET)
    await bot.say(cast.tg_id("alisa"), "Слушай")
    assert has_text(valkey.url, SECRET)
    assert text_keys(valkey.url)


@pytest.mark.parametrize("level", ["none", "off", "strict"])
async def test_of_someone_with_such_a_level_nothing_is_in_redis(
    bot: Stage, cast: Cast, valkey: Valkey, database: Database, level: str
) -> None:
    database.rows("UPDATE users SET privacy_level = %s WHERE id = %s", level, cast.gleb)
    for text in (SECRET, "Слушай", SECRET):
        assert await bot.say(cast.tg_id("gleb"), text) == "answered"
    assert not has_text(valkey.url, SECRET)
    assert text_keys(valkey.url) == []


async def test_what_waits_to_be_answered_is_in_redis_sealed_or_not_at_all(
    database: Database, cast: Cast, valkey: Valkey
) -> None:
    patient = cache_environment(valkey.url) | {"TALK_DEBOUNCE_SEC": "5", "TALK_DEBOUNCE_SHORT_SEC": "5"}
    async with stage(database.url, patient) as bot:
        await bot.feed(bot.updates.text(cast.tg_id("gleb"), SECRET))
        assert text_keys(valkey.url) == []
        await bot.feed(bot.updates.text(cast.tg_id("alisa"), LATER))
        assert not has_text(valkey.url, SECRET)
        assert has_text(valkey.url, LATER)


async def test_a_switch_to_none_leaves_nothing_and_lets_nothing_in(
    bot: Stage, cast: Cast, valkey: Valkey, database: Database
) -> None:
    """Fails when the switch only invalidates the identity: history and what was found stay until they end."""
    alisa = cast.tg_id("alisa")
    held = (await bot.services.meet(alisa)).person  # by a handler that is still at work
    await bot.say(alisa, SECRET)
    await bot.say(alisa, "Слушай")
    assert has_text(valkey.url, SECRET)

    assert await bot.press(alisa, "privacy:none") == "answered"
    assert not has_text(valkey.url, SECRET)
    assert database.rows("SELECT id FROM bot_messages WHERE user_id = %s", cast.alisa) == []

    await bot.services.cache.history.append(held, Message(10**6, "user", LATER, datetime.now(UTC)))
    assert bot.services.retrieval is not None
    await bot.services.retrieval.rag_search(held, LATER)
    await bot.services.retrieval.search_summaries(held, LATER)
    await bot.say(alisa, LATER)
    assert not has_text(valkey.url, LATER)
    assert len(database.rows("SELECT id FROM bot_messages WHERE user_id = %s", cast.alisa)) == 0
    said = [said["content"] for said in bot.services.replier.asked[-1]]
    assert LATER in said
    assert SECRET not in said


async def test_who_has_switched_back_is_written_down_again(bot: Stage, cast: Cast, database: Database) -> None:
    gleb = cast.tg_id("gleb")
    await bot.say(gleb, SECRET)
    assert await bot.press(gleb, "privacy:insights") == "answered"
    await bot.say(gleb, LATER)
    said = [row["text"] for row in database.rows("SELECT text FROM bot_messages WHERE role = 'user' ORDER BY id")]
    assert said == [LATER]


async def test_what_was_purged_does_not_come_back_by_a_late_append(
    bot: Stage, cast: Cast, valkey: Valkey, database: Database
) -> None:
    """Fails when a purge invalidates the history in place of having it forgotten."""
    alisa = cast.tg_id("alisa")
    await bot.say(alisa, "Привет")
    held = (await bot.services.meet(alisa)).person
    (row,) = database.rows(
        "INSERT INTO bot_messages (user_id, role, text) VALUES (%s, 'user', %s) RETURNING id, created_at",
        *(cast.alisa, SECRET),
    )
    assert await bot.press(alisa, "purge") == "answered"
    await bot.say(alisa, "О чём мы?")  # which fills the history anew
    await bot.services.cache.history.append(held, Message(row["id"], "user", SECRET, row["created_at"]))
    await bot.say(alisa, "И всё же?")
    assert SECRET not in [said["content"] for said in bot.services.replier.asked[-1]]
    assert not has_text(valkey.url, SECRET)


async def test_who_is_deleted_leaves_nothing(bot: Stage, cast: Cast, valkey: Valkey) -> None:
    boris = cast.tg_id("boris")
    await bot.say(boris, SECRET)
    await bot.say(boris, "Слушай")
    assert await bot.press(boris, "delete") == "answered"
    assert not has_text(valkey.url, SECRET)
    left = {name for name in names(valkey.url) if f"{{{cast.boris}}}" in name}
    assert left == {f"nostore:{{{cast.boris}}}"}


async def test_vectors_of_deleted_summaries_are_deleted_too(
    bot: Stage, cast: Cast, qdrant: QdrantClient, database: Database
) -> None:
    add_summary(database, qdrant, cast.alisa, "Алиса не может уснуть из-за совещания.")
    alisa = cast.tg_id("alisa")
    await bot.say(alisa, "Не могу уснуть")
    assert "совещания" in bot.services.replier.asked[-1][0]["content"]
    assert await bot.press(alisa, "purge") == "answered"
    assert qdrant.count(SUMMARIES).count == 0
    await bot.say(alisa, "Не могу уснуть")
    assert "совещания" not in bot.services.replier.asked[-1][0]["content"]
