"""`python -m cache_layer`: what whoever sets the layer up does from a shell."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence

import msgspec

from cache_layer.doctor import SETTINGS_WRONG, examine
from cache_layer.errors import SettingsError
from cache_layer.fresh_secrets import fresh_secrets
from cache_layer.settings import Settings

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cache_layer", description="The Redis layer of the bot.")
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser(
        "doctor",
        help="check settings, Redis and each cache",
        description="Checks settings and Redis, and writes and reads back each cache. Exit code: 0 all well, "
        "1 something that is on does not work, 2 a setting is wrong.",
    )
    doctor.add_argument("--json", action="store_true", help="for programs")
    commands.add_parser(
        "keys", help="print fresh secrets", description="Prints fresh secrets, as lines of a .env file."
    )
    chosen = parser.parse_args(arguments)
    logging.getLogger("cache_layer").addHandler(logging.NullHandler())  # the report says it all
    try:
        if chosen.command == "keys":
            sys.stdout.write(fresh_secrets(os.environ))
            return 0
        return asyncio.run(_doctor(Settings.from_env(), as_json=chosen.json))
    except SettingsError as error:
        return _settings_wrong(error, as_json=chosen.command == "doctor" and chosen.json)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("interrupted; what was written is removed\n")
        return INTERRUPTED


def _settings_wrong(error: SettingsError, *, as_json: bool) -> int:
    if as_json:
        wrong = {"variable": error.variable, "value": error.value, "allowed": error.allowed}
        sys.stdout.write(msgspec.json.encode({"exit_code": SETTINGS_WRONG, "wrong": wrong}).decode() + "\n")
    else:
        sys.stderr.write(f"{error}\n")
    return SETTINGS_WRONG


async def _doctor(settings: Settings, *, as_json: bool) -> int:
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(NotImplementedError):  # Windows has no such thing
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    report = await examine(settings, os.environ.get("POMNI_ENV", "").strip())
    sys.stdout.write((report.as_json() if as_json else report.as_text()) + "\n")
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
