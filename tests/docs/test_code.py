"""What `docs/bot.md` tells to write is right by itself: it parses, its types agree, its shell commands run."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cache_layer import Settings
from pomni_admin.demo.servers import PROJECT, Valkey
from tests.docs.document import TEXT, Block, blocks, steps
from tests.docs.tutorial import BOTS_OWN, write

SHELL = [block for block in blocks() if block.kind == "sh"]


def test_every_block_says_what_it_is() -> None:
    assert {block.kind for block in blocks()} == {"python", "sh", "sh install"}
    assert all(block.file for block in blocks() if block.kind == "python")


def test_each_step_has_code_and_says_how_to_see_it_and_how_to_take_it_back() -> None:
    parts = {int(part.split(".", 1)[0]): part for part in TEXT.split("\n## ") if part[:1].isdigit()}
    assert sorted(parts) == steps()
    for number, part in parts.items():
        assert "**Back:**" in part, number
        assert "**See it:**" in part, number


def test_every_block_parses() -> None:
    for block in blocks():
        if block.kind == "python":
            ast.parse(block.code, filename=f"docs/bot.md:{block.line}")


def test_the_types_agree_after_the_last_step(tmp_path: Path) -> None:
    """By mypy, strict: what the document tells to write must not begin with a red line in the authors' editors."""
    write(tmp_path, steps()[-1])
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\nfollow_imports = silent\n")
    options = ["--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(PROJECT / ".mypy_cache" / "docs")]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(tmp_path / "caching.py"), str(tmp_path / "main.py")],
        cwd=PROJECT,
        env={**os.environ, "MYPYPATH": os.pathsep.join((str(tmp_path), str(BOTS_OWN)))},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.code.strip())
def test_shell_commands_run(valkey: Valkey, block: Block) -> None:
    done = subprocess.run(
        ["sh", "-e", "-c", block.code.replace("python ", f"{sys.executable} ")],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_keys_prints_is_what_the_layer_takes() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "cache_layer", "keys"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    environ = dict(line.split("=", 1) for line in printed.splitlines() if not line.startswith("#"))
    assert Settings.from_env({**environ, "POMNI_ENV": "production", "REDIS_URL": "redis://h"}).is_on("rag")
