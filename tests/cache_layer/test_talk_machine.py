"""Every order of pushes, claims, heartbeats, acks, lost replies, expiries, withdrawals and losses, against a model.

The steps of two processes are driven by hand, on real Valkey. The model is what one would write down on paper: which
messages wait, which turn is in flight with whom, what is done with. Whatever the order, a message is in one place, and
at the end each that Redis was given and has not lost was answered once. And so that this can fail: with each protection
taken out of the scripts, it does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cache_layer import Incoming
from cache_layer.catalogue.talkbuf import TurnIds
from cache_layer.codecs import Codec, Entry
from cache_layer.keys import Keys
from cache_layer.metrics import Counts
from cache_layer.scripts import FORGET, Script
from cache_layer.sealing import Sealer
from cache_layer.settings import Settings
from cache_layer.shapes import buffer
from cache_layer.shapes.buffer import Buffer
from cache_layer.shapes.buffer_reply import Claimed, Kept, Place, Pushed
from cache_layer.steps import Batch, Call, Steps
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.talking import ALISA, incoming

T = TypeVar("T")
PROCESSES = st.sampled_from([0, 1])
NUMBERS = st.integers(1, 4)
MOSTLY = st.sampled_from([True, True, True, False])


def perform(client: redis.Redis, steps: Steps[T]) -> T:
    def one(call: Any) -> Any:
        assert isinstance(call, Call)
        return client.eval(call.script.source, len(call.keys), *call.keys, *call.args)

    reply: Any = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as stop:
            value: T = stop.value
            return value
        reply = [one(call) for call in step.steps] if isinstance(step, Batch) else one(step)


def process() -> Buffer[Incoming]:
    sealer = Sealer(SECRETS["encryption_keys"])
    salt = TurnIds(Settings(**SECRETS)).salt
    return Buffer(
        "talkbuf",
        Codec(Entry[Incoming], version=1, sealer=sealer),
        Keys(""),
        Counts(),
        ttl=timedelta(seconds=30),
        longest=timedelta(seconds=12),
        salt=salt,
    )


@dataclass
class Flight:
    """The turn in flight, as the model has it."""

    id: str
    fence: int
    numbers: frozenset[int]
    owner: int | None
    alive: bool = True


@dataclass
class Paper:
    """The model."""

    waiting: set[int] = field(default_factory=set)
    due: bool = False
    flight: Flight | None = None
    done: set[int] = field(default_factory=set)
    withdrawn: dict[int, int] = field(default_factory=dict)
    forbidden: bool = False

    def place(self, number: int) -> Place:
        if number in self.waiting:
            return Place.WAITS
        if number in self.done or (self.flight is not None and number in self.flight.numbers):
            return Place.TAKEN
        return Place.UNKNOWN


class Talk(RuleBasedStateMachine):
    url = ""

    @initialize()
    def start(self) -> None:
        self.client = redis.Redis.from_url(self.url)
        self.client.flushall()
        self.processes = [process() for _ in range(2)]
        self.paper = Paper()
        self.work: list[Claimed[Incoming] | None] = [None, None]
        self.old: list[Claimed[Incoming]] = []
        self.answered: list[int] = []
        self.given: set[int] = set()
        self.lost: set[int] = set()
        """What Redis had, before it lost its data; the processes have it, see test_talk_faults."""

    def run(self, steps: Steps[T]) -> T:
        return perform(self.client, steps)

    # What a process does.

    @rule(who=PROCESSES, numbers=st.lists(NUMBERS, min_size=1, max_size=3, unique=True))
    def push(self, who: int, numbers: list[int]) -> None:
        accepted = self.run(self.processes[who].push(ALISA, [Pushed(incoming(n), 5.0, 0.0) for n in numbers]))
        if self.paper.forbidden:
            assert accepted is None
            return
        assert accepted is not None
        fresh = {n for n in numbers if self.paper.place(n) is Place.UNKNOWN}
        self.paper.waiting |= fresh
        self.given |= fresh
        self.lost -= fresh
        if fresh:
            self.paper.due = False
            assert 4.0 < accepted.due_s <= 5.0
        assert accepted.places == {n: self.paper.place(n) for n in numbers}

    @rule(who=PROCESSES, known=st.sets(NUMBERS, max_size=2), take=MOSTLY, strangers=MOSTLY, heard=MOSTLY, quiet=MOSTLY)
    def claim(
        self,
        who: int,
        known: Collection[int] = (),
        take: bool = True,
        strangers: bool = True,
        heard: bool = True,
        quiet: bool = True,
    ) -> None:
        """`heard`: whether the reply comes back; without it the process does not know what it may have been given."""
        if self.work[who] is not None:
            return
        flight, paper, known = self.paper.flight, self.paper, set(known)
        if paper.waiting and quiet:
            self.it_has_been_quiet()
        look = self.run(self.processes[who].claim(ALISA, sorted(known), take=take, strangers=strangers))
        if paper.forbidden:
            assert look.state == "forbidden"
            return
        if flight is not None:
            if flight.alive and flight.owner != who:
                assert look.state == "in flight"
            elif not take or (not strangers and flight.numbers - known):
                assert look.state == "waits"
            else:
                self.flies(who, Flight(flight.id, flight.fence + 1, flight.numbers, who), look.turn, heard=heard)
        elif not paper.waiting:
            assert (look.state, look.again_s) == ("nothing", None)
        elif (
            not paper.due
            or not take
            or any(paper.place(n) is Place.UNKNOWN for n in known)
            or (not strangers and paper.waiting - known)
        ):
            assert look.state == "waits"
        else:
            assert look.turn is not None
            self.flies(who, Flight(look.turn.id, 1, frozenset(paper.waiting), who), look.turn, heard=heard)
            paper.waiting, paper.due = set(), False
        assert look.places == {n: paper.place(n) for n in known}

    def flies(self, who: int, flight: Flight, turn: Claimed[Incoming] | None, *, heard: bool) -> None:
        assert turn is not None
        assert (turn.id, turn.fence) == (flight.id, flight.fence)
        assert [message.message_id for message in turn.messages] == sorted(flight.numbers)
        self.paper.flight = flight
        if heard:
            self.work[who] = turn

    @rule(who=PROCESSES)
    def keep(self, who: int) -> None:
        turn = self.work[who]
        if turn is None:
            return
        kept = self.run(self.processes[who].keep(ALISA, turn))
        assert kept is self.whose(turn)
        if kept is Kept.OURS and self.paper.flight is not None:
            self.paper.flight.alive = True
        if kept is Kept.LOST:
            self.drop(who)

    @rule(who=PROCESSES, again=st.booleans())
    def ack(self, who: int, again: bool = False) -> None:
        """`again`: the reply was lost, and it is said once more."""
        turn = self.work[who]
        if turn is None:
            return
        numbers = {message.message_id for message in turn.messages}
        whose = self.whose(turn)
        acked = self.run(self.processes[who].ack(ALISA, turn))
        self.drop(who)
        if whose is Kept.LOST:
            assert acked.state in {"refused", "before"}
            return
        assert acked.state == "done"
        self.answered += sorted(numbers)
        if whose is Kept.OURS:
            self.paper.flight = None
        if whose is not Kept.FORBIDDEN:
            self.paper.done |= numbers
            self.paper.waiting -= numbers
        assert (acked.due_s is None) == (not self.paper.waiting or self.paper.forbidden)
        if again and not self.paper.forbidden:
            assert self.run(self.processes[who].ack(ALISA, turn)).state == "before"

    @rule(who=PROCESSES)
    def release(self, who: int) -> None:
        turn = self.work[who]
        if turn is None:
            return
        ours = self.whose(turn) is Kept.OURS
        assert self.run(self.processes[who].release(ALISA, turn, 0.0)) == ours
        self.drop(who)
        if ours and self.paper.flight is not None:
            self.paper.flight.owner, self.paper.flight.alive = None, False

    @precondition(lambda self: self.old)
    @rule(which=st.integers(0, 3))
    def an_old_turn_is_nobody_s(self, which: int = 0) -> None:
        """Whoever comes back with a fence that is over changes nothing."""
        turn = self.old[which % len(self.old)]
        if self.whose(turn) is not Kept.LOST:
            return
        before = self.dump()
        assert self.run(self.processes[0].keep(ALISA, turn)) is Kept.LOST
        assert not self.run(self.processes[0].release(ALISA, turn, 0.0))
        assert self.run(self.processes[0].ack(ALISA, turn)).state in {"refused", "before"}
        assert self.dump() == before

    @rule(who=PROCESSES, numbers=st.lists(NUMBERS, min_size=1, max_size=4, unique=True), twice=st.booleans())
    def withdraw(self, who: int, numbers: list[int], twice: bool = False) -> None:
        """For what it has answered from its memory. `twice`: the first reply was lost."""
        paper, flight = self.paper, self.paper.flight
        working_on = self.work[who]
        unheard = flight is not None and flight.owner == who and (working_on is None or working_on.id != flight.id)
        expected: dict[int, bool] = {}
        for n in numbers:
            taken_unheard = flight is not None and unheard and n in flight.numbers
            again = paper.forbidden or paper.withdrawn.get(n) == who
            expected[n] = again or taken_unheard or paper.place(n) is not Place.TAKEN
        for _ in range(1 + twice):
            id_ = "" if working_on is None else working_on.id
            assert self.run(self.processes[who].withdraw(ALISA, numbers, id_)) == expected
        if paper.forbidden:
            return
        for n, ours in expected.items():
            if ours and paper.withdrawn.get(n) != who:
                paper.withdrawn[n] = who
                self.answered.append(n)
                self.given.add(n)
                self.lost.discard(n)
                paper.waiting.discard(n)
                paper.done.add(n)
                if flight is not None and unheard:
                    flight.numbers -= {n}
        if flight is not None and not flight.numbers:
            paper.flight = None

    @rule(who=PROCESSES)
    def adopt(self, who: int) -> None:
        """A heartbeat of a turn that Redis may have lost."""
        turn = self.work[who]
        if turn is None:
            return
        numbers = frozenset(message.message_id for message in turn.messages)
        paper, flight = self.paper, self.paper.flight
        kept = self.run(self.processes[who].adopt(ALISA, turn))
        if paper.forbidden:
            assert kept is Kept.FORBIDDEN
        elif flight is not None and flight.id == turn.id:
            if flight.owner != who and flight.fence >= turn.fence:
                assert kept is Kept.LOST
                self.drop(who)
            else:
                assert kept is Kept.OURS
                self.adopted(who, turn, numbers)
        else:
            others = {
                n
                for n in numbers
                if (flight is not None and n in flight.numbers) or (n in paper.done and paper.withdrawn.get(n) != who)
            }
            if others == numbers:
                assert kept is Kept.LOST
                self.drop(who)
            elif flight is not None or others:
                assert kept is Kept.UNKNOWN
            else:
                assert kept is Kept.OURS
                self.adopted(who, turn, numbers)

    def adopted(self, who: int, turn: Claimed[Incoming], numbers: frozenset[int]) -> None:
        self.paper.flight = Flight(turn.id, turn.fence, numbers, who)
        self.paper.waiting -= numbers

    # What happens to it.

    def it_has_been_quiet(self) -> None:
        self.client.hset(self.key, "due", 1)
        self.paper.due = True

    @precondition(lambda self: self.paper.flight is not None)
    @rule()
    def nothing_was_heard_of_the_handler(self) -> None:
        self.client.hset(f"{self.key}:turn", "lease", 1)
        assert self.paper.flight is not None
        self.paper.flight.alive = False

    @rule(who=PROCESSES)
    def a_process_dies(self, who: int) -> None:
        if (turn := self.work[who]) is not None:
            self.old.append(turn)
        self.work[who] = None
        self.processes[who] = process()
        if self.paper.flight is not None and self.paper.flight.owner == who:
            self.paper.flight.owner = None
        self.paper.withdrawn = {n: owner for n, owner in self.paper.withdrawn.items() if owner != who} | {
            n: -1 for n, owner in self.paper.withdrawn.items() if owner == who
        }

    @precondition(lambda self: self.paper.done or self.paper.waiting or self.paper.flight)
    @rule()
    def redis_loses_its_data(self) -> None:
        self.client.flushall()
        self.paper = Paper()
        self.lost |= self.given
        self.answered.clear()
        self.old.clear()

    @precondition(lambda self: not self.paper.forbidden and len(self.answered) > 3)
    @rule()
    def the_person_wants_nothing_stored(self) -> None:
        keys = ("nostore:{42}", *self.processes[0].keys_of(ALISA))
        self.client.eval(FORGET.source, len(keys), *keys, 60_000)
        self.paper = Paper(forbidden=True)
        self.lost |= self.given
        self.answered.clear()
        self.old.clear()

    # What always holds.

    @invariant()
    def redis_is_as_on_paper(self) -> None:
        waiting: dict[bytes, bytes]
        turn: dict[bytes, bytes]
        waiting, turn = (self.client.hgetall(key) for key in (self.key, f"{self.key}:turn"))  # type: ignore[assignment]
        assert {int(field[1:]) for field in waiting if field.startswith(b"m")} == self.paper.waiting
        assert not waiting or (waiting[b"due"] == b"1") == self.paper.due
        flight = self.paper.flight
        flying = {int(field[1:]) for field in turn if field.startswith(b"m")}
        assert flying == (set() if flight is None else flight.numbers)
        assert bool(turn) == (flight is not None)
        done: list[bytes] = self.client.zrange(f"{self.key}:done", 0, -1)  # type: ignore[assignment]
        assert {int(one) for one in done if b":" not in one} == self.paper.done
        if self.paper.forbidden:
            assert not self.client.exists(*self.processes[0].keys_of(ALISA))

    @invariant()
    def whatever_is_there_is_noted_and_ends_by_itself(self) -> None:
        keys = self.client.keys("talkbuf*")
        assert all(self.client.pttl(key) > 0 for key in keys)
        if self.paper.waiting or self.paper.flight:
            assert self.client.zscore("talk_due", ALISA) is not None

    @invariant()
    def nothing_is_answered_twice(self) -> None:
        assert len(self.answered) == len(set(self.answered))

    def teardown(self) -> None:
        """Whatever was left is found by a process that knows nothing of it, and then each message was answered once."""
        if not hasattr(self, "client"):
            return
        last = process()
        for _ in range(3):
            if self.client.exists(self.key):
                self.client.hset(self.key, "due", 1)
            if self.client.exists(f"{self.key}:turn"):
                self.client.hset(f"{self.key}:turn", "lease", 1)
            look = self.run(last.claim(ALISA, (), take=True))
            if look.turn is not None:
                assert self.run(last.ack(ALISA, look.turn)).state == "done"
                self.answered += [message.message_id for message in look.turn.messages]
        if not self.paper.forbidden:
            assert self.given - self.lost <= set(self.answered) <= self.given
        self.client.close()

    @property
    def key(self) -> str:
        return self.processes[0].key(ALISA)

    def whose(self, turn: Claimed[Incoming]) -> Kept:
        flight, first = self.paper.flight, turn.messages[0].message_id
        if flight is not None and flight.id == turn.id:
            return Kept.OURS if flight.fence == turn.fence else Kept.LOST
        if self.paper.forbidden:
            return Kept.FORBIDDEN
        return Kept.LOST if first in self.paper.done else Kept.UNKNOWN

    def drop(self, who: int) -> None:
        turn = self.work[who]
        assert turn is not None
        self.old.append(turn)
        self.work[who] = None

    def dump(self) -> list[Any]:
        return [self.client.hgetall(self.key), self.client.hgetall(f"{self.key}:turn")]

    def play(self, story: str) -> None:
        """What a line says: `push 0 1 2` is process 0 pushing 1 and 2; `unheard 1` a claim whose reply is lost."""
        self.start()
        for line in story.split(", "):
            act, *rest = line.split()
            who, numbers = (int(rest[0]) if rest else 0), [int(n) for n in rest[1:]]
            match act:
                case "push" | "withdraw":
                    getattr(self, act)(who, numbers)
                case "claim":
                    self.claim(who, numbers)
                case "unheard":
                    self.claim(who, heard=False)
                case "careful":
                    self.claim(who, numbers, strangers=False)
                case "early":
                    self.claim(who, quiet=False)
                case "old":
                    self.an_old_turn_is_nobody_s()
                case "silence":
                    self.nothing_was_heard_of_the_handler()
                case "quiet":
                    self.it_has_been_quiet()
                case "loss":
                    self.redis_loses_its_data()
                case "dies":
                    self.a_process_dies(who)
                case "none":
                    self.the_person_wants_nothing_stored()
                case _:
                    getattr(self, act)(who)
            self.redis_is_as_on_paper()
            self.whatever_is_there_is_noted_and_ends_by_itself()
            self.nothing_is_answered_twice()
        self.teardown()


STORIES = [
    "push 0 1, push 1 2, early 0, claim 0, push 1 2 3, keep 0, ack 0, push 0 1 2, claim 1, ack 1",
    "push 0 1 2, quiet, push 1 1, early 1, ack 1",
    "push 0 1, claim 0, claim 1, silence, claim 1, keep 0, keep 1, ack 1",
    "push 0 1, claim 0, silence, claim 1, ack 0, ack 1",
    "push 0 1, claim 0, silence, claim 1, release 0, ack 1",
    "push 0 1, claim 0, silence, claim 1, silence, keep 1, release 1, claim 0, ack 0, old, old 1",
    "push 0 1, claim 0, silence, claim 1, ack 1, keep 0",
    "push 0 1, dies 0, claim 1, dies 1, silence, claim 0, ack 0",
    "push 0 1 2, careful 1 1, careful 0 1 2, ack 0, push 0 3, claim 0, release 0, careful 1, claim 1, ack 1",
    "push 0 1, loss, push 0 2, claim 0 1 2, push 0 1, claim 0 1 2, ack 0",
    "push 0 1, claim 0, loss, push 1 1, ack 0, claim 1",
    "push 0 1, claim 0, loss, keep 0, push 1 1, adopt 0, claim 1, ack 0",
    "push 0 1, claim 0, loss, push 1 2, claim 1, adopt 0, ack 0, ack 1",
    "push 0 1, claim 0, loss, push 1 1 2, claim 1, adopt 0, ack 1",
    "push 0 1, claim 0, loss, push 1 1, claim 1, adopt 0, ack 1",
    "push 0 1 2, unheard 0, withdraw 0 1, claim 1, claim 0, ack 0",
    "push 0 1 2, unheard 0, withdraw 0 1 2, push 0 1 2, claim 1",
    "push 0 1 2, unheard 0, claim 0, ack 0",
    "withdraw 0 1, push 0 1, push 1 1, withdraw 0 1, withdraw 1 1, claim 1",
    "push 0 1, withdraw 0 1, withdraw 0 1, push 0 2, claim 1, withdraw 0 2, ack 1, withdraw 0 2",
    "push 0 1 2 3 4, claim 0, ack 0, none, push 1 1, claim 1, withdraw 1 1",
    "push 0 1 2 3, claim 0, ack 0, push 0 4, withdraw 1 4, push 0 5, claim 0, none, keep 0, adopt 0, ack 0",
]


@pytest.mark.parametrize("story", STORIES)
def test_a_story_goes_as_on_paper(valkey: Valkey, story: str) -> None:
    played(valkey.url, story)


def played(url: str, *stories: str) -> None:
    for story in stories:
        machine: Talk = type("TalkHere", (Talk,), {"url": url})()
        machine.play(story)


def explore(url: str) -> None:
    machine: type[RuleBasedStateMachine] = type("TalkHere", (Talk,), {"url": url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=50,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_in_any_order_each_message_is_in_one_place_and_answered_once(valkey: Valkey) -> None:
    explore(valkey.url)


PROTECTIONS = [
    ("a message that waits is not pushed again", "TALK_PUSH", "ARGV[i + 1]) == 1 then", "ARGV[i + 1]) then"),
    ("nor one that is in flight", "TALK_PUSH", "redis.call('HEXISTS', KEYS[2], field) == 1", "false"),
    ("nor one that is done with", "TALK_PUSH", "redis.call('ZSCORE', KEYS[3], ARGV[i])", "false"),
    ("nothing is pushed of whoever wants nothing stored", "TALK_PUSH", "redis.call('EXISTS', KEYS[4]) == 1", "false"),
    ("a push starts the time to live", "TALK_PUSH", "redis.call('PEXPIRE', KEYS[1], ARGV[2])", ""),
    ("a turn stays with its handler", "TALK_CLAIM", "tonumber(held[4]) > now", "false"),
    ("nothing is taken before it is due", "TALK_CLAIM", "tonumber(due) > now", "false"),
    ("each hand-out has a fence of its own", "TALK_CLAIM", "tonumber(held[2] or '0') + 1", "1"),
    ("a careful process takes nothing of others", "TALK_CLAIM", "not known[id]", "false"),
    ("what Redis has lost is pushed before what came since", "TALK_CLAIM", "if state == 0", "if false"),
    ("a heartbeat under an old fence is refused", "TALK_KEEP", "held[2] ~= ARGV[2]", "false"),
    ("a heartbeat of what another has done is refused", "TALK_KEEP", "redis.call('ZSCORE', KEYS[3], ARGV[5])", "false"),
    ("an ack under an old fence is refused", "TALK_ACK", "held[2] ~= ARGV[2]", "false"),
    ("an ack remembers what is done", "TALK_ACK", "redis.call('ZADD', KEYS[3], now, ARGV[i])", ""),
    ("an ack takes back what was sent once more", "TALK_ACK", "redis.call('HDEL', KEYS[1], 'm' .. ARGV[i])", ""),
    ("a turn is given back under its fence only", "TALK_RELEASE", "held[2] ~= ARGV[2]", "false"),
    ("a withdrawal leaves a mark", "TALK_WITHDRAW", "redis.call('ZADD', KEYS[3], now, ARGV[i], now, ours)", ""),
    ("a withdrawal is known again", "TALK_WITHDRAW", "redis.call('ZSCORE', KEYS[3], ours)", "false"),
    ("a withdrawal finds what was taken unheard", "TALK_WITHDRAW", "held[2] == ARGV[1] and", "false and"),
    ("what others have is not adopted", "TALK_ADOPT", "elsewhere == all", "false"),
    ("nor put over their turn", "TALK_ADOPT", "if held[1] or elsewhere > 0 then return 2 end", ""),
    ("a turn of another is not taken over", "TALK_ADOPT", "tonumber(held[2]) >= tonumber(ARGV[3])", "false"),
    ("what is adopted waits no longer", "TALK_ADOPT", "redis.call('HDEL', KEYS[1], 'm' .. ARGV[i])", ""),
]


@pytest.mark.parametrize(("protection", "script", "line", "instead"), PROTECTIONS, ids=lambda value: value)
def test_control_without_it_something_is_noticed(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch, protection: str, script: str, line: str, instead: str
) -> None:
    whole: Script = getattr(buffer, script)
    assert line in whole.source
    monkeypatch.setattr(buffer, script, Script.of(script, whole.source.replace(line, instead)))
    with pytest.raises((AssertionError, redis.ResponseError)):
        played(valkey.url, *STORIES)
