"""PostgreSQL: whether it answers, how full it is, what holds it up, and whether it has the tables of this release."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.apps import apps
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from pomni_admin.dashboard.health.asking import Away, Off, Part

FACTS = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
ANSWER_AT_MOST_MS = 1_000
FULL = 0.9
OLD_TRANSACTION_S = 300.0


@dataclass(frozen=True, slots=True)
class PostgresFacts:
    """What was seen.

    Attributes:
        oldest_s: for how long the oldest transaction is open that this role may see; None when there is none.
        tables: bytes of each of our tables, with its indexes.
    """

    version: str
    latency_ms: float
    connections: int
    connections_max: int
    oldest_s: float | None
    tables: Mapping[str, int]

    @property
    def tables_bytes(self) -> int:
        return sum(self.tables.values())

    @property
    def wrongs(self) -> tuple[str, ...]:
        """What wants attention, by codes of `operation_words.ADVICE`."""
        found = {
            "postgres_full": self.connections > FULL * self.connections_max,
            "postgres_held_up": (self.oldest_s or 0.0) > OLD_TRANSACTION_S,
        }
        return tuple(code for code, is_so in found.items() if is_so)


def ask() -> PostgresFacts:
    if not connection.settings_dict["NAME"]:
        raise Off
    connection.ensure_connection()
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (version,) = cursor.fetchone() or ("",)
    latency_ms = (time.perf_counter() - began) * 1000
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = %s", [ANSWER_AT_MOST_MS])
        cursor.execute(FACTS, [list(_our_tables())])
        connections, most, oldest_s, tables = cursor.fetchone() or (0, 0, None, "{}")
    return PostgresFacts(
        f"PostgreSQL {str(version).split()[0]}", latency_ms, connections, most, oldest_s, json.loads(tables)
    )


def ask_migrations() -> int:
    """How many migrations there are, all of which have been applied.

    Raises:
        Away: some have not: `manage.py migrate` has not been run for this release.
    """
    if not connection.settings_dict["NAME"]:
        raise Off
    applied = MigrationRecorder(connection).applied_migrations()
    wanted = _wanted()
    missing = len(wanted - applied.keys())
    if missing:
        raise Away("not_applied")
    return len(wanted)


@cache
def _our_tables() -> tuple[str, ...]:
    return tuple(sorted(model._meta.db_table for model in apps.get_models() if model._meta.managed))


@cache
def _wanted() -> frozenset[tuple[str, str]]:
    """Of the files of this release; they do not change while it runs."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.nodes)


POSTGRES = Part("postgres", ask)
MIGRATIONS = Part("migrations", ask_migrations)
