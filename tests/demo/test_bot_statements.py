"""What a message costs in statements: counted where the bot hands them to PostgreSQL's driver.

Measured on the production bot: 19 a message, 17 of them SELECTs. The goal: on a warm cache none is a SELECT, or one
where summaries were found, for their texts.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

from psycopg import AsyncCursor
from psycopg.rows import TupleRow
from qdrant_client import QdrantClient

from pomni_admin.demo.servers import Valkey, Vectors
from tests.demo.bot_stage import Stage, add_summary, cache_environment, qdrant_environment, stage
from tests.harness.cast import Cast
from tests.harness.servers import Database


class Statements:
    """Those sent since the last `take`, by their first word and the first table that they read."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        seen = self._seen

        class Counting(AsyncCursor[TupleRow]):
            async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
                seen.append(str(query))
                return await super().execute(query, *args, **kwargs)

        self.cursor = Counting

    def take(self) -> tuple[Counter[str], list[str]]:
        """How many there were of each kind, and the SELECTs."""
        seen, self._seen[:] = list(self._seen), []
        return Counter(text.split()[0] for text in seen), [text for text in seen if text.split()[0] == "SELECT"]


@contextlib.asynccontextmanager
async def counted(
    database: Database, valkey: Valkey, bot: Mapping[str, str] | None = None, **cache: str
) -> AsyncIterator[tuple[Stage, Statements]]:
    statements = Statements()
    environment = cache_environment(valkey.url) | cache
    async with stage(database.url, environment, bot, cursor_factory=statements.cursor) as made:
        yield made, statements


async def test_a_message_on_a_warm_cache_costs_the_two_inserts_of_the_log(
    database: Database, valkey: Valkey, cast: Cast
) -> None:
    async with counted(database, valkey) as (bot, statements):
        await bot.say(cast.tg_id("alisa"), "Привет")
        statements.take()
        for _ in range(5):
            await bot.say(cast.tg_id("alisa"), "Слушай")
        assert statements.take() == ({"INSERT": 10}, [])


async def test_a_message_on_a_cold_cache_costs_one_select_of_each_thing(
    database: Database, valkey: Valkey, cast: Cast
) -> None:
    async with counted(database, valkey) as (bot, statements):
        await bot.say(cast.tg_id("alisa"), "Привет")
        kinds, selects = statements.take()
    assert kinds == {"SELECT": 3, "INSERT": 2}
    assert "u.tg_id" in selects[0]
    assert "subscription_until" in selects[1]
    assert "FROM bot_messages" in selects[2]


async def test_a_second_instance_finds_warm_what_the_first_has_loaded(
    database: Database, valkey: Valkey, cast: Cast
) -> None:
    async with counted(database, valkey) as (first, _):
        await first.say(cast.tg_id("alisa"), "Привет")
    async with counted(database, valkey) as (second, statements):
        await second.say(cast.tg_id("alisa"), "Слушай")
        assert statements.take() == ({"INSERT": 2}, [])


async def test_without_the_caches_everything_is_asked_each_time(database: Database, valkey: Valkey, cast: Cast) -> None:
    """The control: what is counted above is there to be counted. Identity and access twice, the history once."""
    async with counted(database, valkey, REDIS_CACHE="off") as (bot, statements):
        await bot.say(cast.tg_id("alisa"), "Привет")
        statements.take()
        await bot.say(cast.tg_id("alisa"), "Слушай")
        kinds, _ = statements.take()
    assert kinds == {"SELECT": 5, "INSERT": 2}


async def test_a_message_of_someone_whose_text_may_not_be_stored_costs_nothing(
    database: Database, valkey: Valkey, cast: Cast
) -> None:
    async with counted(database, valkey) as (bot, statements):
        await bot.say(cast.tg_id("gleb"), "Привет")
        statements.take()
        await bot.say(cast.tg_id("gleb"), "Слушай")
        assert statements.take() == ({}, [])


async def test_where_summaries_are_found_their_texts_cost_one_select(
    database: Database, valkey: Valkey, cast: Cast, qdrant: QdrantClient, vectors_server: Vectors
) -> None:
    summary = "Алиса не может уснуть из-за совещания."
    add_summary(database, qdrant, cast.alisa, summary)
    async with counted(database, valkey, qdrant_environment(vectors_server)) as (bot, statements):
        assert bot.services.retrieval is not None
        await bot.services.retrieval.fill()
        await bot.say(cast.tg_id("alisa"), "Опять не могу уснуть: совещание")
        statements.take()
        for text in ("Опять не могу уснуть: совещание", "Не могу уснуть, всё из-за совещания"):
            await bot.say(cast.tg_id("alisa"), text)
            kinds, (select,) = statements.take()
            assert kinds == {"SELECT": 1, "INSERT": 2}
            assert "FROM dialog_summaries" in select
            asked = bot.services.replier.asked[-1][0]["content"]
            assert summary in asked
            assert "Бессонница" in asked, "a passage of the corpus"
