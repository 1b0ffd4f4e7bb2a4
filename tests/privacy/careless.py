"""Runs a program as a careless author would have written it: `python -m tests.privacy.careless celery …`.

With `--unprotected` before the program what protects people is taken out as well: the list of fields for log lines, the
sealing of text in Redis, the keyed hashes in key names, and the handles. These switches are here and not in the
product, where somebody might find them.
"""

from __future__ import annotations

import logging
import runpy
import sys
from collections.abc import Callable
from typing import Any

import pomni_admin.logs
from cache_layer import privacy
from cache_layer.sealing import Sealer
from pomni_admin.logs import last_words


def take_out() -> None:
    def plain() -> logging.Formatter:
        import structlog

        structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())
        return logging.Formatter("%(levelname)s %(name)s %(message)s")

    pomni_admin.logs.formatter = plain
    last_words.into_the_log = lambda: None
    setattr(Sealer, "seal", lambda _self, _key, plain: plain)  # noqa: B010
    setattr(Sealer, "open", lambda _self, _key, sealed: sealed)  # noqa: B010  or the bot waits for turns that never open
    _everywhere(privacy.tg_hash, lambda _secret, tg_id: f"tg{tg_id}")
    _everywhere(privacy.text_hash, lambda _secret, *parts: " ".join(parts))
    _everywhere(privacy.handle, lambda _secret, user_id: f"U-{user_id:010d}")


def _everywhere(original: Callable[..., Any], instead: Callable[..., Any]) -> None:
    """Also where it has been imported by name."""
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()):
            if value is original:
                setattr(module, name, instead)


class Careless(logging.Filter):
    """Adds to the line about a summary that failed what the exception under way says, and its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = sys.exc_info()[1]
        if error is not None and record.name.startswith("pomni_admin.summaries"):
            record.exc_info = (type(error), error, error.__traceback__)
            record.text = str(error)
        return True


if __name__ == "__main__":
    sys.argv.pop(0)
    if sys.argv[0] == "--unprotected":
        sys.argv.pop(0)
        take_out()
    for name in ("looks", "engine"):
        logging.getLogger(f"pomni_admin.summaries.{name}").addFilter(Careless())
    program = sys.argv[0]
    if program.endswith(".py"):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
