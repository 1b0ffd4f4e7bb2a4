"""From a commit to what everybody reads, by a relay that is a process of its own; and through what may befall it."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import redis
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, PointStruct, VectorParams
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from cache_layer import AccessState, CacheStats, Settings, SyncCacheLayer
from cache_layer.keys import Keys
from cache_layer.privacy import tg_hash
from pomni_admin import cache as site_cache
from pomni_admin.bot.access import read_access
from pomni_admin.demo.servers import Postgres, Valkey
from pomni_admin.relay import outbox as rows_of
from pomni_admin.relay.standing import standing
from tests.cache_layer.conftest import sync_client
from tests.harness.cast import Cast
from tests.harness.environment import EMBED_DIM
from tests.harness.processes import Spawned, StartWorker, _spawner
from tests.harness.servers import Database
from tests.relay.conftest import Outbox, StartRelay, connected, eventually

PAID = "UPDATE subscriptions SET status = 'active', subscription_until = now() + interval '30 days' WHERE user_id = %s"
SECOND_S = 1.0
"""What G1 gives."""


class Cached:
    """What Redis holds of people: put there, and looked for."""

    def __init__(self, url: str) -> None:
        self.client = redis.Redis.from_url(url)
        self._keys = Keys(site_cache.cache_settings().key_prefix)

    def names(self, user_id: int, tg_id: int) -> dict[str, str]:
        secret = site_cache.cache_settings().hash_secret
        keys = {
            name: self._keys.of(name, user_id) for name in ("access_state", "recent_history", "talkbuf", "rag_cache")
        }
        return keys | {"identity": self._keys.of("identity", tg_hash(secret, tg_id))}

    def fill(self, user_id: int, tg_id: int) -> None:
        for key in self.names(user_id, tg_id).values():
            self.client.set(key, "x", ex=600)

    def left(self, user_id: int, tg_id: int) -> set[str]:
        return {name for name, key in self.names(user_id, tg_id).items() if self.client.exists(key)}


@pytest.fixture
def cached(valkey: Valkey) -> Iterator[Cached]:
    held = Cached(valkey.url)
    yield held
    held.client.close()


@pytest.fixture(scope="module")
def running(migrated: Database, valkey_server: Valkey) -> Iterator[Spawned]:
    """One relay for all of these tests, since it takes a while to come up."""
    for spawn in _spawner():
        process = spawn(["manage.py", "relay", "run"])
        eventually(lambda: connected(migrated.url) >= 2, 60)
        yield process
        process.process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        assert "Traceback" not in process.output
        assert not re.search(r"70000000\d", process.output)  # a Telegram id (G6)


@pytest.fixture
def shared_relay(installed: Database, running: Spawned) -> Iterator[Spawned]:
    """That relay, with triggers, which a test may stop for a while."""
    yield running
    running.resume()


def within_a_second(condition: Callable[[], object]) -> None:
    eventually(condition, SECOND_S)


ALL = {"access_state", "recent_history", "talkbuf", "rag_cache", "identity"}
ROWS = {"access_state", "identity"}


def test_who_has_paid_is_let_in_within_a_second_and_not_without_a_relay(
    cast: Cast, installed: Database, shared_relay: Spawned
) -> None:
    """The control comes first: for as long as nobody relays, what was cached is served."""
    shared_relay.pause()
    layer = site_cache.layer()

    def access(user_id: int) -> AccessState:
        return layer.access_state.get(user_id, load=read_access)

    alisa = access(cast.alisa)
    assert alisa.has_access
    installed.rows("UPDATE subscriptions SET status = 'canceled' WHERE user_id = %s", cast.alisa)
    time.sleep(SECOND_S)
    assert access(cast.alisa) == alisa
    shared_relay.resume()
    within_a_second(lambda: not access(cast.alisa).has_access)

    assert not access(cast.vera).has_access
    installed.rows(PAID, cast.vera)
    within_a_second(lambda: access(cast.vera).reason == "subscription")


@pytest.mark.parametrize(
    ("statement", "goes"),
    [
        (PAID, ROWS),
        ("UPDATE users SET trial_started_at = now() WHERE id = %s", ROWS),
        ("UPDATE users SET policy_accepted_at = NULL WHERE id = %s", ROWS),
        ("UPDATE users SET tg_is_blocked = true WHERE id = %s", ROWS),
        ("UPDATE users SET privacy_level = 'ask' WHERE id = %s", ROWS),
        ("UPDATE users SET privacy_level = 'none' WHERE id = %s", ALL),
        ("UPDATE users SET privacy_level = 'a level nobody knows' WHERE id = %s", ALL),
        ("DELETE FROM bot_messages WHERE user_id = %s", {"recent_history", "rag_cache"}),
        ("DELETE FROM dialog_summaries WHERE user_id = %s", {"recent_history", "rag_cache"}),
        ("DELETE FROM users WHERE id = %s", ALL),
    ],
)
def test_each_change_drops_what_it_touches_and_nothing_else(
    statement: str, goes: set[str], cast: Cast, outbox: Outbox, cached: Cached, shared_relay: Spawned
) -> None:
    database, vera, tg_id = outbox._database, cast.vera, cast.tg_id("vera")
    database.rows("INSERT INTO bot_messages (user_id, role, text) VALUES (%s, 'user', 'Привет')", vera)
    database.rows(
        "INSERT INTO dialog_summaries (user_id, kind, period_start, period_end, text)"
        " VALUES (%s, 'daily', now(), now(), 'x')",
        vera,
    )
    eventually(lambda: not outbox.rows())
    cached.fill(vera, tg_id)
    cached.fill(cast.boris, cast.tg_id("boris"))
    database.rows(statement, vera)
    within_a_second(lambda: cached.left(vera, tg_id) == ALL - goes)
    eventually(lambda: not outbox.rows())
    assert cached.left(vera, tg_id) == ALL - goes
    assert cached.left(cast.boris, cast.tg_id("boris")) == ALL
    assert bool(cached.client.exists(Keys("").of("nostore", vera))) == (goes == ALL)


def test_who_gets_another_account_is_known_by_neither(
    cast: Cast, outbox: Outbox, cached: Cached, shared_relay: Spawned
) -> None:
    cached.fill(cast.vera, cast.tg_id("vera"))
    cached.fill(cast.vera, 77)
    outbox._database.rows("UPDATE users SET tg_id = 77 WHERE id = %s", cast.vera)
    within_a_second(
        lambda: not cached.left(cast.vera, cast.tg_id("vera")) & ROWS and not cached.left(cast.vera, 77) & ROWS
    )


async def test_the_bots_own_way_of_writing_is_heard_like_any_other(
    cast: Cast, outbox: Outbox, cached: Cached, shared_relay: Spawned
) -> None:
    engine = create_async_engine(outbox._database.url.replace("postgresql://", "postgresql+psycopg://"))
    eventually(lambda: not outbox.rows())
    cached.fill(cast.vera, cast.tg_id("vera"))
    async with engine.begin() as session:
        await session.execute(text(PAID.replace("%s", ":user_id")), {"user_id": cast.vera})
    within_a_second(lambda: not cached.left(cast.vera, cast.tg_id("vera")) & ROWS)
    await engine.dispose()


def test_without_a_word_it_looks_by_itself_and_says_how_it_did(
    cast: Cast, outbox: Outbox, cached: Cached, shared_relay: Spawned
) -> None:
    """As behind a pooler, where nobody hears a NOTIFY. With POLL_S = 30 this waits half a minute."""
    eventually(lambda: not outbox.rows())
    before = relayed()
    outbox._database.rows("CREATE OR REPLACE FUNCTION pomni_relay_wake() RETURNS void LANGUAGE sql AS ''")
    cached.fill(cast.vera, cast.tg_id("vera"))
    outbox._database.rows(PAID, cast.vera)
    within_a_second(lambda: not cached.left(cast.vera, cast.tg_id("vera")) & ROWS)
    eventually(lambda: relayed().counts.get("found", 0) > before.counts.get("found", 0))
    assert relayed().lag.count > before.lag.count
    found = standing()
    assert (found.verdict, found.connected, found.failed) == ("running", True, 0)


def relayed() -> CacheStats:
    """What relays have said of themselves in these minutes."""
    minutes = site_cache.layer().stats.read(2)
    return sum((minute.caches.get("relay", CacheStats()) for minute in minutes), CacheStats())


def test_a_row_that_commits_after_later_ones_is_not_passed_over(
    cast: Cast, outbox: Outbox, cached: Cached, shared_relay: Spawned
) -> None:
    """A relay that goes by the highest id that it has seen would never look there again."""
    eventually(lambda: not outbox.rows())
    cached.fill(cast.alisa, cast.tg_id("alisa"))
    with psycopg.connect(outbox._database.url) as late:
        late.execute("UPDATE users SET tg_is_blocked = true WHERE id = %s", (cast.alisa,))
        for _ in range(3):
            cached.fill(cast.boris, cast.tg_id("boris"))
            outbox._database.rows("UPDATE users SET tg_is_blocked = NOT tg_is_blocked WHERE id = %s", cast.boris)
            within_a_second(lambda: not cached.left(cast.boris, cast.tg_id("boris")) & ROWS)
        assert cached.left(cast.alisa, cast.tg_id("alisa")) == ALL
    within_a_second(lambda: not cached.left(cast.alisa, cast.tg_id("alisa")) & ROWS)
    eventually(lambda: not outbox.rows())


def test_two_do_no_harm_and_what_one_that_dies_has_not_deleted_the_other_does(
    cast: Cast, outbox: Outbox, cached: Cached, relay: StartRelay, shared_relay: Spawned
) -> None:
    """It dies after it has told Redis and before it deletes, which a lock on the row keeps it from."""
    other = relay()
    database, vera, tg_id = outbox._database, cast.vera, cast.tg_id("vera")
    database.rows("INSERT INTO users (tg_id) SELECT 5000 + n FROM generate_series(1, 3000) n")
    eventually(lambda: not outbox.rows(), 30)
    shared_relay.pause()
    other.pause()
    cached.fill(vera, tg_id)
    database.rows(PAID, vera)
    with psycopg.connect(database.url) as holder:
        holder.execute("SELECT FROM relay_outbox FOR UPDATE")
        other.resume()
        eventually(lambda: not cached.left(vera, tg_id) & ROWS)
        other.kill()
    cached.fill(vera, tg_id)  # as a reader may have done, with what was true or, if that is possible at all, was not
    assert outbox.rows()
    shared_relay.resume()
    eventually(lambda: not outbox.rows())
    assert not cached.left(vera, tg_id) & ROWS
    assert "Traceback" not in other.output


def test_a_row_stays_until_redis_has_dropped_it(
    cast: Cast, outbox: Outbox, own_valkey: Valkey, relay: StartRelay, shared_relay: Spawned
) -> None:
    shared_relay.pause()  # it has another Redis
    cached = Cached(own_valkey.url)
    process = relay({"REDIS_URL": own_valkey.url})
    eventually(lambda: not outbox.rows())
    cached.fill(cast.vera, cast.tg_id("vera"))
    own_valkey.kill()
    outbox._database.rows(PAID, cast.vera)
    process.wait_for("errand=redis")
    assert outbox.rows()
    own_valkey.start()
    eventually(lambda: not outbox.rows(), 5)
    assert not cached.left(cast.vera, cast.tg_id("vera")) & ROWS
    cached.fill(cast.vera, cast.tg_id("vera"))
    own_valkey.pause()
    outbox._database.rows(PAID, cast.vera)
    outbox._database.rows("UPDATE users SET tg_is_blocked = true WHERE id = %s", cast.vera)
    time.sleep(1.2)
    assert outbox.rows()
    own_valkey.resume()
    eventually(lambda: not outbox.rows(), 5)
    assert not cached.left(cast.vera, cast.tg_id("vera")) & ROWS
    cached.client.close()
    assert str(cast.tg_id("vera")) not in process.output


def test_postgresql_may_go_and_come_under_it(
    own_postgres: Postgres, migrated_own: Database, cached: Cached, relay: StartRelay
) -> None:
    database = migrated_own
    process = relay({"DATABASE_URL": database.url, "DATABASE_DIRECT_URL": database.url})
    (row,) = database.rows("INSERT INTO users (tg_id) VALUES (5) RETURNING id")
    for end in (own_postgres.kill, own_postgres.stop):
        end()
        process.wait_for("relay is kept from its work")
        own_postgres.start()
        cached.fill(row["id"], 5)
        database.rows("UPDATE users SET tg_is_blocked = NOT tg_is_blocked")
        eventually(lambda: not cached.left(row["id"], 5) & ROWS, 5)
        eventually(lambda: connected(database.url) == 2)
    cached.fill(row["id"], 5)
    database.rows("UPDATE users SET tg_is_blocked = NOT tg_is_blocked")
    within_a_second(lambda: not cached.left(row["id"], 5) & ROWS)


@pytest.fixture
def migrated_own(own_postgres: Postgres) -> Database:
    """A database of the test's own with the bot's tables, the outbox and the triggers."""
    from pomni_admin.bot.tables import SCHEMA
    from pomni_admin.relay.script import installing

    database = Database(own_postgres.url)
    script = installing()
    with database.connect() as connection:
        connection.execute(SCHEMA.read_bytes())
        connection.execute(OUTBOX)
        connection.execute("SET search_path = public, pg_temp")
        for statement in (*script.shared, *(trigger.sql for trigger in script.triggers)):
            connection.execute(statement.encode())
    return database


OUTBOX = """
CREATE TABLE relay_outbox (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, kind varchar(8) NOT NULL, user_id bigint NOT NULL,
    tg_id bigint, level varchar(32), at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


def test_a_payment_behind_a_bulk_does_not_wait_for_it(
    cast: Cast, outbox: Outbox, cached: Cached, shared_relay: Spawned
) -> None:
    """Whichever of the two commits first; `make soak` does it with 100,000."""
    database = outbox._database
    database.rows("INSERT INTO users (tg_id) SELECT 5000 + n FROM generate_series(1, 10000) n")
    eventually(lambda: not outbox.rows(), 30)
    bulk = "UPDATE users SET trial_expires_at = now() + interval '9 days' WHERE tg_id < 100000"
    cached.fill(cast.vera, cast.tg_id("vera"))
    cached.fill(cast.boris, cast.tg_id("boris"))
    with psycopg.connect(database.url) as late:
        late.execute("UPDATE users SET tg_is_blocked = true WHERE id = %s", (cast.boris,))
        database.rows(bulk)
        database.rows(PAID, cast.vera)
        late.commit()
        within_a_second(lambda: not cached.left(cast.vera, cast.tg_id("vera")) & ROWS)
        within_a_second(lambda: not cached.left(cast.boris, cast.tg_id("boris")) & ROWS)
    eventually(lambda: not outbox.rows(), 30)


def test_what_is_taken_is_the_newest_and_the_oldest(outbox: Outbox) -> None:
    """With the oldest alone, or the newest alone, one of the two above would wait for the whole bulk."""
    outbox._database.rows("INSERT INTO relay_outbox (kind, user_id) SELECT 'rows', n FROM generate_series(1, 1000) n")
    with outbox._database.connect() as connection:
        taken: list[Any] = connection.execute(rows_of._TAKE, {"half": rows_of.AT_ONCE // 2}).fetchall()
    users = sorted(row["user_id"] for row in taken)
    assert users == [*range(1, 101), *range(901, 1001)]


def test_another_process_that_has_the_layer_open_hears_of_it_too(
    cast: Cast, outbox: Outbox, valkey: Valkey, shared_relay: Spawned
) -> None:
    client = sync_client(valkey.url, 1.0)
    layer = SyncCacheLayer(Settings(redis_url=valkey.url), client, role="other")
    try:
        assert not layer.access_state.get(cast.vera, load=read_access).has_access
        outbox._database.rows(PAID, cast.vera)
        within_a_second(lambda: layer.access_state.get(cast.vera, load=read_access).has_access)
    finally:
        layer.close()
        client.connection_pool.disconnect()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM users WHERE id = %s",
        "UPDATE users SET privacy_level = 'none' WHERE id = %s",
        "DELETE FROM dialog_summaries WHERE user_id = %s",
    ],
    ids=["left", "may not be stored any more", "had the summaries purged"],
)
def test_vectors_of_who_has_left_go_at_once(
    shared_relay: Spawned,
    database: Database,
    cast: Cast,
    worker: StartWorker,
    qdrant: QdrantClient,
    statement: str,
) -> None:
    """The nightly repair would find them too. Negative control: without `Leavers.note` the points stay."""
    worker(concurrency=1)
    qdrant.create_collection("dialog_summaries_v1", VectorParams(size=EMBED_DIM, distance=Distance.COSINE))
    for user_id in (cast.boris, cast.vera):
        (row,) = database.rows(
            "INSERT INTO dialog_summaries (user_id, kind, period_start, period_end, text)"
            " VALUES (%s, 'daily', '2026-01-01Z', '2026-01-02Z', '') RETURNING id, updated_at",
            user_id,
        )
        payload = {"user_id": user_id, "updated_at": row["updated_at"].isoformat()}
        qdrant.upsert("dialog_summaries_v1", [PointStruct(id=row["id"], vector=[1.0] * EMBED_DIM, payload=payload)])
    (kept,) = database.rows("SELECT id FROM dialog_summaries WHERE user_id = %s", cast.vera)
    database.rows(statement, cast.boris)
    eventually(lambda: [p.id for p in qdrant.scroll("dialog_summaries_v1")[0]] == [kept["id"]], 20)
