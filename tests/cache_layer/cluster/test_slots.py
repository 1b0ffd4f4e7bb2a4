"""Every script touches keys of one slot only, as Redis Cluster demands; every command's key is where it is looked for.

Whoever adds a script adds what yields it to `all_steps`: one that nothing here drives fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from redis.crc import key_slot

import cache_layer.scripts
from cache_layer import Grant, Holder, Identity, Incoming, Message, Pass, Rules, Settings
from cache_layer.codecs import Subject
from cache_layer.keyspace import Keyspace
from cache_layer.layer.definitions import Definitions
from cache_layer.runners.routes import KEYLESS, key_of
from cache_layer.scripts import FOLDER, Script
from cache_layer.shapes.asked import Unmarked, Versioned
from cache_layer.shapes.buffer_reply import Claimed, Due, Look, Pushed
from cache_layer.shapes.held_lock import HeldLock
from cache_layer.shapes.value import Value
from cache_layer.steps import Call, Command, Steps
from tests.cache_layer.cluster.exploring import steps_of
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.source import granted
from tests.cache_layer.test_mirror import snapshot

KEY_FIRST = frozenset(
    "EXISTS GET HDEL HGET HGETALL LRANGE PTTL UNLINK ZADD ZCOUNT ZRANGE ZREM ZREMRANGEBYSCORE".split()  # noqa: SIM905  easier to add to
)
"""Commands with one key, which is their first argument. Before another is added here: does Redis say so of it?"""


def all_steps(prefix: str) -> Iterator[tuple[Callable[[], Steps[Any]], Any]]:
    """Whatever the layer does on Redis, and what its source answers."""
    made = Definitions(Settings(redis_url="redis://nowhere", key_prefix=prefix, **SECRETS), "test")
    message = Message(1, "user", "привет", datetime.now(UTC))
    incoming = Incoming(900_000_042, 5, "привет", datetime.now(UTC), "talk")
    values: Sequence[tuple[Value[Any], Subject, Any]] = (
        (made.access_state, 42, granted()),
        (made.identity, "a1b2", Identity(42, "ask", policy_accepted=True, trial_ever=True)),
        (made.history, 42, (message,)),
        (made.rag.embeddings, "c3d4", b"vector"),
        (made.rag.personal, (42, "e5f6"), b"context"),
    )
    for value, subject, loaded in values:
        yield partial(value.get, subject), loaded
        yield partial(value.peek, subject), None
        yield partial(value.invalidate, subject), None
    yield lambda: Unmarked(made.rag.embeddings, "nostore:{42}").get("c3d4"), b"vector"
    yield lambda: Versioned(made.rag.embeddings, made.rag.versions, "corpus", lambda _: "c3d4").get(""), b"vector"
    yield lambda: made.rag.versions.bump("corpus"), None
    yield lambda: made.history.append(42, message), None
    yield lambda: made.history.forget(42), None
    yield lambda: made.changed(42, 900_000_042), None
    yield lambda: made.purged(42), None
    yield lambda: made.forget(42, 900_000_042), None
    yield lambda: made.holdings(42, 900_000_042), None
    yield lambda: made.jobs.put("j", snapshot("j")), None
    yield lambda: made.jobs.get("j"), snapshot("j")
    yield made.ping, None
    yield made.info, None
    yield lambda: made.announce("jobs"), None

    def told() -> Steps[None]:
        made.counts.add("access_state", "hit")
        return made.exchange.once("closed")

    yield told, None
    yield made.exchange.farewell, None
    yield lambda: Keyspace(made.keys).walk("rag"), None
    yield Keyspace(made.keys).measure, None
    yield made.exchange.instances.read, None
    yield made.exchange.board.list, None
    yield made.exchange.board.put_back, None
    yield lambda: made.exchange.board.turn("rag", on=False, by="command", reason="test"), None
    yield lambda: made.exchange.stats.read(3), None
    yield lambda: made.exchange.stats.read(3, instance="i"), None

    locks, here = made.locks, Holder("worker", "host", 1)
    held = HeldLock(Grant("x", "t", 7), silence=timedelta(seconds=30), sent_at=locks._clock())
    yield lambda: locks.acquire("x", "t", here), None
    yield lambda: locks.take("x", "t", here, wait=timedelta(seconds=1), fence=None), None
    yield lambda: locks.renew(held.grant), None
    yield lambda: locks.release(held.grant), None
    yield lambda: locks.beat(HeldLock(held.grant, silence=timedelta(seconds=30), sent_at=locks._clock())), None
    yield lambda: locks.give_back(HeldLock(held.grant, silence=timedelta(seconds=30), sent_at=locks._clock())), None
    yield lambda: locks.withdraw("x", "t"), None
    yield lambda: locks.force_release("x", 7), None
    yield locks.held, None
    yield lambda: locks.recent(5), None

    gate, rules = made.gate, Rules(2, timedelta(seconds=9), timedelta(seconds=1), timedelta(seconds=30))
    yield lambda: gate.enter("llm", rules), None
    yield lambda: gate.leave("llm", Pass("t", 0, 0), rules, answered=True), None
    yield lambda: gate.shut_until("llm"), None
    yield lambda: gate.look("llm"), None

    talk, turn = made.talkbuf, Claimed("id", 1, (incoming,))
    yield lambda: talk.push(42, [Pushed(incoming, 0.9, 0.0)]), None
    yield lambda: talk.claim(42, [5], take=True), None
    yield lambda: talk.keep(42, turn), None
    yield lambda: talk.ack(42, turn), None
    yield lambda: talk.release(42, turn, 0.1), None
    yield lambda: talk.withdraw(42, [5]), None
    yield lambda: talk.adopt(42, turn), None
    yield talk.sweep, None
    yield lambda: talk.found(Due(42, "1"), Look(None, "nothing", None, {})), None
    yield lambda: talk.found(Due(42, "1"), Look(None, "waits", 0.5, {})), None


@pytest.fixture(scope="module", params=["", "bot:"])
def taken(request: pytest.FixtureRequest) -> list[Command | Call]:
    """Every step, each once for its script or verb and keys."""
    by_shape = {
        (step.script.sha, step.keys) if isinstance(step, Call) else step.args[:2]: step
        for make, loaded in all_steps(request.param)
        for step in steps_of(make, loaded)
    }
    return list(by_shape.values())


def test_the_keys_of_every_script_are_in_one_slot(taken: list[Command | Call]) -> None:
    for call in taken:
        if isinstance(call, Call):
            assert call.keys, f"{call.script.name}: which node is to run it?"
            assert len({key_slot(key.encode()) for key in call.keys}) == 1, (call.script.name, call.keys)


def test_every_script_has_been_driven(taken: list[Command | Call]) -> None:
    driven = {name for call in taken if isinstance(call, Call) for name in names(call.script)}
    assert {file.stem for file in FOLDER.glob("*.lua")} - driven == set()
    known: Mapping[str, object] = vars(cache_layer.scripts)
    assert {one.name for one in known.values() if isinstance(one, Script)} - driven == set()


def names(script: Script | None) -> set[str]:
    """Of the script and of those that undo or make up for it with the same keys."""
    return set() if script is None else {script.name, *names(script.undo), *names(script.owed)}


def test_the_key_of_every_command_is_where_it_is_looked_for(taken: list[Command | Call]) -> None:
    for command in taken:
        if isinstance(command, Command):
            verb = str(command.args[0])
            assert verb in KEY_FIRST | KEYLESS, (
                f"{verb}: has it one key, and where? Then add it to KEY_FIRST or KEYLESS"
            )
            assert (key_of(command) is None) == (verb in KEYLESS)


def test_scripts_use_no_key_that_they_are_not_given() -> None:
    """A node refuses those of other slots, and cannot know of those of its own when a slot moves."""
    for file in FOLDER.glob("*.lua"):
        code = re.sub(r"--.*", "", file.read_text(encoding="utf-8"))
        for command, first in re.findall(r"redis\.call\('(\w+)'(?:,\s*([^,)]+))?", code):
            if command not in {"TIME", "PUBLISH"}:
                assert re.match(r"KEYS\[|unpack\(KEYS|key\b", first), (file.name, command, first)


def test_the_check_tells_keys_of_two_slots_apart() -> None:
    """A control: the tag is what puts keys together."""
    assert key_slot(b"recent_history:{42}:lease") == key_slot(b"nostore:{42}")
    assert key_slot(b"recent_history:42:lease") != key_slot(b"nostore:42")
