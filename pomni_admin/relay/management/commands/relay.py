"""`manage.py relay install|remove|status|run`: what brings committed changes to the caches."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from pomni_admin.relay import process, triggers
from pomni_admin.relay.standing import MINUTES, Standing, standing

RELAYS = {
    "running": "running",
    "no_postgres": "running, but not connected to PostgreSQL",
    "no_redis": "connected to PostgreSQL, but not heard of in Redis",
    "stopped": "not running: start `manage.py relay run`",
    "unknown": "not known: neither PostgreSQL nor Redis can be asked",
}


class Command(BaseCommand):
    help = "Bring committed changes to the caches: install or remove the triggers, run the relay, say how it does."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True, parser_class=CommandParser)
        for name, text in (
            ("install", "create or renew the triggers; what is right already is left alone"),
            ("remove", "take the triggers and their functions away"),
        ):
            each = commands.add_parser(name, help=text)
            each.add_argument(
                "--patience",
                type=float,
                default=60.0,
                metavar="SECONDS",
                help="how long to try while tables are in use",
            )
        commands.add_parser(
            "status", help="say how triggers, outbox and relay are; exit code 1 when something is wrong"
        )
        commands.add_parser("run", help="relay until SIGTERM or Ctrl-C; run one, or several")

    def handle(self, *args: Any, **options: Any) -> None:
        match options["command"]:
            case "run":
                asyncio.run(_run())
            case "status":
                self._status()
            case "install":
                self._change(triggers.install, options["patience"])
            case _:
                self._change(triggers.remove, options["patience"])

    def _change(self, change: Any, patience_s: float) -> None:
        if not 0 <= patience_s <= 3600:
            raise CommandError(f"--patience is {patience_s:g}; allowed: 0 to 3600 seconds")
        try:
            change(patience_s, self.stdout.write)
        except triggers.Busy as busy:
            raise CommandError(
                f"{busy.table} was in use for {patience_s:g} s and is as it was: a transaction stays open there;"
                " come again, or give --patience"
            ) from None
        except triggers.Refused as refused:
            raise CommandError(str(refused)) from None
        except DatabaseError as error:
            raise CommandError(f"PostgreSQL could not be asked: {type(error).__name__}") from None

    def _status(self) -> None:
        found = standing()
        for line in lines(found):
            self.stdout.write(line)
        if not found.is_well:
            sys.exit(1)


def lines(found: Standing) -> list[str]:
    """What `status` prints: a word, then what is so."""
    said = [f"relay     {RELAYS[found.verdict]}"]
    for relay in found.relays or ():
        one = relay.presence
        said.append(f"          {one.host} pid {one.pid}, heard of {relay.age_s:.1f} s ago, circuit {one.circuit}")
    if found.triggers is None:
        said.append("triggers  not known: PostgreSQL cannot be asked")
    elif not found.wrong:
        said.append(f"triggers  all {len(found.triggers)} installed")
    else:
        said += [f"triggers  {one.state}: {one.name} on {one.table}" for one in found.wrong]
        said.append("          `manage.py relay install` mends that")
    if found.backlog is None:
        said.append("outbox    not known: PostgreSQL cannot be asked, or `manage.py migrate` has not been run")
    else:
        oldest = "" if found.backlog.oldest_s is None else f", the oldest since {found.backlog.oldest_s:.1f} s"
        said.append(f"outbox    {found.backlog.rows} waiting{oldest}")
    if found.lag is None:
        said.append("lag       not known: Redis cannot be asked")
    elif not found.lag.count:
        said.append(f"lag       nothing was dropped in the last {MINUTES} minutes")
    else:
        half, most = ((found.lag.quantile_us(share) or 0.0) / 1000 for share in (0.5, 0.99))
        said.append(
            f"lag       p50 {half:.1f} ms, p99 {most:.1f} ms of {found.lag.count} changes in {MINUTES} minutes;"
            f" {found.found} found by looking, {found.failed} tried again"
        )
    return said


async def _run() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await process.run(stop)
