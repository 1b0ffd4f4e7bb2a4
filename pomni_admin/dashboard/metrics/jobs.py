"""Summary jobs: how many are in which state, and how far the newest of each kind is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.db.models.functions import Now

from cache_layer import JobSnapshot
from pomni_admin.dashboard.health.asking import Part
from pomni_admin.summaries import pending, snapshots
from pomni_admin.summaries.models import ACTIVE, Job, JobState, Kind

LATELY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What PostgreSQL says.

    Attributes:
        states: how many of each kind and state, of the last 24 hours and of older ones that have not ended.
        newest: of each kind, of those for everybody.
        last_ok: when one of the kind has last ended well.
        vectors_due: summaries whose vector waits to be written and may be by now.
    """

    states: Mapping[tuple[str, str], int]
    newest: Sequence[JobSnapshot]
    last_ok: Mapping[str, datetime]
    vectors_due: int


def ask() -> JobFacts:
    counted = Job.objects.values_list("kind", "state").annotate(Count("pk"))
    lately = Q(created_at__gt=Now() - LATELY)
    states: dict[tuple[str, str], int] = {}
    for chosen in (counted.filter(lately), counted.filter(~lately, state__in=ACTIVE)):
        for kind, state, number in chosen:
            states[kind, state] = states.get((kind, state), 0) + number
    newest = [snapshots.read(pk) for pk in map(_newest, Kind) if pk]
    ended = {kind: _last_ok(kind) for kind in Kind}
    return JobFacts(
        states,
        [job for job in newest if job is not None],
        {kind.value: at for kind, at in ended.items() if at is not None},
        pending.due(),
    )


def _newest(kind: Kind) -> str:
    found = Job.objects.filter(kind=kind, user_id=None).order_by("-created_at").values_list("pk", flat=True).first()
    return str(found or "")


def _last_ok(kind: Kind) -> datetime | None:
    ended = Job.objects.filter(kind=kind, user_id=None, state=JobState.OK).order_by("-created_at")
    return ended.values_list("finished_at", flat=True).first()


JOBS = Part("jobs", ask)
