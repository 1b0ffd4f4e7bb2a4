"""Fixtures of the servers: Valkey and Qdrant emptied, PostgreSQL truncated before each test that asks for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from psycopg import sql
from psycopg.rows import dict_row
from pytest_django.plugin import DjangoDbBlocker
from qdrant_client import QdrantClient

from cache_layer import Settings, SyncCacheLayer
from cache_layer.settings import CACHES
from pomni_admin import cache
from pomni_admin.demo.servers import Postgres, Valkey, Vectors
from tests.harness.environment import Place

KEPT = {"django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}
"""Tables whose rows come from migrations: content types, permissions, and the roles as groups."""

USED = """
SELECT relname FROM pg_class AS used
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> ALL (%(kept)s) AND (
    pg_relation_size(oid) > 0 OR EXISTS (
        SELECT FROM pg_depend JOIN pg_sequence ON seqrelid = objid
        WHERE refclassid = 'pg_class'::regclass AND refobjid = used.oid AND pg_sequence_last_value(seqrelid) IS NOT NULL
    )
)
"""
"""Tables that had a row since they were emptied, or gave a number away: two or three of thirty, and each costs 1 ms."""


class Database:
    """The worker's database as any other process sees it: committed rows only."""

    def __init__(self, url: str) -> None:
        self.url = url

    def connect(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(self.url, autocommit=True, row_factory=dict_row)

    def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """Run one statement in a connection of its own and return its rows, if it has any."""
        with self.connect() as connection:
            cursor = connection.execute(query.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def truncate(self) -> None:
        """Empty every table. Past triggers, because the audit refuses even TRUNCATE."""
        with self.connect() as connection, connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute("SET LOCAL lock_timeout = '15s'")
            used = connection.execute(USED, {"kept": list(KEPT)}).fetchall()
            if used:
                tables = sql.SQL(", ").join(sql.Identifier(row["relname"]) for row in used)
                connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))


@pytest.fixture(scope="session")
def valkey_server(place: Place) -> Iterator[Valkey]:
    yield place.valkey.start()
    cache.close()  # before its server goes, which its background thread would report to a log that is closed by then
    place.valkey.stop()


@pytest.fixture(scope="session")
def postgres_server(place: Place) -> Iterator[Postgres]:
    yield place.postgres.start()
    place.postgres.stop()


@pytest.fixture(scope="session")
def vectors_server(place: Place) -> Iterator[Vectors]:
    yield place.vectors.start()
    place.vectors.stop()


@pytest.fixture
def valkey(valkey_server: Valkey) -> Valkey:
    """The worker's Valkey, empty. For faults take `own_valkey`."""
    with redis.Redis.from_url(valkey_server.url) as client:
        _switch_on_what_a_test_left_off(client)
        cache.close()  # the layer of this process, which remembers
        client.flushall()
    return valkey_server


def _switch_on_what_a_test_left_off(client: redis.Redis) -> None:
    """Processes that live on, as the shared site does, would put it back into the empty Valkey."""
    is_kept = client.type("switches") == b"hash"
    left = [name for name in CACHES if is_kept and client.hexists("switches", name)]
    if left:
        layer = SyncCacheLayer(Settings(redis_url="redis://the client's"), client, role="tests")
        for name in left:
            layer.switches.turn(name, on=True, by="tests", reason="over")
        time.sleep(1.5)  # each hears of it within a second or so


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of the test's own, which it may kill, pause or restart. Keeps its data over restarts."""
    server = Valkey(tmp_path / "own-valkey").start()
    yield server
    server.stop()


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A PostgreSQL of the test's own, empty, which it may kill, pause or restart."""
    server = Postgres(tmp_path / "own-postgres", durable=False).start()
    yield server
    server.stop()


@pytest.fixture
def own_vectors(tmp_path: Path) -> Iterator[Vectors]:
    """A Qdrant of the test's own, which it may kill, pause or restart."""
    server = Vectors(tmp_path / "own-vectors").start()
    yield server
    server.stop()


@pytest.fixture
def qdrant(vectors_server: Vectors) -> Iterator[QdrantClient]:
    """A client of the worker's Qdrant, which has no collections."""
    client = QdrantClient(
        url=vectors_server.url, check_compatibility=False
    )  # it asks in a thread that outlives the test
    for collection in client.get_collections().collections:
        client.delete_collection(collection.name)
    yield client
    client.close()


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """Instead of pytest-django's: there is no second database and no rollback, see `database`."""


@pytest.fixture(scope="session")
def migrated(postgres_server: Postgres, django_db_blocker: DjangoDbBlocker) -> Database:
    """The worker's PostgreSQL with the bot's tables and our own."""
    from django.core.management import call_command
    from django.db import connection, connections

    from pomni_admin.bot.tables import create_tables

    with django_db_blocker.unblock():
        create_tables(connection)
        call_command("migrate", verbosity=0)
        connections.close_all()
    return Database(postgres_server.url)


@pytest.fixture
def database(migrated: Database, valkey: Valkey, django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    """The worker's database, all its tables empty, and Redis too, whose keys are made of ids that come again.

    What a test writes is committed, so that workers, the site and psql see it. Use this, not pytest-django's `db`.
    """
    from django.db import connections

    migrated.truncate()
    with django_db_blocker.unblock():
        yield migrated
        connections.close_all()
