"""The two SQL files, statement by statement: which table each is about, and what the database should say of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
TABLES = ("users", "subscriptions", "bot_messages", "dialog_summaries")

_BODY = re.compile(r"(\$relay\$.*?\$relay\$)", re.DOTALL)
_COMMENT = re.compile(r"^\s*--.*?$", re.MULTILINE)
_STATEMENT = re.compile(r"(?:\$relay\$.*?\$relay\$|[^;$])+;", re.DOTALL)
_FUNCTION = re.compile(r"CREATE OR REPLACE FUNCTION (\w+)\(.*?\$relay\$(.*?)\$relay\$", re.DOTALL)
_TRIGGER = re.compile(r"CREATE OR REPLACE TRIGGER (\w+) .*? ON (\w+)\n.*?EXECUTE FUNCTION (\w+)\(", re.DOTALL)
_DROP = re.compile(r"DROP TRIGGER IF EXISTS \w+ ON (\w+);")


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger as the file has it.

    Attributes:
        mark: what its comment in the database says: which text it was made by.
    """

    table: str
    name: str
    function: str
    sql: str

    @property
    def mark(self) -> str:
        return f"pomni relay {hashlib.sha256(self.sql.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Script:
    """`triggers.sql`.

    Attributes:
        bodies: of the functions, by name, as `pg_proc.prosrc` has them.
        shared: the statements that are about no table.
    """

    bodies: Mapping[str, str]
    shared: Sequence[str]
    triggers: Sequence[Trigger]


@cache
def installing() -> Script:
    """Read `triggers.sql`."""
    text = (FOLDER / "triggers.sql").read_text("utf-8")
    shared: list[str] = []
    triggers: list[Trigger] = []
    for sql in _statements(text):
        found = _TRIGGER.match(sql)
        if found is None:
            shared.append(sql)
        else:
            name, table, function = found.groups()
            triggers.append(Trigger(table, name, function, sql))
    return Script(dict(_FUNCTION.findall(text)), shared, triggers)


@cache
def removing() -> Mapping[str, Sequence[str]]:
    """`remove.sql`: the statements by table, those about no table under the empty name."""
    by_table: dict[str, list[str]] = {}
    for sql in _statements((FOLDER / "remove.sql").read_text("utf-8")):
        found = _DROP.match(sql)
        by_table.setdefault(found[1] if found else "", []).append(sql)
    return by_table


def _statements(text: str) -> list[str]:
    """Each with its semicolon. Comments outside of functions go; in a function they belong to its body."""
    parts = _BODY.split(text)
    bare = "".join(part if number % 2 else _COMMENT.sub("", part) for number, part in enumerate(parts))
    return [statement.strip() for statement in _STATEMENT.findall(bare)]
