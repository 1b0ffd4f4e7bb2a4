"""G2, G5: every order of get, append, load, invalidate, purge and expiry of a history, against a model, on real Valkey.

The definitions are steps that somebody else performs, so the machine performs them one at a time, of as many reads and
appends at once as it likes: whatever two processes can do to each other happens here in one. A load takes its snapshot
of the truth at one moment and comes back with it at a later one.

What must hold of a finished read: it has every message whose append was complete before it began; none whose purge was
complete by then; each once; in order. The controls take one protection out of a script each: the machine must notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
import redis
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from cache_layer import Message
from cache_layer.codecs import Codec, Entry
from cache_layer.keys import Keys
from cache_layer.metrics import Counts
from cache_layer.scripts import LIST_APPEND, LIST_FILL, LIST_READ, Script
from cache_layer.sealing import Sealer
from cache_layer.shapes.outcomes import Invalidated
from cache_layer.shapes.recent import Recent
from cache_layer.steps import Begun, Call, Load, Pause
from cache_layer.switches import Switch
from pomni_admin.demo.servers import Valkey

ALISA = 42
KEPT = 4
"""In place of 120, so that lists fill up."""


@dataclass
class Read:
    """A read on its way: where it is, what it must have, and what it must not have any more."""

    begun: Begun[tuple[Message, ...]]
    must: set[int]
    must_not: set[int]
    snapshot: tuple[Message, ...] | None = None


@dataclass
class Append:
    begun: Begun[None]
    id: int


@dataclass
class Purge:
    begun: Begun[Invalidated]
    ids: set[int] = field(default_factory=set)


class History(RuleBasedStateMachine):
    """One person's history. `truth` is the table; nothing here is timed, so nothing has to be waited for."""

    url: ClassVar[str] = ""
    broken: ClassVar[Mapping[str, Script]] = {}

    @initialize()
    def start(self) -> None:
        self.client = redis.Redis.from_url(self.url)
        self.client.flushall()
        self.cache: Recent[Message] = Recent(
            "recent_history",
            Codec(Entry[tuple[Message, ...]], version=1, sealer=Sealer([("k1", b"k" * 32)])),
            Keys(""),
            Counts(),
            newest=KEPT,
            ttl=timedelta(minutes=20),
            load_at_most=timedelta(days=1),
            switch=Switch(allowed=True),
        )
        self.last_id = 0
        self.ahead = timedelta()
        self.truth: dict[int, Message] = {}
        self.appended: set[int] = set()
        self.purged: set[int] = set()
        self.reads: list[Read] = []
        self.appends: list[Append] = []
        self.purges: list[Purge] = []

    def teardown(self) -> None:
        if hasattr(self, "client"):
            self.client.close()

    # What people do.

    @rule(later=st.booleans())
    def write(self, later: bool) -> None:
        """A message is committed, perhaps a minute after all else so far; its append is on its way from now on."""
        self.ahead += timedelta(minutes=later)
        self.last_id += 1
        message = Message(self.last_id, "user", f"m{self.last_id}", datetime.now(UTC) + self.ahead)
        self.truth[message.id] = message
        self.appends.append(Append(Begun(self.cache.append(ALISA, message)), message.id))

    @rule()
    def read(self) -> None:
        self.reads.append(Read(Begun(self.cache.get(ALISA)), set(self.appended), set(self.purged)))

    @precondition(lambda self: self.truth)
    @rule()
    def purge(self) -> None:
        """All messages are deleted and that is committed; Redis is told from now on."""
        self.purges.append(Purge(Begun(self.cache.forget(ALISA)), set(self.truth)))
        self.truth.clear()

    # What happens then, in any order.

    @precondition(lambda self: self.reads)
    @rule(data=st.data())
    def go_on_reading(self, data: st.DataObject) -> None:
        reading = data.draw(st.sampled_from(self.reads))
        step = reading.begun.step
        if isinstance(step, Load):
            if reading.snapshot is None:
                reading.snapshot = self.newest()
                return
            reply: Any = reading.snapshot
            reading.snapshot = None
        else:
            reply = self.perform(step)
        reading.begun.go_on(reply)
        if reading.begun.step is None:
            self.reads.remove(reading)
            self.check(reading)

    @precondition(lambda self: self.appends)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        """An append gets to Redis; not always in the order in which they were committed."""
        append = data.draw(st.sampled_from(self.appends))
        append.begun.go_on(self.perform(append.begun.step))
        self.appends.remove(append)
        self.appended.add(append.id)

    @precondition(lambda self: self.purges)
    @rule()
    def forget(self) -> None:
        purge = self.purges.pop(0)
        step = purge.begun.step
        assert isinstance(step, Call)
        reply = self.perform(step)
        self.client.incrby(step.keys[3], int(self.ahead.total_seconds() * 1000))  # Redis's clock cannot be set
        purge.begun.go_on(reply)
        self.purged |= purge.ids

    @rule(what=st.sampled_from(["invalidated", "list ends", "lease ends"]))
    def lose(self, what: str) -> None:
        key = self.cache.key(ALISA)
        if what == "invalidated":
            begun = Begun(self.cache.invalidate(ALISA))
            begun.go_on(self.perform(begun.step))
        else:
            self.client.delete(key if what == "list ends" else f"{key}:lease")

    @rule()
    def look(self) -> None:
        """A read from beginning to end at one moment; while somebody else loads, it gives up."""
        reading = Read(Begun(self.cache.get(ALISA)), set(self.appended), set(self.purged))
        while reading.begun.step is not None:
            if isinstance(reading.begun.step, Pause):
                return
            reading.begun.go_on(
                self.newest() if isinstance(reading.begun.step, Load) else self.perform(reading.begun.step)
            )
        self.check(reading)

    def newest(self) -> tuple[Message, ...]:
        return tuple(self.truth[id_] for id_ in sorted(self.truth)[-KEPT:])

    def perform(self, step: object) -> Any:
        if isinstance(step, Pause):
            return None
        assert isinstance(step, Call), step
        script = self.broken.get(step.script.name, step.script)
        return self.client.execute_command("EVAL", script.source, len(step.keys), *step.keys, *step.args)

    def check(self, reading: Read) -> None:
        got = [message.id for message in reading.begun.value]
        assert got == sorted(set(got)), "out of order, or doubled"
        assert len(got) <= KEPT
        assert not set(got) & reading.must_not, "what was purged came back"
        gone = set(range(1, self.last_id + 1)) - set(self.truth)
        lost = {id_ for id_ in reading.must - gone - set(got) if len(got) < KEPT or id_ > got[0]}
        assert not lost, "lost"


def run(valkey: Valkey, broken: Mapping[str, Script], *, examples: int, steps: int = 60, first: int = 1) -> None:
    machine = type("Machine", (History,), {"url": valkey.url, "broken": broken})
    run_state_machine_as_test(
        seed(first)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_nothing_is_lost_doubled_reordered_or_brought_back_in_any_order(valkey: Valkey) -> None:
    run(valkey, {}, examples=200, steps=50)


def without(script: Script, protection: str, instead: str = "") -> dict[str, Script]:
    assert protection in script.source
    return {script.name: Script.of(script.name, script.source.replace(protection, instead))}


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        pytest.param(without(LIST_APPEND, "RPUSHX", "RPUSH"), "lost", id="a cold list takes appends"),
        pytest.param(
            without(LIST_FILL, "for _, element in ipairs(added) do redis.call('RPUSH', KEYS[1], element) end"),
            "lost",
            id="what arrives during a load is left out",
        ),
        pytest.param(
            without(LIST_FILL, "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end"),
            "lost|came back",
            id="a fill needs no lease",
        ),
        pytest.param(
            without(LIST_APPEND, "if purged and", "if false and"),
            "lost|came back",
            id="late appends get in after a purge",
        ),
        pytest.param(
            without(LIST_READ, "'NX', "),
            "lost|came back",
            id="a second lease takes the place of the first, whose appends are thrown away",
        ),
    ],
)
def test_control_the_machine_notices_a_protection_taken_out(
    valkey: Valkey, broken: Mapping[str, Script], what: str
) -> None:
    with pytest.raises(AssertionError, match=what):
        run(valkey, broken, examples=2000, first=8)  # which comes upon all of these within a hundred
