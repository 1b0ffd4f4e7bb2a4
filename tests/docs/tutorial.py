"""The program of `docs/bot.md`, written out and imported as the bot would."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from tests.docs.document import program

BOTS_OWN = Path(__file__).with_name("bots_own")
"""What the document imports from `bot`."""
MODULES = ("caching", "main", "bot", "bot.db", "bot.llm", "bot.retrieval", "bot.telegram")


def write(folder: Path, up_to: int, without: str = "") -> None:
    """Write the files that there are once these steps are done.

    Args:
        without: a line of code to leave out.
    """
    for name, code in program(up_to).items():
        (folder / name).write_text(code.replace(without, "pass") if without else code, encoding="utf-8")


@contextmanager
def imported(folder: Path, up_to: int, without: str = "") -> Iterator[ModuleType]:
    """The module `caching`, new, as a process has it that has just started."""
    write(folder, up_to, without)
    sys.path[:0] = [str(folder), str(BOTS_OWN)]
    try:
        importlib.invalidate_caches()
        yield importlib.import_module("caching")
    finally:
        del sys.path[:2]
        for name in MODULES:
            sys.modules.pop(name, None)
