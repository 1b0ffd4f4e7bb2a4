"""The tables of `docs/bot.md` against what they are about."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import pytest

from cache_layer import (
    AccessState,
    CacheLayer,
    Change,
    Context,
    Grant,
    Holder,
    Identity,
    Incoming,
    LockUnavailable,
    Message,
    Person,
    Settings,
    SettingsError,
    Sources,
    Unavailable,
)
from cache_layer.settings import CACHES, DEBOUNCE_SECONDS, TTL_SECONDS
from tests.cache_layer.asked import Asked
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.public_interface import bots, calls
from tests.docs.document import TEXT, in_code, steps, table

VARIABLES = {in_code(name)[0]: (allowed, default) for name, allowed, default in table("Variables")}
LIFE = {"start", "close", "from_env", "talk.close", "locks.hold"}
"""Opening and closing; and what `lock` is a shorter word for."""
ASKS_NOBODY = {"stats.own", "stats.relayed", "switches.is_on", "switches.off"}


def test_every_variable_that_the_layer_reads_is_in_the_table_and_no_other() -> None:
    asked = Asked()
    Settings.from_env(asked)
    from_files = {f"{name}_FILE" for name in asked.names}  # each has one; the text before the table says so
    assert "NAME_FILE" in TEXT
    assert asked.names - from_files - {"RENDER_GIT_COMMIT"} == set(VARIABLES)


@pytest.mark.parametrize(
    ("name", "least", "most", "default"),
    [
        *((f"REDIS_TTL_{cache.upper()}", *ttl) for cache, ttl in TTL_SECONDS.items()),
        *((name, *pause) for name, pause in DEBOUNCE_SECONDS.items()),
        ("REDIS_TTL_ACCESS_DENY", 0, 5, 5),
        ("REDIS_TIMEOUT_MS", 10, 1000, 100),
        ("REDIS_MAX_CONNECTIONS", 1, 1000, 32),
    ],
)
def test_ranges_and_defaults_are_those_of_the_layer(name: str, least: float, most: float, default: float) -> None:
    assert VARIABLES[name] == (f"{least:g} to {most:g}", f"{default:g}")
    for inside in (least, most):
        Settings.from_env({name: f"{inside:g}"})
    for outside in (least - 1, most + 1):
        with pytest.raises(SettingsError):
            Settings.from_env({name: f"{outside:g}"})


def test_switches_are_on_by_default_and_there_is_one_for_each_cache() -> None:
    named = {name for name in VARIABLES if name.startswith("REDIS_CACHE_")}
    assert named == {f"REDIS_CACHE_{cache.upper()}" for cache in CACHES}
    for name in named:
        assert VARIABLES[name] == ("`on`, `off`", "`on`")


def test_the_caches_of_the_command_are_all_named() -> None:
    sentence = re.search(r"The caches are called (.*?)\.", TEXT, flags=re.DOTALL)
    assert sentence is not None
    assert set(in_code(sentence.group(1))) == set(CACHES)


def test_the_steps_at_the_top_are_the_steps() -> None:
    after = TEXT.split("\n| step |", 1)[1].split("\n\n", 1)[0]
    linked = re.findall(r"^\| \[(\d+)\. ([^\]]+)\]\(#([^)]+)\)", after, flags=re.MULTILINE)
    assert [int(number) for number, _, _ in linked] == steps()
    for number, title, anchor in linked:
        assert f"\n## {number}. {title}\n" in TEXT
        assert anchor == f"{number}-" + re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def test_the_acceptance_list_is_whole() -> None:
    after = TEXT.split("\n## The acceptance list\n", 1)[1]
    assert len(re.findall(r"^- \[ \] \*\*", after, flags=re.MULTILINE)) == 6


# What each call does while Redis is away.

STATE = AccessState(has_access=True, reason="trial")


async def read_identity(_tg_id: int) -> Identity | None:
    return Identity(42, "ask", policy_accepted=True, trial_ever=True)


async def loaded(_asked: object) -> AccessState:
    return STATE


async def no_messages(_asked: object) -> list[Message]:
    return []


async def found(_asked: object) -> Context:
    return Context("found")


async def vector(_text: str) -> list[float]:
    return [0.5]


async def no_job(_job_id: str) -> None:
    return None


async def raises(error: type[Exception], call: Awaitable[object]) -> str:
    with pytest.raises(error):
        await call
    return error.__name__


async def push(cache: CacheLayer, person: Person) -> bool:
    return await cache.talk.push(person, Incoming(7, 1, "Привет", datetime.now(UTC)))


async def first_turn(cache: CacheLayer, person: Person) -> str:
    await push(cache, person)
    async for turn in cache.talk.turns():
        async with turn:
            return turn.text
    return ""


async def entered(cache: CacheLayer) -> None:
    async with cache.lock("x"):
        pass


Tried = Callable[[CacheLayer, Person], Awaitable[object]]
SOURCES = Sources(read_identity, loaded, no_messages)
GRANT = Grant("x", "t", 1)

AWAY: Mapping[str, tuple[Tried, Callable[[object], bool]]] = {
    "access_state.get": (lambda c, p: c.access_state.get(42, load=loaded), lambda it: it == STATE),
    "access_state.peek": (lambda c, p: c.access_state.peek(42), lambda it: it.state == "unreachable"),  # type: ignore[attr-defined]
    "access_state.invalidate": (lambda c, p: c.access_state.invalidate(42), lambda it: not it.reached),  # type: ignore[attr-defined]
    "identity.get": (lambda c, p: c.identity.get(7, load=read_identity), lambda it: it.user_id == 42),  # type: ignore[attr-defined]
    "identity.invalidate": (lambda c, p: c.identity.invalidate(7), lambda it: not it.reached),  # type: ignore[attr-defined]
    "history.get": (lambda c, p: c.history.get(p, load=no_messages), lambda it: it == ()),
    "history.append": (
        lambda c, p: c.history.append(p, Message(1, "user", "", datetime.now(UTC))),
        lambda it: it is None,
    ),
    "history.invalidate": (lambda c, p: c.history.invalidate(42), lambda it: not it.reached),  # type: ignore[attr-defined]
    "history.forget": (lambda c, p: c.history.forget(42), lambda it: not it.reached),  # type: ignore[attr-defined]
    "turn": (lambda c, p: c.turn(7, load=SOURCES), lambda it: it.access_state == STATE),  # type: ignore[attr-defined]
    "rag.get": (lambda c, p: c.rag.get(p, "?", collection="c", load=found), lambda it: it == Context("found")),
    "rag.get_shared": (
        lambda c, p: c.rag.get_shared(p, "?", collection="c", load=found),
        lambda it: it == Context("found"),
    ),
    "rag.embedding": (lambda c, p: c.rag.embedding(p, "?", model="m", load=vector), lambda it: list(it) == [0.5]),  # type: ignore[call-overload]
    "rag.bump": (lambda c, p: c.rag.bump("c"), lambda it: it is False),
    "rag.forget": (lambda c, p: c.rag.forget(42), lambda it: not it.reached),  # type: ignore[attr-defined]
    "jobs.get": (lambda c, p: c.jobs.get("j", load=no_job), lambda it: it is None),
    "changed": (lambda c, p: c.changed(user_id=42, tg_id=7), lambda it: it is False),
    "privacy_changed": (
        lambda c, p: c.privacy_changed(user_id=42, tg_id=7, level="none"),
        lambda it: it is False,
    ),
    "apply": (lambda c, p: c.apply([Change.of_rows(42, (7,)), Change.of_texts(42)]), lambda it: it == [False, False]),
    "purged": (lambda c, p: c.purged(42), lambda it: it is False),
    "forget": (lambda c, p: c.forget(42, 7), lambda it: not it.reached),  # type: ignore[attr-defined]
    "holdings": (lambda c, p: c.holdings(42, 7), lambda it: not it.reached and not it.things),  # type: ignore[attr-defined]
    "talk.push": (push, lambda it: it is False),
    "talk.turns": (first_turn, lambda it: it == "Привет"),
    "talk.drain": (lambda c, p: c.talk.drain(), lambda it: it == 0),
    "lock": (lambda c, p: raises(LockUnavailable, entered(c)), bool),
    "locks.acquire": (
        lambda c, p: raises(LockUnavailable, c.locks.acquire("x", token="t", holder=Holder.here("bot"))),
        bool,
    ),
    "locks.renew": (lambda c, p: raises(LockUnavailable, c.locks.renew(GRANT)), bool),
    "locks.release": (lambda c, p: c.locks.release(GRANT), lambda it: it is False),
    "locks.held": (lambda c, p: raises(LockUnavailable, c.locks.held()), bool),
    "locks.recent": (lambda c, p: raises(LockUnavailable, c.locks.recent()), bool),
    "locks.force_release": (lambda c, p: raises(LockUnavailable, c.locks.force_release("x", 1)), bool),
    "ping": (lambda c, p: c.ping(), lambda it: not it.ok),  # type: ignore[attr-defined]
    "stats.read": (lambda c, p: raises(Unavailable, c.stats.read()), bool),
    "stats.instances": (lambda c, p: raises(Unavailable, c.stats.instances()), bool),
    "switches.turn": (
        lambda c, p: raises(Unavailable, c.switches.turn("rag", False, by="command", reason="other")),
        bool,
    ),
    "switches.list": (lambda c, p: c.switches.list(), lambda it: len(it) == len(CACHES)),  # type: ignore[arg-type]
    "announce": (lambda c, p: c.announce("caches"), lambda it: it is None),
}
"""Each call, and what must be true of its answer, or of the error's name."""


def test_the_table_says_of_every_call_what_it_does_while_redis_is_away() -> None:
    named = {name for row in table("While Redis is away") for name in in_code(row[0])}
    assert named == calls(bots()) - LIFE - ASKS_NOBODY
    assert set(AWAY) == named


@pytest.mark.parametrize("call", AWAY)
async def test_and_so_it_does(call: str) -> None:
    tried, is_right = AWAY[call]
    settings = Settings(redis_url="redis://127.0.0.1:1", **SECRETS)
    async with CacheLayer(settings) as cache, asyncio.timeout(20):
        person = await cache.identity.get(7, load=read_identity)
        assert person is not None
        assert is_right(await tried(cache, person))
