"""`manage.py summaries …`: summary jobs from a shell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cache_layer import JobSnapshot
from pomni_admin.audit.vocabulary import REASONS, Act, Reason
from pomni_admin.summaries import control, jobs, periods, schedules, vector_check
from pomni_admin.summaries.models import Job, Kind
from pomni_admin.summaries.periods import InvalidPeriod, Period
from pomni_admin.summaries.vectors import VectorsError

WITH_JOB = {
    "status": ("print a job as JSON", None),
    "cancel": ("stop a job before its next person", Act.CANCEL_SUMMARIES),
    "pause": ("let no further person start until it is resumed", Act.PAUSE_SUMMARIES),
    "resume": ("go on with a job that is paused, or ran out of time", Act.RESUME_SUMMARIES),
    "retry": ("start a job for those whose summary failed in this one", Act.RETRY_SUMMARIES),
    "again": ("start the same job once more", Act.RUN_SUMMARIES_AGAIN),
}
OF_KIND = {"daily": "--day", "weekly": "--monday", "monthly": "--month", "rebuild": "--days"}


class Command(BaseCommand):
    help = "Start, steer and look at summary jobs, schedules and vectors."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True, parser_class=CommandParser)
        run = commands.add_parser("run", help="start a job")
        run.add_argument("kind", choices=Kind.values)
        run.add_argument("--day", metavar="YYYY-MM-DD", help="daily: the UTC day; by default yesterday")
        run.add_argument("--monday", metavar="YYYY-MM-DD", help="weekly: its Monday; by default the last full week's")
        run.add_argument("--month", metavar="YYYY-MM", help="monthly: by default the last full month")
        run.add_argument("--days", type=int, metavar="1-180", help="rebuild: so many days back; by default 30")
        run.add_argument("--user-id", type=int, help="only this person, by users.id; a rebuild needs it")
        _reason(run, Act.RUN_SUMMARIES)
        for name, (text, act) in WITH_JOB.items():
            command = commands.add_parser(name, help=text)
            command.add_argument("job", metavar="JOB", help="the job's id")
            if act is not None:
                _reason(command, act)
        commands.add_parser("schedules", help="what the clock starts, and what it has missed")
        for name, act in (("schedule-on", Act.SWITCH_SCHEDULE_ON), ("schedule-off", Act.SWITCH_SCHEDULE_OFF)):
            command = commands.add_parser(name, help=f"switch a schedule {name.removeprefix('schedule-')}")
            command.add_argument("kind", choices=[Kind.DAILY, Kind.WEEKLY, Kind.MONTHLY])
            _reason(command, act)
        verify = commands.add_parser("verify", help="compare summaries with their vectors; exits with 1 if they differ")
        verify.add_argument("--user-id", type=int, help="only this person's, by users.id")
        verify.add_argument("--repair", action="store_true", help="mend what differs")
        _reason(verify, Act.REPAIR_VECTORS)

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        handle = getattr(self, "_" + command.replace("-", "_"))
        try:
            handle(**{name: value for name, value in options.items() if name in _OWN})
        except (jobs.JobError, InvalidPeriod) as error:
            raise CommandError(str(error)) from None
        except VectorsError as error:
            raise CommandError(f"Qdrant could not be asked: {error.code}") from None

    def _run(self, kind: str, user_id: int | None, reason: str, **when: Any) -> None:
        if kind == Kind.REBUILD and user_id is None:
            raise CommandError("a rebuild is of one person: give --user-id")
        period = _period(kind, {name: value for name, value in when.items() if value is not None})
        self._started(control.run(control.COMMAND, Kind(kind), period, reason=Reason(reason), user_id=user_id))

    def _status(self, job: str) -> None:
        snapshot = jobs.snapshot(job)
        if snapshot is None:
            raise jobs.NoSuchJob
        self._show(snapshot)

    def _cancel(self, job: str, reason: str) -> None:
        control.cancel(control.COMMAND, jobs.known(job), reason=Reason(reason))
        self._status(job)

    def _pause(self, job: str, reason: str) -> None:
        control.pause(control.COMMAND, jobs.known(job), reason=Reason(reason))
        self._status(job)

    def _resume(self, job: str, reason: str) -> None:
        control.resume(control.COMMAND, jobs.known(job), reason=Reason(reason))
        self._status(job)

    def _retry(self, job: str, reason: str) -> None:
        self._started(control.retry_failed(control.COMMAND, jobs.known(job), reason=Reason(reason)))

    def _again(self, job: str, reason: str) -> None:
        self._started(control.run_again(control.COMMAND, jobs.known(job), reason=Reason(reason)))

    def _schedules(self) -> None:
        for schedule in schedules.standings():
            last = f"{schedule.last.created_at:%Y-%m-%d %H:%M} {schedule.last.state}" if schedule.last else "never"
            next_at = f"{schedule.next_at:%Y-%m-%d %H:%M} UTC" if schedule.next_at else "off"
            missed = " ".join(str(one.period.start) for one in schedule.missed)
            self.stdout.write(f"{schedule.kind}: next {next_at}; last {last}; missed {missed or 'none'}")

    def _schedule_on(self, kind: str, reason: str) -> None:
        control.switch_schedule(control.COMMAND, Kind(kind), on=True, reason=Reason(reason))
        self._schedules()

    def _schedule_off(self, kind: str, reason: str) -> None:
        control.switch_schedule(control.COMMAND, Kind(kind), on=False, reason=Reason(reason))
        self._schedules()

    def _verify(self, user_id: int | None, repair: bool, reason: str) -> None:
        if repair:
            found = control.repair_vectors(control.COMMAND, reason=Reason(reason), user_id=user_id)
        else:
            found = vector_check.verify(user_id)
        for name, count in asdict(found).items():
            self.stdout.write(f"{name:<9} {count:>9}")
        if found.differs and not repair:
            raise CommandError("rows and vectors differ; --repair mends it")

    def _started(self, job: Job) -> None:
        self.stdout.write(str(job.pk))

    def _show(self, snapshot: JobSnapshot) -> None:
        self.stdout.write(msgspec.json.format(msgspec.json.encode(snapshot)).decode())


_OWN = {"kind", "day", "monday", "month", "days", "user_id", "reason", "job", "repair"}
"""Options of ours; the others are Django's."""


def _reason(parser: CommandParser, act: Act) -> None:
    parser.add_argument("--reason", choices=[str(one.value) for one in REASONS[act]], default=str(Reason.OTHER.value))


def _period(kind: str, when: dict[str, Any]) -> Period:
    """Raises:
    CommandError: an option of another kind was given.
    """
    for name in when:
        if f"--{name}" != OF_KIND[kind]:
            raise CommandError(f"--{name} does not go with {kind}, which takes {OF_KIND[kind]}")
    read: dict[str, Callable[[], Period]] = {
        Kind.DAILY: lambda: periods.daily(periods.parse_day(when["day"]) if when else None),
        Kind.WEEKLY: lambda: periods.weekly(periods.parse_day(when["monday"]) if when else None),
        Kind.MONTHLY: lambda: periods.monthly(periods.parse_month(when["month"]) if when else None),
        Kind.REBUILD: lambda: periods.rebuild(when.get("days", periods.REBUILD_DAYS)),
    }
    return read[kind]()
