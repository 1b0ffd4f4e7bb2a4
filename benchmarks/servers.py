"""The servers of a run: a Valkey and a PostgreSQL of its own, with people to read about."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from pomni_admin.bot.tables import create_tables
from pomni_admin.demo.servers import Postgres, Valkey

PEOPLE = 300


@dataclass(frozen=True)
class Servers:
    valkey: Valkey
    postgres: Postgres


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    """Start both, with `PEOPLE` subscribed people, ids 1 to `PEOPLE`; stop them at the end."""
    with tempfile.TemporaryDirectory(prefix="pomni-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another user
        valkey = Valkey(Path(folder) / "valkey", keep=False)
        postgres = Postgres(Path(folder) / "postgres", durable=False)
        try:
            valkey.start()
            postgres.start()
            _fill(postgres.url)
            yield Servers(valkey, postgres)
        finally:
            postgres.stop()
            valkey.stop()


def set_up_django(running: Servers) -> None:
    """Django in this process, on these servers, without a word in the log."""
    os.environ |= {
        "POMNI_ENV": "test",
        "DATABASE_URL": running.postgres.url,
        "REDIS_URL": running.valkey.url,
        "DJANGO_SETTINGS_MODULE": "pomni_admin.settings",
    }
    import django  # here: a bot of a soak has none

    django.setup()
    logging.disable()


def _fill(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        create_tables(connection)
        connection.execute(
            "INSERT INTO users (tg_id, trial_started_at) SELECT 700000000 + n, now() - interval '90 days' "
            "FROM generate_series(1, %s) n",
            (PEOPLE,),
        )
        connection.execute(
            "INSERT INTO subscriptions (user_id, plan, status, is_auto_renew, subscription_until) "
            "SELECT id, 'month', 'active', true, now() + interval '20 days' FROM users"
        )
        connection.execute("CREATE TABLE bench_loads (at timestamptz NOT NULL DEFAULT now())")
        connection.execute("ANALYZE")
