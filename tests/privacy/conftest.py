"""The scene, once as it is and once with the protections taken out; both are driven when a test first asks."""

from __future__ import annotations

import pytest
import redis
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from pomni_admin import cache
from pomni_admin.demo.servers import Postgres, Valkey
from tests.harness.servers import Database
from tests.privacy.scene import Collected, Scene


@pytest.fixture(scope="session")
def came_out(
    migrated: Database,
    valkey_server: Valkey,
    postgres_server: Postgres,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Collected:
    """What came out of the scene."""
    return _run(migrated, valkey_server, postgres_server, django_db_blocker, tmp_path_factory, protected=True)


@pytest.fixture(scope="session")
def came_out_unprotected(
    migrated: Database,
    valkey_server: Valkey,
    postgres_server: Postgres,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Collected:
    """The control."""
    return _run(migrated, valkey_server, postgres_server, django_db_blocker, tmp_path_factory, protected=False)


def _run(
    database: Database,
    valkey: Valkey,
    postgres: Postgres,
    blocker: DjangoDbBlocker,
    folders: pytest.TempPathFactory,
    *,
    protected: bool,
) -> Collected:
    database.truncate()
    with redis.Redis.from_url(valkey.url) as client:
        cache.close()
        client.flushall()
    with blocker.unblock():
        try:
            return Scene(database, valkey, postgres, folders.mktemp("scene"), protected=protected).run()
        finally:
            connections.close_all()
            cache.close()
            database.truncate()
