"""`docs/relay.md` against what it is about."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.management import get_commands, load_command_class

from pomni_admin.relay.outbox import AT_ONCE
from pomni_admin.relay.process import POLL_S
from pomni_admin.relay.script import installing
from pomni_admin.relay.triggers import LOCK_TIMEOUT_MS

TEXT = (Path(__file__).parents[2] / "docs" / "relay.md").read_text("utf-8")
README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_every_command_in_it_exists() -> None:
    found = re.findall(r"manage\.py relay (\w+)", TEXT + README)
    assert set(found) == {"install", "remove", "status", "run"}
    command = load_command_class(get_commands()["relay"], "relay")
    for word in found:
        assert command.create_parser("manage.py", "relay").parse_args([word]).command == word


def test_the_columns_in_the_table_are_those_of_the_triggers() -> None:
    for table in ("users", "subscriptions"):
        (changed,) = [one for one in installing().triggers if (one.table, one.name) == (table, "pomni_relay_changed")]
        columns = set(re.findall(r"NEW\.(\w+)", changed.sql)) - {"id"}
        rows = "".join(line for line in TEXT.splitlines() if line.startswith(f"| `{table}"))
        named = set(re.findall(r"`(?:users\.)?([a-z_]+)`", rows))
        assert columns <= named


def test_its_figures_are_those_of_the_code() -> None:
    assert f"looks every {POLL_S} s" in TEXT
    assert f"{LOCK_TIMEOUT_MS} ms" in TEXT
    assert f"batches of {AT_ONCE}" in TEXT
    assert "SET lock_timeout = '50ms'" in "".join(installing().shared)
    assert f"all {len(installing().triggers)} installed" in TEXT
