"""Where the doctor writes and reads back: two layers, as two instances of the bot have them, over nobody's keys.

The keys begin with `REDIS_KEY_PREFIX` as all do, and go on with a prefix that is drawn anew each time. So no person's
key, no lock and no turn of the bot's is among them, and no bot at work finds the doctor's. They are of a person with a
negative id besides, which no row of `users` has.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from cache_layer.doctor.report import p50
from cache_layer.errors import Unavailable
from cache_layer.layer import CacheLayer
from cache_layer.layer.definitions import Definitions
from cache_layer.person import Identity, Person
from cache_layer.privacy import tg_hash
from cache_layer.runners import AsyncRunner
from cache_layer.settings import Debounce, Settings
from cache_layer.steps import Batch, Call, Command, Step, Steps, ask

T = TypeVar("T")

ROLE = "doctor"
READS = 9
HASTY = Debounce(quiet=timedelta(0), quiet_after_short=timedelta(0))
"""So that nobody waits for a turn of the doctor's to be complete."""


class DoesNotWork(Exception):
    """A cache that is on does not do what it should; the text tells a person what was seen."""


class Timings:
    """How long the calls of one probe took, in ms."""

    def __init__(self) -> None:
        self._writes: list[float] = []
        self._reads: list[float] = []

    async def write(self, call: Awaitable[T]) -> T:
        return await _timed(self._writes, call)

    async def read(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make the call several times; they must all answer alike, so that the last answer stands for them."""
        for _ in range(READS - 1):
            await _timed(self._reads, call())
        return await _timed(self._reads, call())

    @property
    def figures(self) -> dict[str, float]:
        named = (("write_ms", self._writes), ("read_ms", self._reads))
        return {name: p50(measured) for name, measured in named if measured}


class Stage:
    """What a probe has to work with.

    Attributes:
        here, there: two instances; what one writes the other must find.
        definitions: the same caches as steps, to know what they touch.
        text: what somebody might have said. No stored value may show it.
        left: how many keys could not be removed at the end.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = dataclasses.replace(settings, key_prefix=probe_prefix(settings), debounce=HASTY)
        self.here = CacheLayer(self.settings, role=ROLE)
        self.there = CacheLayer(self.settings, role=ROLE)
        self.definitions = Definitions(self.settings, ROLE)
        self.user_id = -1 - secrets.randbelow(2**53)
        self.tg_id = self.user_id
        self.text = f"a probe of the doctor, {secrets.token_hex(16)}"
        self.left = 0
        self._runner = AsyncRunner(self.settings)
        self._began = time.time()
        self._touched: set[str] = set()
        self._instances: list[str] = []

    async def person(self, layer: CacheLayer) -> Person:
        """Nobody, as this instance knows them; somebody whose text may be stored."""
        self.touches(self.definitions.identity.invalidate(tg_hash(self.settings.hash_secret, self.tg_id)))
        found = await layer.identity.get(self.tg_id, load=answers(self.identity))
        assert found is not None
        return found

    @property
    def identity(self) -> Identity:
        return Identity(self.user_id, "insights", policy_accepted=True, trial_ever=True)

    def touches(self, steps: Steps[Any]) -> str:
        """Remember what the first of these steps would touch, to be removed at the end; the first of its keys.

        The steps are not taken.
        """
        step = next(steps)
        steps.close()
        return self._remember(step)

    async def meet_instances(self) -> None:
        """Learn under which names the two instances have told of themselves, which they do from their start on."""
        exchange = self.definitions.exchange
        self._remember(exchange.instances.renew_call(exchange.presence))
        with contextlib.suppress(Unavailable):
            self._instances = [one.presence.id for one in await self.here.stats.instances()]

    def _remember(self, step: Step) -> str:
        calls = step.steps if isinstance(step, Batch) else (step,)
        keys = [key for call in calls if isinstance(call, Call) for key in call.keys]
        self._touched.update(keys)
        return keys[0]

    async def stored(self, verb: str, key: str, *arguments: int) -> Any:
        """What Redis has under a key, as `verb` reads it.

        Raises:
            DoesNotWork: it could not be read.
        """
        try:
            return await self._runner.run(ask(Command((verb, key, *arguments)), lambda reply: reply))
        except Unavailable as error:
            raise DoesNotWork(f"what was stored could not be looked at ({error.reason})") from None

    async def clean(self) -> None:
        """Remove all that was touched, and the counts of it."""
        stats = self.definitions.exchange.stats
        minutes = range(int(self._began // 60), int(time.time() // 60) + 1)
        counted = {stats.key(minute, instance) for minute in minutes for instance in ("", *self._instances)}
        for key in self._touched | counted:
            if not await self._removed(key):
                self.left += 1
        await self._runner.close()

    async def _removed(self, key: str) -> bool:
        """A Redis that takes no writes refuses also what would do nothing."""
        try:
            await self._runner.run(ask(Command(("UNLINK", key)), int))
        except Unavailable:
            try:
                return not await self._runner.run(ask(Command(("EXISTS", key)), int))
            except Unavailable:
                return False
        return True


@contextlib.asynccontextmanager
async def open_stage(settings: Settings) -> AsyncIterator[Stage]:
    """A stage that is swept at its end, also when its probes are interrupted."""
    made = Stage(settings)
    try:
        async with made.here, made.there:
            await made.meet_instances()
            yield made
    finally:
        await made.clean()


def probe_prefix(settings: Settings) -> str:
    """A prefix that nobody else has."""
    return f"{settings.key_prefix}doctor-{secrets.token_hex(6)}:"


def answers(value: T) -> Callable[[Any], Awaitable[T]]:
    """A loader that answers this, whatever it is asked."""

    async def load(_asked: Any) -> T:
        return value

    return load


def must_find(what: str) -> Callable[[Any], Awaitable[Any]]:
    """A loader that is not to be asked, since another instance has just written what it is asked for."""

    async def load(_asked: Any) -> Any:
        raise DoesNotWork(f"{what} was written, and a second instance did not find it")

    return load


async def _timed(into: list[float], call: Awaitable[T]) -> T:
    started = time.perf_counter()
    try:
        return await call
    finally:
        into.append((time.perf_counter() - started) * 1000)
