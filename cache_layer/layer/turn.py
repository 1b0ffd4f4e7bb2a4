"""All that an answer begins with - who writes, may they, what was said lately - in one round trip when it is warm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from cache_layer.catalogue.access_state import AccessState
from cache_layer.catalogue.recent_history import Message, Messages, newest
from cache_layer.layer.acquaintances import Acquaintances
from cache_layer.layer.definitions import Definitions
from cache_layer.layer.history import LoadHistory, check_limit, loading
from cache_layer.memory import OwnMemory
from cache_layer.person import Identity, Person
from cache_layer.runners import AsyncRunner
from cache_layer.steps import Begun, together

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Sources:
    """The loaders of what `turn` returns, each as its own cache takes it."""

    identity: Callable[[int], Awaitable[Identity | None]]
    access_state: Callable[[int], Awaitable[AccessState]]
    history: LoadHistory


@dataclass(frozen=True, slots=True)
class TurnContext:
    """What an answer begins with. Its representation tells nothing of what was said."""

    person: Person
    access_state: AccessState
    history: Messages

    def __repr__(self) -> str:
        return "TurnContext(…)"


class TurnContexts:
    """`CacheLayer.turn`: the caches of one person asked together.

    What a warm cache answers comes in one round trip. A process that has not met the person before asks first who it
    is, since the other keys are made of `users.id`. What is cold is loaded as each cache does by itself, side by side.
    """

    def __init__(
        self, definitions: Definitions, runner: AsyncRunner, people: Acquaintances, memory: OwnMemory[Message]
    ) -> None:
        self._identity = definitions.identity
        self._access_state = definitions.access_state
        self._history = definitions.history
        self._runner = runner
        self._people = people
        self._memory = memory

    async def get(self, tg_id: int, limit: int, load: Sources) -> TurnContext | None:
        """`CacheLayer.turn` tells what this does."""
        if limit:
            check_limit(limit)
        met = self._people.remembered(tg_id)
        subject = self._people.subject(tg_id)
        who: Begun[Identity | None] = Begun(self._identity.get(subject))
        about = _About.nobody() if met is None else self._ask_about(met, limit)
        await self._runner.run(together([who, *about.begun]))
        try:
            found = await self._runner.run_shared(self._identity, subject, lambda: load.identity(tg_id), who)
        except BaseException:
            await self._drop(about)
            raise
        person = self._people.met(tg_id, found)
        if person is None or about.user_id != person.user_id:
            # Not met before, or another than was met: what was asked about the other is nobody's business now.
            await self._drop(about)
            if person is None:
                return None
            about = self._ask_about(person, limit)
            await self._runner.run(together(about.begun))
        return await self._finish(person, about, limit, load)

    def _ask_about(self, who: Identity | Person, limit: int) -> _About:
        """Begin to ask; of history only where there is any in Redis."""
        history = Begun(self._history.get(who.user_id)) if limit and who.may_store else None
        return _About(who.user_id, Begun(self._access_state.get(who.user_id)), history)

    async def _finish(self, person: Person, about: _About, limit: int, load: Sources) -> TurnContext:
        user_id = person.user_id
        assert about.access_state is not None
        access = self._runner.run_shared(
            self._access_state, user_id, lambda: load.access_state(user_id), about.access_state
        )
        if not limit or not person.may_store:
            await self._drop(_About(user_id, None, about.history))
            return TurnContext(person, await access, newest(self._memory.of(user_id), limit) if limit else ())
        history = self._runner.run_shared(
            self._history, user_id, loading(self._history, load.history, user_id), about.history
        )
        if about.are_answered:  # as nearly always; tasks would cost as much as the answer
            return TurnContext(person, await access, newest(await history, limit))
        state, messages = await _side_by_side(access, history)
        return TurnContext(person, state, newest(messages, limit))

    async def _drop(self, about: _About) -> None:
        """Take these no further, and give back the leases that they may have been given."""
        for begun in about.begun:
            await self._runner.run(begun.give_up())


@dataclass(frozen=True, slots=True)
class _About:
    """What is asked about one person, by their id."""

    user_id: int
    access_state: Begun[AccessState] | None
    history: Begun[Messages] | None

    @classmethod
    def nobody(cls) -> _About:
        return cls(0, None, None)

    @property
    def are_answered(self) -> bool:
        return all(begun.step is None for begun in self.begun) and self.history is not None

    @property
    def begun(self) -> list[Begun[Any]]:
        return [begun for begun in (self.access_state, self.history) if begun is not None]


async def _side_by_side(first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """Both, at the same time; when one raises the other is cancelled, so that nothing goes on unseen."""
    tasks = asyncio.create_task(first), asyncio.create_task(second)
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
