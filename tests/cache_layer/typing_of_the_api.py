"""What a type checker makes of the public interface. Not run: `mypy` is the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_type

from cache_layer import (
    AccessState,
    CacheLayer,
    CacheStats,
    CacheSwitch,
    Grant,
    HeldLock,
    Holder,
    Instance,
    Invalidated,
    JobSnapshot,
    LockView,
    MinuteStats,
    Peek,
    Ping,
    Settings,
    SyncCacheLayer,
    Turned,
    Waiter,
)
from cache_layer.breaker import CircuitState


async def in_the_bot(cache: CacheLayer, state: AccessState, snapshot: JobSnapshot) -> None:
    async def load(user_id: int) -> AccessState:
        return state

    async def wrong(user_id: str) -> AccessState:
        return state

    async def none(job_id: str) -> None:
        return None

    async with CacheLayer(Settings.from_env()) as entered:
        assert_type(entered, CacheLayer)
    assert_type(await cache.access_state.get(42, load=load), AccessState)
    await cache.access_state.get(42, load=wrong)  # type: ignore[arg-type]
    await cache.access_state.get("42", load=load)  # type: ignore[arg-type]
    await cache.access_state.get(42, load=lambda user_id: state)  # type: ignore[arg-type, return-value]
    assert_type(await cache.access_state.invalidate(42), Invalidated)
    assert_type(await cache.access_state.peek(42), Peek[AccessState])
    assert_type(await cache.jobs.get("j", load=none), JobSnapshot | None)
    grant = await cache.locks.acquire("summaries_daily", token="t", holder=Holder.here("bot"))
    assert_type(grant, Grant)
    assert_type(await cache.locks.held(), Sequence[LockView])
    assert_type(await cache.locks.release(grant), bool)
    assert_type(await cache.stats.read(), Sequence[MinuteStats])
    assert_type(await cache.stats.instances(), Sequence[Instance])
    assert_type(await cache.switches.turn("rag", False, by="command", reason="other"), Turned)
    assert_type(await cache.switches.list(), Sequence[CacheSwitch])
    assert_type(await cache.ping(), Ping)
    assert_type(cache.circuit, CircuitState)


def on_the_site(cache: SyncCacheLayer, state: AccessState, snapshot: JobSnapshot) -> None:
    async def awaitable(user_id: int) -> AccessState:
        return state

    assert_type(cache.access_state.get(42, load=lambda user_id: state), AccessState)
    cache.access_state.get(42, load=awaitable)  # type: ignore[arg-type]
    assert_type(cache.access_state.invalidate(42), Invalidated)
    peek = cache.access_state.peek(42)
    assert_type(peek.value, AccessState | None)
    assert_type(cache.jobs.put(snapshot), bool)
    assert_type(cache.jobs.get("j", load=lambda job_id: None), JobSnapshot | None)
    assert_type(cache.locks.acquire("x", token="t", fence=7, holder=Holder.here("worker", job="j")).fence, int)
    assert_type(cache.stats.read(15), Sequence[MinuteStats])
    assert_type(cache.stats.read(15, instance="x")[0].caches["rag"].redis.quantile_us(0.99), float | None)
    assert_type(cache.stats.own(), Mapping[str, CacheStats])
    assert_type(cache.switches.turn("rag", True, by="command", reason="other").switch.on, bool)
    state.has_access = True  # type: ignore[misc]


async def with_locks(cache: CacheLayer, layer: SyncCacheLayer, view: LockView) -> None:
    async with cache.lock("x", job="j", wait=timedelta(seconds=5)) as held:
        assert_type(held, HeldLock)
        assert_type(held.fence, int)
        assert_type(held.lost, bool)
        held.fence = 8  # type: ignore[misc]
    assert_type(await cache.locks.force_release("x", 7), bool)
    with layer.lock("x", fence=7) as held_too:
        assert_type(held_too, HeldLock)
        held_too.check()
    layer.lock("x", wait=5)  # type: ignore[arg-type]
    with cache.lock("x"):  # type: ignore[attr-defined]
        pass
    assert_type(layer.locks.force_release("x", held.fence), bool)
    assert_type(view.waiters, tuple[Waiter, ...])
    assert_type(view.waiters[0].since, datetime)
