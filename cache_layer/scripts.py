"""The Lua scripts, each in a file of `lua/` that tells its keys, arguments and replies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

FOLDER = Path(__file__).with_name("lua")
"""Not by importlib.resources, whose import costs more than all of ours."""


Answers: TypeAlias = Callable[[Any], bool]


class Script(msgspec.Struct, frozen=True):
    """A script as Redis knows it: by the SHA-1 of its source, with the source at hand where Redis forgot it.

    Attributes:
        undo: takes back, with the same keys and arguments, what this one did. A call that timed out or was cancelled
            may be carried out all the same, a hung Redis does so when it wakes up, and nobody hears of it.
        owed: when this one was not carried out, or nobody knows whether it was, that one is carried out with the same
            keys and arguments as soon as it can be, before this process uses the first of the keys again.
        answers: of one that may be owed, whether a reply can be this script's. A proxy that answers for Redis has not
            carried it out.
    """

    name: str
    source: str
    sha: str
    undo: Script | None = None
    owed: Script | None = None
    answers: Answers | None = None

    @classmethod
    def of(
        cls,
        name: str,
        source: str,
        undo: Script | None = None,
        owed: Script | None = None,
        answers: Answers | None = None,
    ) -> Script:
        sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        return cls(name, source, sha, undo, owed, answers)


def _read(name: str, undo: Script | None = None, owed: Script | None = None, answers: Answers | None = None) -> Script:
    return Script.of(name, (FOLDER / f"{name}.lua").read_text(encoding="utf-8"), undo, owed, answers)


def _owing_itself(name: str, answers: Answers) -> Script:
    return _read(name, owed=_read(name, answers=answers), answers=answers)


def _two_numbers(reply: Any) -> bool:
    return isinstance(reply, list) and [type(one) for one in reply] == [int, int]


def _number(at_most: int) -> Answers:
    return lambda reply: isinstance(reply, int) and 0 <= reply <= at_most


def _digits(reply: Any) -> bool:
    return isinstance(reply, bytes) and reply.isdigit()


LEASE_RENEW = _read("lease_renew")
LEASE_RELEASE = _read("lease_release")
VALUE_READ = _read("value_read", undo=LEASE_RELEASE)
VALUE_FILL = _read("value_fill", undo=LEASE_RELEASE)
VALUE_DROP = _owing_itself("value_drop", _two_numbers)
LIST_READ = _read("list_read", undo=LEASE_RELEASE)
LIST_FILL = _read("list_fill", undo=LEASE_RELEASE)
LIST_APPEND = _read("list_append", owed=VALUE_DROP, answers=_number(4))
LIST_FORGET = _owing_itself("list_forget", _two_numbers)
PERSONAL_RENEW = _read("personal_renew")
PERSONAL_RELEASE = _read("personal_release")
PERSONAL_READ = _read("personal_read", undo=PERSONAL_RELEASE)
PERSONAL_FILL = _read("personal_fill", undo=PERSONAL_RELEASE)
VERSION_READ = _read("version_read")
VERSION_BUMP = _owing_itself("version_bump", _digits)
FORGET = _owing_itself("forget", _number(1000))
HOLDINGS = _read("holdings")
MIRROR_PUT = _read("mirror_put")
LOCK_ACQUIRE = _read("lock_acquire")
LOCK_RENEW = _read("lock_renew")
LOCK_RELEASE = _read("lock_release")
LOCK_WITHDRAW = _read("lock_withdraw")
LOCK_TAKE = _read("lock_acquire", undo=LOCK_WITHDRAW)
"""LOCK_ACQUIRE under a token that nobody else has, so that it can be undone."""
LOCK_FORCE = _read("lock_force")
LOCK_NAME = _read("lock_name")
LOCK_VIEW = _read("lock_view")
GATE_ENTER = _read("gate_enter")
GATE_LEAVE = _read("gate_leave")
STATS_ADD = _read("stats_add")
INSTANCES_RENEW = _read("instances_renew")
INSTANCES_READ = _read("instances_read")
SWITCHES_TURN = _read("switches_turn")
TALK_DUE = _read("talk_due")
TALK_UNDUE = _read("talk_undue")
TALK_SWEEP = _read("talk_sweep")
TALK_PUSH = _read("talk_push")
TALK_CLAIM = _read("talk_claim")
TALK_KEEP = _read("talk_keep")
TALK_ACK = _read("talk_ack")
TALK_RELEASE = _read("talk_release")
TALK_WITHDRAW = _read("talk_withdraw")
TALK_ADOPT = _read("talk_adopt")
