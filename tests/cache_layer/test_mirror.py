"""The mirror of a job: what carries the higher revision wins, in whatever order it arrives; what is gone is rebuilt."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache_layer import CacheLayer, JobSnapshot, Settings, SyncCacheLayer, WorkerView
from pomni_admin.demo.servers import free_port
from tests.cache_layer.conftest import sync_client

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
REVISION = int(NOW.timestamp() * 1_000_000)
ON_ONE_SERVER = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def snapshot(job_id: str, revision: int = REVISION, *, processed: int = 0) -> JobSnapshot:
    return JobSnapshot(
        job_id=job_id,
        kind="daily",
        period_start=date(2026, 11, 23),
        period_end=date(2026, 11, 24),
        state="running",
        started_by="admin",
        created_at=NOW,
        revision=revision,
        processed_users=processed,
        workers=(WorkerView("w1", 3, 5, 50, NOW, NOW),),
        rate_per_s=1.5,
    )


def unasked(_: str) -> None:
    pytest.fail("the mirror was there")


@ON_ONE_SERVER
@given(st.lists(st.integers(REVISION, REVISION + 5), min_size=1, max_size=8))
def test_the_newest_wins_in_whatever_order_they_come(sync_cache: SyncCacheLayer, revisions: list[int]) -> None:
    job_id = str(uuid.uuid4())
    for number, revision in enumerate(revisions):
        newest = revision >= max(revisions[: number + 1])
        assert sync_cache.jobs.put(snapshot(job_id, revision)) == newest
        kept = sync_cache.jobs.get(job_id, load=unasked)
        assert kept is not None
        assert kept.revision == max(revisions[: number + 1])


def test_it_comes_back_as_it_went_and_lives_two_hours(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    job_id = str(uuid.uuid4())
    assert sync_cache.jobs.put(snapshot(job_id, processed=7))
    assert sync_cache.jobs.get(job_id, load=unasked) == snapshot(job_id, processed=7)
    assert 7190 < redis_client.ttl(f"summaries_job:{{{job_id}}}") <= 7200


def test_what_is_gone_is_read_from_the_rows_and_mirrored_again(sync_cache: SyncCacheLayer) -> None:
    job_id = str(uuid.uuid4())
    asked = []

    def load(wanted: str) -> JobSnapshot:
        asked.append(wanted)
        return snapshot(wanted, processed=3)

    assert sync_cache.jobs.get(job_id, load=load) == snapshot(job_id, processed=3)
    assert sync_cache.jobs.get(job_id, load=unasked) == snapshot(job_id, processed=3)
    assert asked == [job_id]


def test_what_is_damaged_is_read_from_the_rows_and_mended(
    sync_cache: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    job_id = str(uuid.uuid4())
    sync_cache.jobs.put(snapshot(job_id))
    redis_client.hset(f"summaries_job:{{{job_id}}}", "data", "rubbish")
    assert sync_cache.jobs.get(job_id, load=lambda _: snapshot(job_id, REVISION + 1)) == snapshot(job_id, REVISION + 1)
    assert sync_cache.jobs.get(job_id, load=unasked) == snapshot(job_id, REVISION + 1)


def test_a_job_that_nobody_knows_is_none_and_is_not_kept(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    assert sync_cache.jobs.get("unknown", load=lambda _: None) is None
    assert redis_client.keys("summaries_job*") == []


async def test_the_bot_and_the_site_see_the_same_mirror(cache: CacheLayer, sync_cache: SyncCacheLayer) -> None:
    sync_cache.jobs.put(snapshot("j"))

    async def load(_: str) -> None:
        pytest.fail("the mirror was there")

    assert await cache.jobs.get("j", load=load) == snapshot("j")


def test_without_redis_the_rows_are_asked_and_it_is_waited_for_once() -> None:
    """The row is not offered to a mirror that was just found to be away. Fails when it is: two time-outs a call."""
    client = sync_client(f"redis://127.0.0.1:{free_port()}/0")
    layer = SyncCacheLayer(Settings(redis_url="redis://nobody"), client, role="test")
    assert layer.jobs.get("j", load=snapshot) == snapshot("j")
    assert layer._definitions.counts.take() == {
        "summaries_job.error": 1,
        "summaries_job.fallback": 1,
        "summaries_job.load": 1,
    }
    assert not layer.jobs.put(snapshot("j"))
    client.connection_pool.disconnect()


def test_a_row_that_cannot_be_read_raises_what_the_reader_raised(sync_cache: SyncCacheLayer) -> None:
    def fail(_: str) -> JobSnapshot:
        raise ConnectionRefusedError("postgres")

    with pytest.raises(ConnectionRefusedError):
        sync_cache.jobs.get("j", load=fail)


def test_another_job_s_snapshot_is_not_believed(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    sync_cache.jobs.put(snapshot("a"))
    copied = redis_client.hget("summaries_job:{a}", "data")
    assert isinstance(copied, bytes)
    redis_client.hset("summaries_job:{b}", mapping={"data": copied, "revision": 1})
    newer = snapshot("b", REVISION + int(timedelta(seconds=1).total_seconds() * 1e6))
    assert sync_cache.jobs.get("b", load=lambda _: newer) == newer
