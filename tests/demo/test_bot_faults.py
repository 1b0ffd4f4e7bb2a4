"""The simulated bot while Valkey or PostgreSQL is away (G4)."""

from __future__ import annotations

import asyncio
import signal
import statistics
import time
from uuid import UUID

import psycopg
import pytest

from pomni_admin.bot.tables import create_tables
from pomni_admin.demo.bot.payments import apply_success_payment
from pomni_admin.demo.bot.postgres import Patience
from pomni_admin.demo.servers import Postgres, Valkey, Vectors, free_port
from tests.demo.bot_stage import Stage, cache_environment, qdrant_environment, stage
from tests.harness.cast import Cast
from tests.harness.processes import Spawn
from tests.harness.servers import Database

PAYMENT = UUID("5f6b0a52-8f2e-4c53-9d0f-000000000002")
NEWCOMER = 700_000_099


async def until_cached(bot: Stage, tg_id: int, user_id: int) -> None:
    """Write until the answer is taken from Redis again; five seconds at most, as G4 promises."""
    async with asyncio.timeout(5):
        while (await bot.services.cache.access_state.peek(user_id)).state != "hit":
            assert await bot.say(tg_id, "Ты тут?") == "answered"


async def test_valkey_dies_in_the_middle_and_the_bot_answers_rightly_until_it_is_back(
    database: Database, cast: Cast, own_valkey: Valkey
) -> None:
    """Fails when the gate lets an error of Redis through, or believes what it remembers of before."""
    async with stage(database.url, cache_environment(own_valkey.url)) as bot:
        alisa, vera = cast.tg_id("alisa"), cast.tg_id("vera")
        assert await bot.say(alisa, "Привет") == "answered"
        assert await bot.say(vera, "Привет") == "refused"

        own_valkey.kill()
        for _ in range(5):
            assert await bot.say(alisa, "Всё ещё тут") == "answered"
        assert bot.services.cache.circuit != "closed"
        assert await apply_success_payment(bot.services.pool, bot.services.cache, vera, "month", PAYMENT)
        assert await bot.say(vera, "Оплатила") == "answered"
        database.rows("UPDATE subscriptions SET status = 'expired' WHERE user_id = %s", cast.alisa)
        assert await bot.say(alisa, "А теперь?") == "refused"

        own_valkey.start()
        await until_cached(bot, vera, cast.vera)


async def test_valkey_hangs_and_nobody_waits_for_it(database: Database, cast: Cast, own_valkey: Valkey) -> None:
    """100 ms a call until the circuit is open, a moment for the messages that may be in Redis, then nothing.

    A message makes half a dozen calls: were each to wait, it would take over half a second.
    """
    async with stage(database.url, cache_environment(own_valkey.url)) as bot:
        own_valkey.pause()
        try:
            while bot.services.cache.circuit == "closed":
                assert await bot.say(cast.tg_id("boris"), "Алло") == "answered"
            took = []
            for _ in range(9):
                started = time.perf_counter()
                assert await bot.say(cast.tg_id("boris"), "Алло") == "answered"
                took.append(time.perf_counter() - started)
            assert statistics.median(took) < 0.2
        finally:
            own_valkey.resume()
        await until_cached(bot, cast.tg_id("boris"), cast.boris)


async def test_without_a_valkey_at_the_start_the_bot_works_and_finds_it_later(
    database: Database, cast: Cast, own_valkey: Valkey
) -> None:
    own_valkey.kill()
    async with stage(database.url, cache_environment(own_valkey.url)) as bot:
        assert await bot.say(cast.tg_id("alisa"), "Привет") == "answered"
        assert await bot.say(cast.tg_id("vera"), "Привет") == "refused"
        own_valkey.start()
        await until_cached(bot, cast.tg_id("alisa"), cast.alisa)


async def test_without_a_redis_url_the_bot_works(database: Database, cast: Cast) -> None:
    async with stage(database.url, {}) as bot:
        assert await bot.say(cast.tg_id("boris"), "Привет") == "answered"
        assert await bot.say(cast.tg_id("vera"), "Привет") == "refused"


async def test_an_update_is_delivered_again_until_postgres_is_back_and_the_outage_is_said_once(
    own_postgres: Postgres, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="bot")
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        create_tables(connection)
    async with stage(own_postgres.url, cache_environment(valkey.url)) as bot:
        assert await bot.say(NEWCOMER, "/start") == "refused"
        own_postgres.kill()
        patience = Patience()
        tried = asyncio.Event()

        async def deliver() -> object:
            try:
                return await bot.say(NEWCOMER, "/start")
            finally:
                tried.set()

        delivery = asyncio.create_task(patience.until_done(deliver))
        await tried.wait()
        await asyncio.to_thread(own_postgres.start)
        assert await delivery == "refused"
    said = [record.getMessage().partition(":")[0] for record in caplog.records if record.name == "bot"]
    assert said == ["postgres away", "postgres answers again"]


async def test_a_turn_that_postgres_cannot_serve_is_answered_once_when_it_is_back(
    own_postgres: Postgres, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        create_tables(connection)
        connection.execute(
            "INSERT INTO users (tg_id, policy_accepted_at, trial_started_at) VALUES (%s, now(), now())", (NEWCOMER,)
        )
    patient = cache_environment(valkey.url) | {"TALK_DEBOUNCE_SEC": "0.1", "TALK_DEBOUNCE_SHORT_SEC": "0.1"}
    async with stage(own_postgres.url, patient) as bot:
        coming = bot.services.answers.coming(NEWCOMER)
        assert await bot.feed(bot.updates.text(NEWCOMER, "Ты тут?")) == "taken"
        own_postgres.kill()
        await asyncio.to_thread(own_postgres.start)  # which takes longer than the turn waits
        async with asyncio.timeout(10):
            await coming
    assert len(bot.sent) == 1
    assert "postgres away" in caplog.text
    with psycopg.connect(own_postgres.url) as connection:
        assert connection.execute("SELECT role FROM bot_messages ORDER BY id").fetchall() == [("user",), ("bot",)]


async def test_without_qdrant_answers_go_without_what_it_knows_and_nothing_is_kept_of_that(
    database: Database, cast: Cast, valkey: Valkey, own_vectors: Vectors, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails when the loaders answer "nothing" while Qdrant is away: that would be believed for five minutes."""
    caplog.set_level("INFO", logger="bot")
    async with stage(database.url, cache_environment(valkey.url), qdrant_environment(own_vectors)) as bot:
        assert bot.services.retrieval is not None
        await bot.services.retrieval.fill()
        own_vectors.kill()
        for _ in range(2):
            assert await bot.say(cast.tg_id("alisa"), "Паническая атака, сердце колотится") == "answered"
        assert "Паническая" not in bot.services.replier.asked[-1][0]["content"]
        await asyncio.to_thread(own_vectors.start)
        assert await bot.say(cast.tg_id("alisa"), "Паническая атака, сердце колотится") == "answered"
        assert "Паническая" in bot.services.replier.asked[-1][0]["content"]
    said = [record.getMessage() for record in caplog.records if record.name == "bot"]
    assert said[1:] == ["qdrant away: qdrant_unavailable; answers go without what it knows"]


def test_the_process_outlives_an_outage_of_postgres_that_began_before_it_did(
    spawn: Spawn, own_postgres: Postgres, valkey: Valkey
) -> None:
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        create_tables(connection)
    own_postgres.kill()
    process = spawn(
        ["-m", "pomni_admin.demo.bot"],
        {"DATABASE_URL": own_postgres.url, "REDIS_URL": valkey.url, "BOT_RATE": "3000"},
    )
    process.wait_for("postgres away")
    own_postgres.start()
    process.wait_for("postgres answers again")
    assert process.process.poll() is None
    process.process.terminate()
    assert process.wait(5) == 0


def test_the_process_starts_without_a_valkey(spawn: Spawn, database: Database, cast: Cast) -> None:
    process = spawn(
        ["-m", "pomni_admin.demo.bot"],
        {"DATABASE_URL": database.url, "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0", "BOT_RATE": "3000"},
    )
    process.wait_for("redis ping failed")
    process.wait_for("bot started")
    wait_for_messages(database, 10)
    process.process.send_signal(signal.SIGINT)
    assert process.wait(5) == 0


def wait_for_messages(database: Database, number: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if database.rows("SELECT count(*) AS n FROM bot_messages")[0]["n"] >= number:
            return
    pytest.fail("the bot writes no messages")
