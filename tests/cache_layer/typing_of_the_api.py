"""What a type checker makes of the public interface. Not run: `mypy` is the test.

Each public call once, with what it returns; and each misuse that a type checker can keep a caller from, with the error
that it must be: where one is missing, the unused `type: ignore` is an error itself. `test_public_interface` sees to it
that nothing is left out.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, assert_type

from cache_layer import (
    DROPPABLE,
    AccessState,
    CacheLayer,
    CacheLayerError,
    CacheStats,
    CacheSwitch,
    Change,
    Context,
    Debounce,
    Dropped,
    Extent,
    Forgotten,
    GateView,
    Grant,
    HeldLock,
    Histogram,
    HistoryQuery,
    Hit,
    Holder,
    Holding,
    Holdings,
    Identity,
    Incoming,
    Instance,
    Invalidated,
    JobSnapshot,
    JobState,
    LockError,
    LockGrant,
    LockHeld,
    LockLost,
    LockUnavailable,
    LockView,
    Measured,
    Message,
    MinuteStats,
    Pass,
    Peek,
    Person,
    PersonalQuestion,
    Ping,
    Presence,
    Rules,
    Settings,
    SettingsError,
    SharedQuestion,
    Shut,
    Sources,
    SwitchedOff,
    SyncCacheLayer,
    Turn,
    TurnContext,
    Turned,
    TurnLost,
    Unavailable,
    Waiter,
    WorkerView,
)
from cache_layer.breaker import CircuitState


async def the_layer(cache: CacheLayer) -> None:
    async with CacheLayer(Settings.from_env()) as entered:
        assert_type(entered, CacheLayer)
    assert_type(CacheLayer.from_env({"REDIS_URL": ""}, role="bot"), CacheLayer)
    assert_type(await cache.start(), Ping)
    assert_type(await cache.ping(), Ping)
    assert_type(cache.circuit, CircuitState)
    assert_type(await cache.changed(user_id=42, tg_id=7), bool)
    await cache.changed(42, 7)  # type: ignore[call-arg]
    assert_type(await cache.changed(user_id=42), bool)
    assert_type(await cache.privacy_changed(user_id=42, tg_id=7, level="none"), bool)
    assert_type(await cache.purged(42), bool)
    assert_type(await cache.apply([Change.of_rows(42, (7,)), Change.of_privacy(42, (7,), "none")]), list[bool])
    assert_type(await cache.apply([Change.of_texts(42), Change.of_everything(42)]), list[bool])
    assert_type(await cache.forget(42), Forgotten)
    assert_type(await cache.forget(42, tg_id=7), Forgotten)
    assert_type(await cache.holdings(42, tg_id=7), Holdings)
    assert_type((await cache.holdings(42)).things, tuple[Holding, ...])
    await cache.holdings("42")  # type: ignore[arg-type]
    await cache.announce("caches")
    await cache.close()
    with CacheLayer.from_env():  # type: ignore[attr-defined]  # it is for an event loop
        pass
    CacheLayer({"REDIS_URL": ""})  # type: ignore[arg-type]
    CacheLayer()  # type: ignore[call-arg]


async def access(cache: CacheLayer, state: AccessState) -> None:
    async def load(user_id: int) -> AccessState:
        return state

    async def of_text(user_id: str) -> AccessState:
        return state

    async def of_a_dict(user_id: int) -> dict[str, object]:
        return {}

    async def nobody(user_id: int) -> AccessState | None:
        return None

    assert_type(await cache.access_state.get(42, load=load), AccessState)
    assert_type(await cache.access_state.invalidate(42), Invalidated)
    assert_type(await cache.access_state.peek(42), Peek[AccessState])
    assert_type((await cache.access_state.peek(42)).value, AccessState | None)
    assert_type(state.reason, Literal["subscription", "trial", "none"])
    assert_type(state.subscription_until, datetime | None)
    await cache.access_state.get(42, load=of_text)  # type: ignore[arg-type]
    await cache.access_state.get(42, load=of_a_dict)  # type: ignore[arg-type]
    await cache.access_state.get(42, load=nobody)  # type: ignore[arg-type]
    await cache.access_state.get("42", load=load)  # type: ignore[arg-type]
    await cache.access_state.get(42, load)  # type: ignore[call-arg]  # which loader is whose must be said
    await cache.access_state.get(42)  # type: ignore[call-arg]
    await cache.access_state.get(42, load=lambda user_id: state)  # type: ignore[arg-type, return-value]
    state.has_access = True  # type: ignore[misc]
    AccessState.decide(status="active")  # type: ignore[call-arg]


async def people(cache: CacheLayer) -> None:
    async def load(tg_id: int) -> Identity | None:
        return Identity(42, "ask", policy_accepted=True, trial_ever=True)

    async def only_the_id(tg_id: int) -> int:
        return 42

    person = await cache.identity.get(7, load=load)
    assert_type(person, Person | None)
    person.user_id  # type: ignore[union-attr]  # noqa: B018  nobody may be known by this id
    assert person is not None
    assert_type(person.user_id, int)
    assert_type(person.may_store, bool)
    assert_type(person.policy_accepted, bool)
    assert_type(person.trial_ever, bool)
    assert_type(person.blocked, bool)
    assert_type(person.is_outdated, bool)
    assert_type(await cache.identity.invalidate(7), Invalidated)
    await cache.identity.get(7, load=only_the_id)  # type: ignore[arg-type]
    await cache.identity.get(person, load=load)  # type: ignore[arg-type]
    person.may_store = True  # type: ignore[misc]
    Person(Identity(42, "ask"))  # type: ignore[call-arg]
    Person(42)  # type: ignore[arg-type, call-arg]
    Identity("42", "ask")  # type: ignore[arg-type]


async def history(cache: CacheLayer, person: Person, perhaps: Person | None, message: Message) -> None:
    async def load(query: HistoryQuery) -> list[Message]:
        assert_type(query.user_id, int)
        assert_type(query.since, datetime)
        assert_type(query.limit, int)
        return [message]

    async def of_an_id(user_id: int) -> list[Message]:
        return [message]

    async def of_dicts(query: HistoryQuery) -> list[dict[str, str]]:
        return [{"role": "user", "content": ""}]

    found = await cache.history.get(person, 90, load=load)
    assert_type(found, tuple[Message, ...])
    assert_type(found[0].role, Literal["user", "bot"])
    assert_type(found[0].for_llm(), dict[str, str])
    await cache.history.append(person, message)
    assert_type(await cache.history.invalidate(42), Invalidated)
    assert_type(await cache.history.forget(42), Invalidated)
    await cache.history.get(42, load=load)  # type: ignore[arg-type]  # a person, who says what may be stored
    await cache.history.get(perhaps, load=load)  # type: ignore[arg-type]
    await cache.history.get(person, load=of_an_id)  # type: ignore[arg-type]
    await cache.history.get(person, load=of_dicts)  # type: ignore[arg-type]
    await cache.history.append(42, message)  # type: ignore[arg-type]
    await cache.history.append(person, "Привет")  # type: ignore[arg-type]
    await cache.history.append(person, message, privacy="none")  # type: ignore[call-arg]
    await cache.history.forget(person)  # type: ignore[arg-type]
    Message(1, "assistant", "", message.at)  # type: ignore[arg-type]  # the table's word is bot
    Message(1, "user", "", "2026-11-02")  # type: ignore[arg-type]
    message.text = ""  # type: ignore[misc]


async def all_in_one(cache: CacheLayer, state: AccessState) -> None:
    async def who(tg_id: int) -> Identity | None:
        return None

    async def may(user_id: int) -> AccessState:
        return state

    async def said(query: HistoryQuery) -> Sequence[Message]:
        return ()

    sources = Sources(identity=who, access_state=may, history=said)
    context = await cache.turn(7, load=sources, limit=90)
    assert_type(context, TurnContext | None)
    assert context is not None
    assert_type(context.person, Person)
    assert_type(context.access_state, AccessState)
    assert_type(context.history, tuple[Message, ...])
    Sources(identity=may, access_state=may, history=said)  # type: ignore[arg-type]
    Sources(identity=who, access_state=may)  # type: ignore[call-arg]
    await cache.turn(7, load=who)  # type: ignore[arg-type]
    await cache.turn(context.person, load=sources)  # type: ignore[arg-type]


async def retrieval(cache: CacheLayer, person: Person) -> None:
    async def everybodys(question: SharedQuestion) -> Context:
        assert_type(question.text, str)
        question.user_id  # type: ignore[attr-defined]  # noqa: B018  it does not learn who asks
        return Context("…", (Hit(1, 0.5, {"lang": "ru"}),))

    async def somebodys(question: PersonalQuestion) -> Context:
        assert_type(question.user_id, int)
        return Context(hits=(Hit("a", 0.5),))

    async def only_text(question: SharedQuestion) -> str:
        return ""

    async def embed(text: str) -> list[float]:
        return [0.5]

    params = {"k": 3, "lang": "ru", "kinds": ["daily"], "score": 0.5, "nothing": None}
    ok = await cache.rag.get_shared(person, "?", collection="c", params={"k": 3, "kinds": ["daily"]}, load=everybodys)
    assert_type(ok, Context)
    assert_type(ok.hits, tuple[Hit, ...])
    assert_type(await cache.rag.get(person, "?", collection="c", load=somebodys), Context)
    assert_type(await cache.rag.embedding(person, "?", model="m", load=embed), array[float])
    assert_type(await cache.rag.bump("c"), bool)
    assert_type(await cache.rag.forget(42), Invalidated)
    await cache.rag.get_shared(person, "?", collection="c", load=somebodys)  # type: ignore[arg-type]  # not everybody's
    await cache.rag.get(person, "?", collection="c", load=everybodys)  # type: ignore[arg-type]
    await cache.rag.get_shared(person, "?", collection="c", load=only_text)  # type: ignore[arg-type]
    await cache.rag.get(42, "?", collection="c", load=somebodys)  # type: ignore[arg-type]
    await cache.rag.get(person, "?", load=somebodys)  # type: ignore[call-arg]
    await cache.rag.embedding("?", model="m", load=embed)  # type: ignore[call-arg, arg-type]
    # Known awkwardness: a dict that is not written in the call itself has a type that is too wide.
    await cache.rag.get(person, "?", collection="c", params=params, load=somebodys)  # type: ignore[arg-type]


async def merging(cache: CacheLayer, person: Person, message: Message) -> None:
    incoming = Incoming(7, 1, "Привет", message.at, mode="talk")
    assert_type(await cache.talk.push(person, incoming), bool)
    assert_type(cache.talk.turns(), AsyncIterator[Turn])
    assert_type(await cache.talk.drain(timedelta(seconds=5)), int)
    await cache.talk.close()
    async for turn in cache.talk.turns():
        assert_type(turn, Turn)
        async with turn as entered:
            assert_type(entered, Turn)
        assert_type((turn.id, turn.user_id, turn.fence, turn.text), tuple[str, int, int, str])
        assert_type((turn.chat_id, turn.mode, turn.redelivered), tuple[int, str, bool])
        assert_type(turn.messages, tuple[Incoming, ...])
        assert_type(turn.last, Incoming)
        assert_type(turn.message_ids, tuple[int, ...])
        turn.check()
        with turn:  # type: ignore[attr-defined]
            pass
    await cache.talk.push(7, incoming)  # type: ignore[arg-type]
    await cache.talk.push(person, "Привет")  # type: ignore[arg-type]
    await cache.talk.push(person, message)  # type: ignore[arg-type]
    await cache.talk.drain(5)  # type: ignore[arg-type]
    Incoming("7", 1, "", message.at)  # type: ignore[arg-type]


async def jobs(cache: CacheLayer, layer: SyncCacheLayer, snapshot: JobSnapshot) -> None:
    async def load(job_id: str) -> JobSnapshot | None:
        return snapshot

    assert_type(await cache.jobs.get("j", load=load), JobSnapshot | None)
    await cache.jobs.get(1, load=load)  # type: ignore[arg-type]
    assert_type(layer.jobs.put(snapshot), bool)
    assert_type(layer.jobs.get("j", load=lambda job_id: None), JobSnapshot | None)
    layer.jobs.put({"state": "ok"})  # type: ignore[arg-type]
    assert_type(snapshot.state, JobState)
    assert_type(snapshot.period_start, date)
    assert_type(snapshot.workers, tuple[WorkerView, ...])
    assert_type(snapshot.workers[0].heartbeat_at, datetime)


async def with_locks(cache: CacheLayer, layer: SyncCacheLayer, view: LockView) -> None:
    async with cache.lock("x", job="j", wait=timedelta(seconds=5)) as held:
        assert_type(held, HeldLock)
        assert_type(held.fence, int)
        assert_type(held.lost, bool)
        held.check()
        held.fence = 8  # type: ignore[misc]
    grant = await cache.locks.acquire("summaries_daily", token="t", holder=Holder.here("bot"))
    assert_type(grant, Grant)
    await cache.locks.renew(grant)
    assert_type(await cache.locks.release(grant), bool)
    assert_type(await cache.locks.held(), Sequence[LockView])
    assert_type(await cache.locks.recent(5), Sequence[LockGrant])
    assert_type(await cache.locks.force_release("x", 7), bool)
    async with cache.locks.hold("x") as held_too:
        assert_type(held_too, HeldLock)
    with layer.lock("x", fence=7) as held_by_a_thread:
        assert_type(held_by_a_thread, HeldLock)
    with layer.locks.hold("x") as held_by_another:
        assert_type(held_by_another, HeldLock)
    assert_type(layer.locks.acquire("x", token="t", fence=7, holder=Holder.here("worker", job="j")), Grant)
    layer.locks.renew(grant)
    assert_type(layer.locks.release(grant), bool)
    assert_type(layer.locks.held(), Sequence[LockView])
    assert_type(layer.locks.recent(), Sequence[LockGrant])
    assert_type(layer.locks.force_release("x", held.fence), bool)
    assert_type(view.waiters, tuple[Waiter, ...])
    assert_type(view.waiters[0].since, datetime)
    layer.lock("x", wait=5)  # type: ignore[arg-type]
    await cache.locks.release("x")  # type: ignore[arg-type]  # by what was given, not by its name
    with cache.lock("x"):  # type: ignore[attr-defined]
        pass


async def watching(cache: CacheLayer, layer: SyncCacheLayer) -> None:
    assert_type(await cache.stats.read(15, instance="x"), Sequence[MinuteStats])
    assert_type(await cache.stats.instances(), Sequence[Instance])
    assert_type(cache.stats.own(), Mapping[str, CacheStats])
    cache.stats.relayed([0.004], found=0, failed=0)
    assert_type(await cache.switches.turn("rag", False, by="command", reason="other"), Turned)
    assert_type(await cache.switches.list(), Sequence[CacheSwitch])
    assert_type(cache.switches.is_on("rag"), bool)
    assert_type(cache.switches.off()["rag"], Literal["variable", "secret", "switch"])
    assert_type(layer.stats.read(15), Sequence[MinuteStats])
    assert_type(layer.stats.instances()[0].presence, Presence)
    assert_type(layer.stats.own(), Mapping[str, CacheStats])
    assert_type(layer.switches.turn("rag", True, by="command", reason="other").switch, CacheSwitch)
    assert_type(layer.switches.list()[0].switched_off, SwitchedOff | None)
    assert_type(layer.switches.is_on("rag"), bool)
    assert_type(layer.switches.off()["rag"], Literal["variable", "secret", "switch"])
    minute = layer.stats.read()[0]
    assert_type(minute.caches["rag"].redis, Histogram)
    assert_type(minute.caches["rag"].redis.quantile_us(0.99), float | None)
    await cache.switches.turn("rag", False)  # type: ignore[call-arg]  # who and why is not left out
    await cache.stats.read("15")  # type: ignore[arg-type]


def on_the_site(layer: SyncCacheLayer, state: AccessState) -> None:
    async def awaitable(user_id: int) -> AccessState:
        return state

    assert_type(SyncCacheLayer(Settings(), None, role="site"), SyncCacheLayer)
    assert_type(layer.settings, Settings)
    assert_type(layer.circuit, CircuitState)
    assert_type(layer.redis_url, str)
    assert_type(layer.start(), Ping)
    assert_type(layer.ping(), Ping)
    assert_type(layer.access_state.get(42, load=lambda user_id: state), AccessState)
    assert_type(layer.access_state.invalidate(42), Invalidated)
    assert_type(layer.access_state.peek(42).value, AccessState | None)
    assert_type(layer.identity.invalidate(7), Invalidated)
    assert_type(layer.history.invalidate(42), Invalidated)
    assert_type(layer.history.forget(42), Invalidated)
    assert_type(layer.rag.bump("c"), bool)
    assert_type(layer.rag.forget(42), Invalidated)
    assert_type(layer.changed(user_id=42, tg_id=7), bool)
    assert_type(layer.purged(42), bool)
    assert_type(layer.forget(42, tg_id=7), Forgotten)
    assert_type(layer.holdings(42, tg_id=7).access_state, Peek[AccessState])
    layer.holdings(42).things[0].content  # type: ignore[attr-defined]  # noqa: B018  it never is told
    assert_type(layer.info(), Mapping[str, str])
    assert_type(layer.drop_all(DROPPABLE[0]), Dropped)
    measured: Measured = layer.measure()
    assert_type(measured.caches["rag"], Extent)
    layer.announce("caches")
    layer.close()
    layer.access_state.get(42, load=awaitable)  # type: ignore[arg-type]
    layer.history.get(42)  # type: ignore[attr-defined]  # the site shows no text of anybody's
    layer.talk  # type: ignore[attr-defined]  # noqa: B018  nor does it merge any


def before_a_provider(layer: SyncCacheLayer) -> None:
    rules = Rules(8, lease=timedelta(seconds=65), first=timedelta(seconds=1), longest=timedelta(seconds=30))
    entered = layer.gates.enter("llm", rules)
    assert_type(entered, Pass | Shut)
    if isinstance(entered, Shut):
        assert_type(entered.until, datetime | None)
    else:
        assert_type(layer.gates.leave("llm", entered, rules, answered=True), int)
    assert_type(layer.gates.shut_until("llm"), datetime | None)
    assert_type(layer.gates.look("llm"), GateView)
    layer.gates.leave("llm", entered, rules, answered=True)  # type: ignore[arg-type]  # one must have entered


def settings_and_errors(held: LockHeld, lost: LockLost, away: LockUnavailable, gone: TurnLost) -> None:
    settings = Settings.from_env({"REDIS_TTL_RAG": "300"})
    assert_type(settings.is_on("rag"), bool)
    assert_type(settings.why_off("rag"), str)
    assert_type(settings.debounce, Debounce)
    settings.require_secrets()
    settings.redis_url = "redis://h"  # type: ignore[misc]
    locks: Sequence[LockError] = (held, lost, away)
    wrong, unavailable = SettingsError("REDIS_URL", None, "…"), Unavailable("…")
    errors: Sequence[CacheLayerError] = (*locks, gone, wrong, unavailable)
    assert_type(wrong.variable, str)
    assert_type(unavailable.reason, str)
    del errors
