"""Installs the triggers, takes them away, and says how they are. Takes no lock on a live table for long.

CREATE TRIGGER waits until nobody is writing to the table, and whoever wants to write next waits behind it. So it waits
for a tenth of a second, lets them all through, and tries again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from django.db import DatabaseError, OperationalError, ProgrammingError, connection, transaction
from psycopg import errors

from pomni_admin.relay.script import TABLES, Trigger, installing, removing

LOCK_TIMEOUT_MS = 100
PAUSE_S = (0.2, 2.0)
"""The first and the longest pause between attempts; what is waited is a random part of it."""
ONE_AT_A_TIME = 0x706F6D6E
"""The advisory lock of whoever installs or removes: two at once would stumble over each other's functions."""

State: TypeAlias = Literal["ok", "missing", "disabled", "outdated"]

_FOUND = """
SELECT c.relname, t.tgname, t.tgenabled, p.proname, p.prosrc, p.prosecdef, obj_description(t.oid, 'pg_trigger')
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name) AND t.tgname LIKE 'pomni\\_relay\\_%%'
"""
_FUNCTIONS = """
SELECT proname, prosrc FROM pg_proc
WHERE proname LIKE 'pomni\\_relay\\_%%'
  AND pronamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('users'))
"""


class Busy(Exception):
    """A table was in use for as long as the caller was ready to wait; what was done so far stays."""

    def __init__(self, table: str) -> None:
        self.table = table
        super().__init__(table)


class Refused(Exception):
    """The database does not let us, or lacks something; the message tells a person what to do."""


@dataclass(frozen=True, slots=True)
class TriggerState:
    """How one trigger is in the database: as it should be, not there, switched off, or of another release."""

    table: str
    name: str
    state: State


def look() -> Sequence[TriggerState]:
    """Every trigger that should be there. Asks the catalogue only, which locks nothing.

    Raises:
        django.db.Error: PostgreSQL could not be asked.
    """
    script = installing()
    with connection.cursor() as cursor:
        cursor.execute(_FOUND, (list(TABLES),))
        found = {(row[0], row[1]): row[2:] for row in cursor.fetchall()}
        cursor.execute(_FUNCTIONS)
        bodies = dict(cursor.fetchall())
    whole = all(bodies.get(name) == body for name, body in script.bodies.items())
    return [
        TriggerState(trigger.table, trigger.name, _state(trigger, found.get((trigger.table, trigger.name)), whole))
        for trigger in script.triggers
    ]


def _state(trigger: Trigger, row: Sequence[object] | None, whole: bool) -> State:
    if row is None:
        return "missing"
    enabled, function, _source, is_definer, mark = row
    if enabled in ("D", "R"):
        return "disabled"
    return "ok" if whole and is_definer and (function, mark) == (trigger.function, trigger.mark) else "outdated"


def install(patience_s: float, say: Callable[[str], None]) -> None:
    """Bring every trigger to what `triggers.sql` says; what is so already is left alone.

    Args:
        patience_s: how long to try in all.

    Raises:
        Busy: a table was never free.
        Refused: a table is missing, or this role may not.
    """
    script = installing()
    deadline = time.monotonic() + patience_s
    wrong = [one for one in look_or_refuse() if one.state != "ok"]
    if not wrong:
        say("all triggers are installed already")
        return
    _retried("pg_proc", script.shared, deadline, say)
    for table in TABLES:
        names = {one.name for one in wrong if one.table == table}
        statements = [
            statement
            for trigger in script.triggers
            if trigger.table == table and trigger.name in names
            for statement in (trigger.sql, f"COMMENT ON TRIGGER {trigger.name} ON {table} IS '{trigger.mark}'")
        ]
        if statements:
            _retried(table, statements, deadline, say)
            say(f"{table}: installed {', '.join(sorted(names))}")


def remove(patience_s: float, say: Callable[[str], None]) -> None:
    """Take all triggers and functions away. Arguments and exceptions are those of `install`."""
    deadline = time.monotonic() + patience_s
    there = {one.table for one in look_or_refuse() if one.state != "missing"}
    by_table: Mapping[str, Sequence[str]] = removing()
    for table in TABLES:
        if table in there:
            _retried(table, by_table[table], deadline, say)
            say(f"{table}: removed")
    _retried("pg_proc", by_table[""], deadline, say)


def look_or_refuse() -> Sequence[TriggerState]:
    """`look`, once the tables are known to be there.

    Raises:
        Refused: they are not.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL", (list(TABLES),))
        missing = [name for (name,) in cursor.fetchall()]
        cursor.execute("SELECT to_regclass('relay_outbox') IS NULL")
        (no_outbox,) = cursor.fetchone() or (True,)
    if missing:
        raise Refused(f"there is no table {', '.join(missing)}: DATABASE_URL must name the bot's database")
    if no_outbox:
        raise Refused("there is no table relay_outbox: run `manage.py migrate` first")
    return look()


def _retried(table: str, statements: Sequence[str], deadline: float, say: Callable[[str], None]) -> None:
    pause = PAUSE_S[0]
    told = False
    while True:
        try:
            _run(statements)
            return
        except OperationalError as error:
            if not isinstance(error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected):
                raise
        except ProgrammingError as error:
            if isinstance(error.__cause__, errors.InsufficientPrivilege):
                raise Refused(
                    "this role may not: it needs CREATE on the schema, TRIGGER and SELECT on the bot's tables, and"
                    " INSERT on relay_outbox; the role that owns the tables has all of them"
                ) from None
            raise
        if time.monotonic() >= deadline:
            raise Busy(table)
        if not told:
            say(f"{table} is in use; trying again until it is free for a moment")
            told = True
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  jitter, not a secret
        pause = min(pause * 2, PAUSE_S[1])


def _run(statements: Sequence[str]) -> None:
    """In one transaction, under the lock_timeout, with the names of the tables' own schema."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (ONE_AT_A_TIME,))
        cursor.execute(
            "SELECT set_config('search_path', quote_ident(n.nspname) || ', pg_temp', true)"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('users')"
        )
        for statement in statements:
            cursor.execute(statement)


def trouble() -> Sequence[TriggerState] | None:
    """The triggers that are not as they should be; None when that could not be asked."""
    try:
        return [one for one in look() if one.state != "ok"]
    except DatabaseError:
        return None
