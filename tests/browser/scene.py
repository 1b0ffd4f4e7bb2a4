"""A site in the middle of a day: jobs in several states, counted caches, a held lock, acts on record."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
import redis
from django.utils import timezone

from cache_layer import Grant, Holder, LockUnavailable, Presence
from cache_layer.keys import Keys
from cache_layer.statistics import Stats
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act, Reason
from pomni_admin.cache import handle_of, layer
from pomni_admin.summaries import schedules
from pomni_admin.summaries.models import Batch, BatchState, DailyTotal, Failure, Job, JobState, Schedule

T = TypeVar("T")

NO_KEYS = {"recent_history": "secret", "talkbuf": "secret", "rag": "secret"}
NIGHT = datetime.now(UTC).replace(hour=3, minute=0, second=4, microsecond=0)


@dataclass(frozen=True)
class Scene:
    """What pages are about: the ids of jobs, and the lock that one of them holds."""

    running: str
    partial: str
    paused: str
    rebuilt: str
    lock: Grant


def set_up(redis_url: str, people: list[int]) -> Scene:
    """Write the whole scene; `people` are ids of the cast."""
    running = _running(people)
    partial = _ended(
        JobState.PARTIAL, days_ago=1, total=312, done=300, errors=9, codes=("llm_rate_limited", "llm_unavailable")
    )
    _ended(JobState.OK, days_ago=2, total=318, done=318)
    _ended(JobState.FAILED, days_ago=3, total=310, done=12, errors=12, codes=("llm_bad_answer",))
    _ended(JobState.CANCELED, days_ago=4, total=305, done=41)
    paused = _paused()
    rebuilt = _rebuilt(people[0])
    _missed()
    _totals()
    holder = Holder("worker", "worker-1", 41, str(running.pk))
    lock = patiently(
        lambda: layer().locks.acquire("summaries_daily", token="scene", fence=running.fence, holder=holder)
    )
    _count(redis_url)
    with acts.act(
        actor=acts.Actor("support", "support"),
        act=Act.INVALIDATE_ACCESS,
        handle=handle_of(people[0]),
        reason=Reason.PAID_STILL_LOCKED_OUT,
    ) as act:
        act.result = "ok"
    with acts.act(actor=acts.Actor("admin", "admin"), act=Act.RUN_SUMMARIES, subject=str(running.pk)) as act:
        act.result = "ok"
    acts.refused(acts.Actor("viewer", "viewer"), Act.RUN_SUMMARIES)
    with acts.act(
        actor=acts.Actor("support", "support"), act=Act.INVALIDATE_ACCESS, handle=handle_of(people[1])
    ) as act:
        act.result = "unreachable"
    return Scene(str(running.pk), str(partial.pk), str(paused.pk), str(rebuilt.pk), lock)


def patiently(work: Callable[[], T]) -> T:
    """Have Redis do what it must. It is given 100 ms to answer, which a busy machine does not always keep."""
    ends = time.monotonic() + 15
    while True:
        try:
            return work()
        except LockUnavailable:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)


def _job(state: JobState, days_ago: int, total: int, by: str) -> Job:
    day = (NIGHT - timedelta(days=days_ago + 1)).date()
    return Job.objects.create(
        kind="daily",
        period_start=day,
        period_end=day + timedelta(days=1),
        state=state,
        started_by=by,
        total=total,
        planned=True,
        created_at=NIGHT - timedelta(days=days_ago),
        started_at=NIGHT - timedelta(days=days_ago) + timedelta(seconds=1),
    )


def _running(people: list[int]) -> Job:
    job = _job(JobState.RUNNING, days_ago=0, total=312, by="admin")
    now = timezone.now()
    Job.objects.filter(pk=job.pk).update(created_at=now - timedelta(seconds=42), started_at=now - timedelta(seconds=41))
    for number in range(7):
        users = list(range(number * 50 + 1, min(number * 50 + 51, 313)))
        done = 50 if number < 3 else (27, 14)[number - 3] if number < 5 else 0
        Batch.objects.create(
            job=job,
            number=number + 1,
            units=users,
            state=BatchState.DONE if number < 3 else BatchState.RUNNING if number < 5 else BatchState.WAITING,
            processed=done - (1 if number == 1 else 0) - (4 if done else 0),
            written=done - 5 if done else 0,
            embedding_ok=done - 5 if done else 0,
            skipped=4 if done else 0,
            errors=1 if number == 1 else 0,
            claimed_by=f"celery@worker-{number - 2}" if number in {3, 4} else "",
            claimed_at=now - timedelta(seconds=9) if number in {3, 4} else None,
            lease_until=now + timedelta(hours=1) if number in {3, 4} else None,
            heartbeat_at=now - timedelta(seconds=2) if done else None,
        )
    Failure.objects.create(job=job, batch=job.batches.order_by("number")[1], unit=people[2], code="llm_bad_answer")
    return job


def _ended(state: JobState, days_ago: int, total: int, done: int, errors: int = 0, codes: tuple[str, ...] = ()) -> Job:
    job = _job(state, days_ago, total, "schedule")
    notes = {JobState.PARTIAL: "deadline", JobState.FAILED: "everyone_failed"}
    Job.objects.filter(pk=job.pk).update(
        finished_at=job.created_at + timedelta(seconds=done * 0.7), note=notes.get(state, "")
    )
    batch = Batch.objects.create(
        job=job,
        number=1,
        units=list(range(1, total + 1)),
        state=BatchState.DONE,
        processed=done - errors - min(6, done - errors),
        written=done - errors - min(6, done - errors),
        embedding_ok=done - errors - min(6, done - errors),
        skipped=min(6, done - errors),
        errors=errors,
        embedding_429=3 if errors else 0,
        retries=errors,
        heartbeat_at=job.started_at,
    )
    for place in range(errors):
        Failure.objects.create(job=job, batch=batch, unit=10_000 + place, code=codes[place % len(codes)])
    return job


def _paused() -> Job:
    """Last week's, paused by an admin because the provider is in trouble."""
    monday = NIGHT.date() - timedelta(days=NIGHT.weekday() + 7)
    now = timezone.now()
    job = Job.objects.create(
        kind="weekly",
        period_start=monday,
        period_end=monday + timedelta(days=7),
        state=JobState.PAUSED,
        started_by="schedule",
        total=240,
        planned=True,
        created_at=now - timedelta(minutes=9),
        started_at=now - timedelta(minutes=9),
    )
    Batch.objects.create(
        job=job, number=1, units=list(range(1, 241)), processed=90, written=90, embedding_ok=90, skipped=7,
        tokens_in=412_000, tokens_out=19_800,
    )  # fmt: skip
    with acts.act(
        actor=acts.Actor("admin", "admin"),
        act=Act.PAUSE_SUMMARIES,
        subject=str(job.pk),
        reason=Reason.PROVIDER_TROUBLE,
    ) as act:
        act.result = "ok"
    Job.objects.filter(pk=job.pk).update(paused_at=timezone.now())
    return job


def _rebuilt(person: int) -> Job:
    """One person's, with some periods that failed."""
    today = NIGHT.date()
    at = NIGHT - timedelta(hours=13)
    job = Job.objects.create(
        kind="rebuild",
        period_start=today - timedelta(days=30),
        period_end=today,
        state=JobState.PARTIAL,
        note="some_failed",
        user_id=person,
        started_by="admin",
        total=28,
        planned=True,
        created_at=at,
        started_at=at,
        finished_at=at + timedelta(seconds=48),
    )
    batch = Batch.objects.create(
        job=job, number=1, units=[1], state=BatchState.DONE, processed=23, written=23, embedding_ok=23, skipped=2,
        errors=3, tokens_in=61_300, tokens_out=4_120,
    )  # fmt: skip
    for unit, code in ((20261101, "llm_timeout"), (20261102, "llm_timeout"), (20261103, "unexpected_KeyError")):
        Failure.objects.create(job=job, batch=batch, unit=unit, code=code)
    return job


def _missed() -> None:
    """The machine was asleep for two nights, longer ago than the oldest of the jobs."""
    schedules.standings()
    Schedule.objects.filter(kind="daily").update(since=timezone.now() - timedelta(days=6, hours=23))


def _totals() -> None:
    for back, kind in ((91, "daily"), (92, "daily"), (92, "weekly"), (93, "daily")):
        DailyTotal.objects.create(
            day=NIGHT.date() - timedelta(days=back), kind=kind, jobs=2, ok=1, partial=int(back == 92),
            failed=int(back == 91), canceled=0, units=640, written=601 - back, skipped=30, errors=9 if back < 93 else 0,
            retries=4, tokens_in=2_814_500 + back, tokens_out=140_220, seconds=812.0,
        )  # fmt: skip


def _count(redis_url: str) -> None:
    """A quarter of an hour of records, as the layer writes them."""
    stats = Stats(Keys(""))
    shape = [62, 71, 55, 80, 96, 90, 104, 88, 61, 73, 97, 120, 111, 84, 33]
    with redis.Redis.from_url(redis_url) as client:
        this = int(datetime.now(UTC).timestamp() // 60)
        for place, reads in enumerate(shape):
            misses = max(2, reads // 9 + (place * 7) % 5)
            counts = Counter(
                {
                    "access_state.hit": reads * 4 - misses,
                    "access_state.miss": misses,
                    "access_state.load": misses,
                    "access_state.fill": misses,
                    "access_state.wait": place % 3,
                    "access_state.fill_refused": int(place == 6),
                    "access_state.drop": misses // 2,
                    **_times("access_state", calls=reads * 4, loads=misses, size=96),
                    "recent_history.hit": reads - misses // 2,
                    "recent_history.miss": misses // 2,
                    "recent_history.bypass": reads // 8,
                    "recent_history.load": misses // 2,
                    "recent_history.rejected": int(place == 4),
                    **_times("recent_history", calls=reads, loads=misses // 2, size=9_400),
                    "talkbuf.push": reads,
                    "talkbuf.turn": reads * 2 // 3,
                    "talkbuf.bypass": reads // 8,
                    "talkbuf.redelivered": int(place == 9),
                    **_times("talkbuf", calls=reads * 3, loads=0, size=350),
                    "summaries_job.hit": reads // 12,
                    "summaries_job.miss": int(place in {2, 9}),
                    "summaries_job.load": int(place in {2, 9}),
                    **_times("lock", calls=reads // 9, loads=0, size=0),
                    "relay.lag_us.48": reads // 3,
                    "relay.lag_us.55": reads // 30,
                    "relay.found": int(place == 9),
                }
            )
            client.hset(stats.key(this - len(shape) + 1 + place), mapping={k: v for k, v in counts.items() if v})
        instances(client)


def _times(cache: str, calls: int, loads: int, size: int) -> Mapping[str, int]:
    """Spread over buckets as those of a quick Redis and a slower source are."""
    numbers = {f"{cache}.bytes_read": calls * size, f"{cache}.bytes_written": loads * size}
    for what, number, middle in (("redis_us", calls, 31), ("load_us", loads, 46)):
        for step, share in enumerate((0.06, 0.26, 0.36, 0.18, 0.08, 0.03, 0.02, 0.01)):
            bucket = middle - 2 + step + (step > 5) * 4
            numbers[f"{cache}.{what}.{bucket}"] = round(number * share)
    return numbers


def instances(client: redis.Redis) -> None:
    """Two bots, of which one is silent, a worker without a secret, and a relay; heard of now."""
    now = datetime.now(UTC)
    bot, job = "pomni-bot-7d9c5-xk2lp", "pomni-worker-0"
    for number, (said, silent_s) in enumerate(
        (
            (Presence(id="", role="bot", version="1f3a9c2e", host=bot, pid=17, since=now - timedelta(hours=5)), 0.4),
            (Presence(id="", role="bot", version="0b77e410", host=bot, pid=9, since=now, off={"rag": "switch"}), 74),
            (Presence(id="", role="worker", version="1f3a9c2e", host=job, pid=41, since=now, off=NO_KEYS), 0.9),
            (Presence(id="", role="relay", version="1f3a9c2e", host=job, pid=52, since=now - timedelta(hours=5)), 0.6),
        )
    ):
        said = msgspec.structs.replace(said, id=f"scene{number}")
        client.hset("instances:{all}", said.id, msgspec.json.encode(said))
        heard = now - timedelta(seconds=silent_s)
        client.zadd("instances:{all}:heard", {said.id: heard.timestamp() * 1000})
