"""What people do when they come: scripts, as generators that yield an act and are sent what came of it.

`refused = (yield act) == "refused"` reads as it happens: the person sees the answer, and then decides.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pomni_admin.demo.bot.dialogue import Exchange, conversation
from pomni_admin.demo.bot.gate import Outcome
from pomni_admin.demo.bot.people import Kind
from pomni_admin.demo.seeding.people import PLANS

PAYS = 0.18
"""Of those who are refused, how many pay at once."""
TRIES = 0.4
"""Of those who never had a trial, how many begin it."""
SWITCHES = 0.015
"""Of those who have talked, how many want nothing of it kept; most of them change their mind later."""
SWITCHES_BACK = 0.1
PURGES = 0.01
LEAVES = 0.01
"""Of newcomers, how many have themselves deleted."""


@dataclass(frozen=True, slots=True)
class Say:
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class Press:
    data: str


@dataclass(frozen=True, slots=True)
class Pay:
    """The provider calls the bot's webhook; not an update."""

    plan: str


@dataclass(frozen=True, slots=True)
class Block:
    pass


Act: TypeAlias = "Say | Press | Pay | Block"
Visit: TypeAlias = Generator[Act, Outcome, None]
START = Say(Exchange(("/start",), ""))


def visit(draw: random.Random, tg_id: int, kind: Kind | Literal["newcomer"]) -> Visit:
    """The script of one visit of a person of this kind."""
    if kind == "newcomer" or kind == "stranger":
        return _trial_visit(draw, tg_id, tries=1 if kind == "newcomer" else TRIES)
    return _member_visit(draw, tg_id, kind)


def _trial_visit(draw: random.Random, tg_id: int, tries: float) -> Visit:
    if (yield START) == "refused":
        if draw.random() > tries:
            return
        yield Press("policy")
        yield Press("trial")
    yield from _talk(draw, tg_id)
    if draw.random() < LEAVES:
        yield Press("delete")


def _member_visit(draw: random.Random, tg_id: int, kind: Kind) -> Visit:
    if kind in {"expired", "canceled"} or draw.random() < 0.1:
        if (yield START) == "refused":
            if draw.random() > PAYS:
                return
            yield from _buy(draw)
    elif kind == "subscribed" and draw.random() < 0.02:
        yield from _buy(draw)  # the provider renews it
    yield from _talk(draw, tg_id)
    yield from _settle(draw, kind)
    if kind == "trial" and draw.random() < 0.02:
        yield Block()


def _buy(draw: random.Random) -> Visit:
    plan = draw.choice(list(PLANS))
    yield Press(f"pay:{plan}")
    yield Pay(plan)


def _talk(draw: random.Random, tg_id: int) -> Visit:
    for exchange in conversation(draw, tg_id):
        if (yield Say(exchange)) == "refused":
            return
    if draw.random() < 0.35:
        yield Press(f"mood:{draw.choice(['better', 'same'])}")


def _settle(draw: random.Random, kind: Kind) -> Visit:
    """What may be kept of it."""
    if kind == "private":
        if draw.random() < SWITCHES_BACK:
            yield Press(f"privacy:{draw.choice(['ask', 'insights'])}")
    elif draw.random() < SWITCHES:
        yield Press("privacy:none")
    elif draw.random() < PURGES:
        yield Press("purge")
