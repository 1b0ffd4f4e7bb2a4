"""What may stand in a line's message: text that is written in the code, and checked values in its places.

Whether a message is written in the code cannot be seen from the record: a library may have put it together. So the
source file that logged is looked at: what is one of its string literals is passed on, anything else is not.
"""

from __future__ import annotations

import ast
import logging
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pomni_admin.logs.fields import FIELDS, FOREIGN, UNNAMED, Check

NOT_SHOWN: Final = "(not shown)"
OWN: Final = ("pomni_admin", "cache_layer", "bot")
LONGEST: Final = 300

ELSEWHERE: Final[Mapping[str, str]] = {"celery.worker.strategy": "celery.app.trace"}
"""Loggers whose messages are literals of another module."""

_PLACE = re.compile(r"(?:\b(?P<name>[a-z_]+)=)?%(?:\((?P<key>\w+)\))?[-#0 +]*\d*(?:\.\d+)?(?P<kind>[srdifgeGxXca%])")


@dataclass(frozen=True, slots=True)
class Message:
    """`text`, and how many values were kept out of it."""

    text: str
    dropped: int = 0


def is_own(logger: str) -> bool:
    return logger.partition(".")[0] in OWN


def allowed_of(logger: str) -> Mapping[str, Check]:
    """The named values that lines of this logger may have."""
    if is_own(logger):
        return FIELDS
    for name in (logger, logger.partition(".")[0]):
        if name in FOREIGN:
            return {**FOREIGN[name], "request_id": FIELDS["request_id"]}
    return {"request_id": FIELDS["request_id"]}


def message_of(record: logging.LogRecord, template: object, args: object) -> Message:
    """The record's message with only what is allowed in it."""
    text = str(template).strip()
    if not is_literal(record, text):
        first = text.partition("\n")[0].strip()
        shown = first if first and is_literal(record, first) and "%" not in first else NOT_SHOWN
        return Message(shown, 1)
    text = " ".join(text.split())[:LONGEST]
    return (
        _filled(text, args, allowed_of(record.name), UNNAMED if is_own(record.name) else None)
        if args
        else Message(text)
    )


def is_literal(record: logging.LogRecord, text: str) -> bool:
    """Whether this text is a string literal of the file that logged it."""
    if text in _literals(record.pathname):
        return True
    other = sys.modules.get(ELSEWHERE.get(record.name, ""))
    return other is not None and text in _literals(str(other.__file__))


@lru_cache(maxsize=500)
def _literals(path: str) -> frozenset[str]:
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, ValueError, SyntaxError):  # no such file, as for what is typed in; or not in Python
        return frozenset()
    return frozenset(
        node.value.strip() for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _filled(text: str, args: object, allowed: Mapping[str, Check], unnamed: Check | None) -> Message:
    dropped = 0
    by_key = _mapping(args)
    in_order = iter(args if isinstance(args, tuple) else ())

    def fill(place: re.Match[str]) -> str:
        nonlocal dropped
        if place["kind"] == "%":
            return place[0].replace("%%", "%")
        key = place["key"]
        value: Any = by_key.get(key) if key and by_key is not None else next(in_order, None)
        name = key or place["name"]
        check: Check | None = allowed.get(name) if name else unnamed
        said = check(value) if check is not None else None
        dropped += said is None
        return place[0][: place[0].index("%")] + ("*" if said is None else said)

    return Message(_PLACE.sub(fill, text), dropped)


def _mapping(args: object) -> Mapping[str, Any] | None:
    """What `%(name)s` is looked up in; structlog passes it as the only one of several arguments."""
    one = args[0] if isinstance(args, tuple) and len(args) == 1 else args
    return one if isinstance(one, Mapping) else None
