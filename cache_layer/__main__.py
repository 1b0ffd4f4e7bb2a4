"""`python -m cache_layer`: what whoever sets the layer up, or looks after it, does from a shell."""

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

from cache_layer import switching
from cache_layer.doctor import SETTINGS_WRONG, examine
from cache_layer.errors import SettingsError, Unavailable
from cache_layer.fresh_secrets import fresh_secrets
from cache_layer.settings import CACHES, Settings

FAILED = 1
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    chosen = parser.parse_args(arguments)
    logging.getLogger("cache_layer").addHandler(logging.NullHandler())  # what is printed says it all
    try:
        if chosen.command == "keys":
            return _say(fresh_secrets(os.environ).rstrip())
        settings = Settings.from_env()
        if chosen.command == "switch":
            return asyncio.run(_switch(settings, chosen, parser))
        return asyncio.run(_doctor(settings, as_json=chosen.json))
    except SettingsError as error:
        return _settings_wrong(error, as_json=chosen.command == "doctor" and chosen.json)
    except Unavailable as error:
        sys.stderr.write(f"{error}; nobody knows whether it was done\n")
        return FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("interrupted; what was written is removed\n")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
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
    switch = commands.add_parser(
        "switch",
        help="switch a cache off or on in all processes",
        description="Without arguments: which caches are off, and why. With them: switches one off or on, in every "
        "process within two seconds. Exit code: 0 done, 1 Redis is away, 2 a setting or an argument is wrong.",
    )
    switch.add_argument("cache", nargs="?", choices=CACHES, metavar="cache", help=", ".join(CACHES))
    switch.add_argument("state", nargs="?", choices=("on", "off"))
    switch.add_argument("--reason", default="", help="a word, such as stale_answers; needed to switch off")
    switch.add_argument("--by", default="command", help="your sign-in name, for those who look")
    return parser


async def _switch(settings: Settings, chosen: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if chosen.cache is None:
        return _say(await switching.listing(settings))
    if chosen.state is None:
        parser.error(f"{chosen.cache} on, or {chosen.cache} off?")
    on = chosen.state == "on"
    if not (chosen.reason or on):
        parser.error("to switch off takes --reason: whoever looks will want to know")
    if not settings.redis_url:
        parser.error("REDIS_URL is not set: there is nothing to be switched")
    try:
        return _say(
            await switching.turn(settings, chosen.cache, on=on, by=chosen.by, reason=chosen.reason or "switched_on")
        )
    except ValueError as error:
        parser.error(str(error))


async def _doctor(settings: Settings, *, as_json: bool) -> int:
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(NotImplementedError):  # Windows has no such thing
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    report = await examine(settings, os.environ.get("POMNI_ENV", "").strip())
    _say(report.as_json() if as_json else report.as_text())
    return report.exit_code


def _settings_wrong(error: SettingsError, *, as_json: bool) -> int:
    if as_json:
        wrong = {"variable": error.variable, "value": error.value, "allowed": error.allowed}
        _say(msgspec.json.encode({"exit_code": SETTINGS_WRONG, "wrong": wrong}).decode())
    else:
        sys.stderr.write(f"{error}\n")
    return SETTINGS_WRONG


def _say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
