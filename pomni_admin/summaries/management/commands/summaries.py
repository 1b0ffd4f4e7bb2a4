"""`manage.py summaries run|status|cancel`: summary jobs from a shell."""

from __future__ import annotations

from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cache_layer import JobSnapshot
from pomni_admin.summaries import jobs
from pomni_admin.summaries.periods import parse_day


class Command(BaseCommand):
    help = "Start, look at and cancel summary jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True, parser_class=CommandParser)
        run = commands.add_parser("run", help="start a job")
        run.add_argument("kind", choices=["daily"])
        run.add_argument("--day", metavar="YYYY-MM-DD", help="the UTC day; by default yesterday")
        run.add_argument("--user-id", type=int, help="only this person, by users.id")
        for name, text in (("status", "print a job as JSON"), ("cancel", "stop a job before its next person")):
            commands.add_parser(name, help=text).add_argument("job", metavar="JOB", help="the job's id")

    def handle(self, *args: Any, **options: Any) -> None:
        command = options["command"]
        if command == "run":
            self._run(options["day"], options["user_id"])
        elif command == "status":
            self._show(self._found(options["job"]))
        else:
            self._cancel(options["job"])

    def _run(self, day: str | None, user_id: int | None) -> None:
        try:
            job = jobs.start_daily(parse_day(day) if day else None, started_by="command", user_id=user_id)
        except jobs.InvalidPeriod as error:
            raise CommandError(str(error)) from None
        except jobs.AlreadyRunning as running:
            raise CommandError(f"already running: job {running.job_id}") from None
        self.stdout.write(str(job.pk))

    def _cancel(self, job_id: str) -> None:
        if not jobs.cancel(job_id):
            raise CommandError(f"the job is {self._found(job_id).state}; only a queued or running one can be canceled")
        self._show(self._found(job_id))

    def _found(self, job_id: str) -> JobSnapshot:
        snapshot = jobs.snapshot(job_id)
        if snapshot is None:
            raise CommandError("there is no such job; `manage.py summaries run` prints a job's id")
        return snapshot

    def _show(self, snapshot: JobSnapshot) -> None:
        self.stdout.write(msgspec.json.format(msgspec.json.encode(snapshot)).decode())
