"""For each live page: where it is, and a change that it shows."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import redis
from django.db.models import F
from django.utils import timezone

from cache_layer.keys import Keys
from cache_layer.statistics import Stats
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act
from pomni_admin.cache import layer
from pomni_admin.summaries import mirror
from pomni_admin.summaries.models import Batch, BatchState
from tests.browser.aside import aside
from tests.browser.scene import patiently
from tests.browser.visits import Guest


@dataclass(frozen=True)
class Update:
    """`prepare` makes ready for `change`, which is called once a width, and returns the page's path."""

    name: str
    prepare: Callable[[Guest], str]
    change: Callable[[Guest], None]


def alive(guest: Guest) -> None:
    """On a slow machine the scene grows old: the job would be stalled and the lock's holder silent, until they move."""
    aside(lambda: Batch.objects.filter(state=BatchState.RUNNING).update(heartbeat_at=timezone.now()))
    patiently(lambda: layer().locks.renew(guest.scene.lock))


def progress(guest: Guest) -> None:
    """The running job gets on, from two figures to three and more."""

    job = UUID(guest.scene.running)

    def work() -> None:
        Batch.objects.filter(job_id=job, state=BatchState.RUNNING).update(
            processed=F("processed") + 3, written=F("written") + 3, heartbeat_at=timezone.now()
        )
        mirror.publish(job)

    aside(work)


def _counted(guest: Guest) -> None:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        key = Stats(Keys("")).key(int(datetime.now(UTC).timestamp() // 60))
        for field, by in (("access_state.hit", 4_800), ("access_state.miss", 97), ("rag.hit", 12), ("rag.error", 3)):
            client.hincrby(key, field, by)
    layer().announce("caches")


def _renewed(guest: Guest) -> None:
    patiently(lambda: layer().locks.renew(guest.scene.lock))
    layer().announce("locks")


def _at(path: str) -> Callable[[Guest], str]:
    def prepare(guest: Guest) -> str:
        alive(guest)
        return path.format(running=guest.scene.running)

    return prepare


def _two_begun(guest: Guest) -> str:
    actor = acts.Actor("admin", "admin")
    guest.begun = aside(lambda: [acts.begin(actor=actor, act=Act.RUN_SUMMARIES) for _ in range(2)])
    return "audit"


def _one_ended(guest: Guest) -> None:
    act = guest.begun.pop()
    act.result = "already_running"
    aside(act.finish)


# The Overview last: by then all processes of the scene have fallen silent, and what wants attention stays the same.
UPDATES: Final = (
    Update("jobs", _at("jobs"), progress),
    Update("job", _at("jobs/{running}"), progress),
    Update("caches", _at("caches"), _counted),
    Update("locks", _at("locks"), _renewed),
    Update("health", _at("health"), lambda guest: layer().announce("relay")),
    Update("audit", _two_begun, _one_ended),
    Update("overview", _at(""), progress),
)
