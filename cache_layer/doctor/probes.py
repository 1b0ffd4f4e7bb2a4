"""Each cache written by one instance and read back by another, through the interface that the bot uses."""

from __future__ import annotations

import asyncio
import secrets
from array import array
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, timedelta

from cache_layer.catalogue.access_state import AccessState
from cache_layer.catalogue.jobs import JobSnapshot
from cache_layer.catalogue.rag import Context, Hit, SharedQuestion
from cache_layer.catalogue.recent_history import HistoryQuery, Message
from cache_layer.catalogue.talkbuf import Incoming
from cache_layer.doctor.stage import ROLE, DoesNotWork, Stage, Timings, answers, must_find
from cache_layer.errors import LockHeld
from cache_layer.privacy import tg_hash
from cache_layer.shapes import Holder, Invalidated

COLLECTION = "doctor"
MODEL = "doctor"
NAME = "doctor"
TURN_AT_MOST_S = 5.0

Probe = Callable[[Stage, Timings], Awaitable[str]]
"""Returns what was seen to work, for a person; raises `DoesNotWork`, or what the layer raises."""


async def access_state(stage: Stage, timings: Timings) -> str:
    granted = AccessState(has_access=True, reason="trial", trial_until=datetime.now(UTC) + timedelta(hours=1))
    user_id = stage.user_id
    stage.touches(stage.definitions.access_state.invalidate(user_id))
    await timings.write(stage.here.access_state.get(user_id, load=answers(granted)))
    found = await timings.read(lambda: stage.there.access_state.get(user_id, load=must_find("a state")))
    _expect(found == granted, "what came back is not what was written")
    _expect_dropped(await stage.there.access_state.invalidate(user_id))
    return "found by a second instance, invalidated"


async def identity(stage: Stage, timings: Timings) -> str:
    stage.touches(stage.definitions.identity.invalidate(tg_hash(stage.settings.hash_secret, stage.tg_id)))
    await timings.write(stage.here.identity.get(stage.tg_id, load=answers(stage.identity)))
    found = await timings.read(lambda: stage.there.identity.get(stage.tg_id, load=must_find("an identity")))
    _expect(found is not None and found.user_id == stage.user_id, "what came back is not what was written")
    _expect_dropped(await stage.there.identity.invalidate(stage.tg_id))
    return "found by a second instance, invalidated"


async def recent_history(stage: Stage, timings: Timings) -> str:
    now = datetime.now(UTC)
    said = Message(1, "user", stage.text, now)
    answered = Message(2, "bot", stage.text, now)
    key = stage.touches(stage.definitions.history.forget(stage.user_id))
    person, same = await stage.person(stage.here), await stage.person(stage.there)

    async def load(_query: HistoryQuery) -> list[Message]:
        return [said]

    await timings.write(stage.here.history.get(person, load=load))
    await stage.here.history.append(person, answered)
    found = await timings.read(lambda: stage.there.history.get(same, load=must_find("a history")))
    _expect(found == (said, answered), "what came back is not what was written")
    _expect_sealed(stage, await stage.stored("LRANGE", key, 0, -1))
    _expect_dropped(await stage.there.history.forget(stage.user_id))
    return "found by a second instance, sealed, forgotten"


async def shared_context(stage: Stage, timings: Timings) -> str:
    rag, context = stage.definitions.rag, Context(stage.text, (Hit(1, 0.5),))
    version_key = stage.touches(rag.versions.bump(COLLECTION))
    person, same = await stage.person(stage.here), await stage.person(stage.there)
    question = SharedQuestion(stage.text, COLLECTION, {})
    key = stage.touches(rag.shared.invalidate(rag.name_of(question, "")))

    await timings.write(stage.here.rag.get_shared(person, stage.text, collection=COLLECTION, load=answers(context)))
    found = await timings.read(
        lambda: stage.there.rag.get_shared(same, stage.text, collection=COLLECTION, load=must_find("a context"))
    )
    _expect(found == context, "what came back is not what was written")
    _expect_sealed(stage, await stage.stored("GET", key))
    _expect(await stage.there.rag.bump(COLLECTION), "the collection could not be given a new version")
    version = (await stage.stored("GET", version_key)).decode()
    stage.touches(rag.shared.invalidate(rag.name_of(question, version)))
    fresh = await stage.here.rag.get_shared(person, stage.text, collection=COLLECTION, load=answers(Context("new")))
    _expect(fresh == Context("new"), "a changed collection was answered from the cache")
    return "found by a second instance, sealed, forgotten with a new version"


async def personal_context(stage: Stage, timings: Timings) -> str:
    rag, context = stage.definitions.rag, Context(stage.text, (Hit(1, 0.5),))
    stage.touches(rag.versions.bump(COLLECTION))
    key = stage.touches(rag.personal.invalidate((stage.user_id, "")))
    person, same = await stage.person(stage.here), await stage.person(stage.there)

    await timings.write(stage.here.rag.get(person, stage.text, collection=COLLECTION, load=answers(context)))
    found = await timings.read(
        lambda: stage.there.rag.get(same, stage.text, collection=COLLECTION, load=must_find("a context"))
    )
    _expect(found == context, "what came back is not what was written")
    _expect_sealed(stage, await stage.stored("HVALS", key))
    _expect_dropped(await stage.there.rag.forget(stage.user_id))
    return "found by a second instance, sealed, forgotten"


async def embedding(stage: Stage, timings: Timings) -> str:
    rag, vector = stage.definitions.rag, [0.25, -0.5, 0.125]
    person, same = await stage.person(stage.here), await stage.person(stage.there)
    stage.touches(rag.embeddings.invalidate(rag.name_of_embedding(stage.text, MODEL)))
    await timings.write(stage.here.rag.embedding(person, stage.text, model=MODEL, load=answers(vector)))
    found = await timings.read(
        lambda: stage.there.rag.embedding(same, stage.text, model=MODEL, load=must_find("a vector"))
    )
    _expect(found == array("f", vector), "what came back is not what was written")
    return "found by a second instance"


async def nothing_stored(stage: Stage, timings: Timings) -> str:
    """Somebody who wants nothing stored any more: whatever an instance still believes of them, nothing gets in (G5)."""
    stage.touches(stage.definitions.forget(stage.user_id, None))
    key = stage.touches(stage.definitions.history.forget(stage.user_id))
    person = await stage.person(stage.here)

    async def load(_query: HistoryQuery) -> list[Message]:
        return [Message(1, "user", stage.text, datetime.now(UTC))]

    forgotten = await timings.write(stage.there.forget(stage.user_id, stage.tg_id))
    _expect(forgotten.reached, "it could not be carried out")
    await timings.read(lambda: stage.here.history.get(person, load=load))
    _expect(await stage.stored("LRANGE", key, 0, -1) == [], "text was stored after it was forbidden")
    return "after it nothing of the person's text is stored"


async def summaries_job(stage: Stage, timings: Timings) -> str:
    now = datetime.now(UTC)
    day = date(2020, 1, 1)
    snapshot = JobSnapshot(
        job_id=NAME,
        kind="daily",
        period_start=day,
        period_end=day + timedelta(days=1),
        state="ok",
        started_by=ROLE,
        created_at=now,
        revision=int(now.timestamp() * 1_000_000),
    )
    stage.touches(stage.definitions.jobs.put(NAME, snapshot))
    await timings.write(stage.here.jobs.get(NAME, load=answers(snapshot)))
    found = await timings.read(lambda: stage.there.jobs.get(NAME, load=must_find("a job")))
    _expect(found == snapshot, "what came back is not what was written")
    return "found by a second instance"


async def lock(stage: Stage, timings: Timings) -> str:
    here, there, holder = stage.here.locks, stage.there.locks, Holder.here(ROLE)
    one, another = secrets.token_hex(8), secrets.token_hex(8)
    stage.touches(stage.definitions.locks.acquire(NAME, one, holder))  # the index of names
    stage.touches(stage.definitions.locks.withdraw(NAME, one))
    first = await timings.write(here.acquire(NAME, token=one, holder=holder))
    await timings.read(lambda: here.renew(first))
    try:
        await there.acquire(NAME, token=another, holder=holder)
    except LockHeld:
        pass
    else:
        raise DoesNotWork("two instances hold it at once")
    _expect(await here.release(first), "it could not be given back")
    second = await there.acquire(NAME, token=another, holder=holder)
    await there.release(second)
    _expect(second.fence > first.fence, "the fence has not grown")
    return "taken, renewed, refused to a second instance, given back; the fence grows"


async def talk_buffer(stage: Stage, timings: Timings) -> str:
    """What waits is found by an instance that did not get it, as when the one that did is dead (G7)."""
    buffer = stage.definitions.talkbuf
    said = Incoming(stage.tg_id, 1, stage.text, datetime.now(UTC))
    stage.touches(buffer.sweep())
    stage.touches(stage.definitions.forget(stage.user_id, None))
    key, turn_key, _ = buffer.keys_of(stage.user_id)
    stage.touches(buffer.withdraw(stage.user_id, ()))
    person = await stage.person(stage.here)

    async def first_turn() -> tuple[Incoming, ...]:
        async for turn in stage.there.talk.turns():
            async with turn:
                return turn.messages
        raise DoesNotWork("the layer was closed")

    stored = await timings.write(stage.here.talk.push(person, said))
    _expect(stored, "a message could not be stored")
    _expect_sealed(stage, await stage.stored("HVALS", key))
    try:
        async with asyncio.timeout(TURN_AT_MOST_S):
            found = await first_turn()
    except TimeoutError:
        raise DoesNotWork("a message was stored, and a second instance was not handed it") from None
    _expect(found == (said,), "what came back is not what was written")
    _expect(await stage.stored("HVALS", turn_key) == [], "a turn that is done is still there")
    return "handed to a second instance, sealed, done with"


PROBES: Mapping[str, tuple[str, Probe]] = {
    "access_state": ("access_state", access_state),
    "identity": ("identity", identity),
    "recent_history": ("recent_history", recent_history),
    "rag, shared": ("rag", shared_context),
    "rag, personal": ("rag", personal_context),
    "rag, embedding": ("rag", embedding),
    "talkbuf": ("talkbuf", talk_buffer),
    "forgetting a person": ("recent_history", nothing_stored),
    "summaries_job": ("summaries_job", summaries_job),
    "lock": ("lock", lock),
}
"""What each is shown as, the cache whose switch it hangs on, and the probe."""


def _expect(seen: bool, otherwise: str) -> None:
    if not seen:
        raise DoesNotWork(otherwise)


def _expect_dropped(done: Invalidated) -> None:
    _expect(done.reached and done.value, "it could not be invalidated")


def _expect_sealed(stage: Stage, stored: bytes | list[bytes] | None) -> None:
    raw = b"".join(stored) if isinstance(stored, list) else stored
    _expect(bool(raw), "nothing was stored")
    _expect(stage.text.encode() not in (raw or b""), "it is stored in clear")
