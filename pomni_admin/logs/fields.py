"""Which fields a log line may have, and what may stand in each: all that is not named here stays out (G6).

A check turns a value into what is printed, or into None for a value of another shape. No field takes free text; numbers
that count or measure are short, so that neither a Telegram id nor a `users.id` fits where a count belongs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

Check: TypeAlias = Callable[[Any], str | None]


def shaped(pattern: str) -> Check:
    """Text, or what is printed as text, of that pattern as a whole."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: Any) -> str | None:
        text = str(value)
        return text if compiled.fullmatch(text) else None

    return check


def number(digits: int) -> Check:
    """A number with at most so many digits before the point."""

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= 10**digits:
            return None
        return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)

    return check


def several(one: Check, most: int = 20) -> Check:
    """A list of such values."""

    def check(value: Any) -> str | None:
        if not isinstance(value, list | tuple) or len(value) > most:
            return None
        parts = [one(part) for part in value]
        return None if None in parts else ",".join(part for part in parts if part is not None)

    return check


def either(*checks: Check) -> Check:
    def check(value: Any) -> str | None:
        return next((said for one in checks if (said := one(value)) is not None), None)

    return check


def _exceptions() -> set[str]:
    found: set[type] = set()
    waiting: list[type] = [BaseException]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += type.__subclasses__(one)
    return {one.__name__ for one in found}


_known: set[str] = set()


def exception_name(value: Any) -> str | None:
    """The name of a class of exceptions that this process has."""
    global _known
    if not isinstance(value, str):
        return None
    if value not in _known:
        _known = _exceptions()  # modules come in late; a miss is rare
    return value if value in _known else None


WORD: Final = shaped(r"[a-z][a-z0-9_-]{0,39}")
CODE: Final = either(shaped(r"[a-z][a-z0-9_]{0,39}"), shaped(r"unexpected_[A-Za-z0-9]{1,60}"))
COUNT: Final = number(6)
UUID: Final = shaped(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PLACE: Final = shaped(r"[A-Za-z0-9_./<>-]{1,100}:[0-9]{1,6}")
NODE: Final = shaped(r"[A-Za-z0-9.\[\]:-]{1,100}:[0-9]{1,5}")
COUNTS: Final = shaped(r"[a-z_]{1,20}=[0-9]{1,9}( [a-z_]{1,20}=[0-9]{1,9}){0,40}")
TLS: Final = shaped(r"TLS (certificate refused|failed): [A-Za-z0-9 ',.:()*/_-]{1,120}")

FIELDS: Final[Mapping[str, Check]] = {
    # which request, job, batch, act
    "request_id": shaped(r"[0-9a-f][0-9a-f-]{15,63}"),
    "job": UUID,
    "batch": COUNT,
    "receipt": shaped(r"[A-Z0-9]{1,4}(-[A-Z0-9]{2,8}){1,4}"),
    "fence": number(17),
    # what kind of thing
    "cache": WORD,
    "errand": WORD,
    "kind": WORD,
    "name": WORD,
    "page": WORD,
    "role": WORD,
    "state": WORD,
    "task": shaped(r"[a-z_]{1,30}(\.[a-z_]{1,30}){1,3}"),
    "day": shaped(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    # what the matter is
    "at": PLACE,
    "code": CODE,
    "error": exception_name,
    "note": CODE,
    "reason": either(exception_name, WORD, TLS),
    "trouble": shaped(r"PostgreSQL is away|PostgreSQL has no tables yet|none any more"),
    "what": WORD,
    "why": WORD,
    # numbers
    "brought": COUNT,
    "collection_size": COUNT,
    "days": COUNT,
    "embed_dim": COUNT,
    "jobs": COUNT,
    "latency_ms": number(7),
    "mended": COUNT,
    "missing": COUNT,
    "number": COUNT,
    "orphans": COUNT,
    "outdated": COUNT,
    "passages": COUNT,
    "rate": COUNT,
    "seed": COUNT,
    "size": COUNT,
    # how it is set up
    "collection": shaped(r"[A-Za-z0-9_-]{1,64}"),
    "found": several(shaped(r"[A-Za-z0-9_-]{1,64}")),
    "node": NODE,
    "server": shaped(r"[a-z]{1,20} [0-9]{1,3}(\.[0-9]{1,5}){0,3}|unknown"),
}
"""The fields of our own lines, by name."""

UNNAMED: Final = either(
    number(6),
    exception_name,
    COUNTS,
    TLS,
    shaped(r"|on|off| node=[A-Za-z0-9.\[\]:-]{1,100}:[0-9]{1,5}"),
    shaped("|".join(("a node of a Redis Cluster", "no Redis Cluster"))),
    shaped(r"(access_state|recent_history|talkbuf|rag|summaries_job|lock|identity)( [a-z_]+){0,6}"),
    shaped(r"the last minute|since the last line"),
    CODE,
)
"""What may fill a place without a name in the message of one of our own lines."""

FOREIGN: Final[Mapping[str, Mapping[str, Check]]] = {
    "celery": {"name": FIELDS["task"], "id": UUID, "runtime": number(6), "sig": shaped(r"[A-Z0-9]{1,12}")},
    "uvicorn.access": {
        "method": shaped(r"[A-Z]{1,10}"),
        "route": shaped(r"[a-z0-9_:-]{1,80}"),
        "status": number(3),
    },
    "django": {
        "method": shaped(r"[A-Z]{1,10}"),
        "route": shaped(r"[a-z0-9_:-]{1,80}"),
        "status_code": number(3),
    },
}
"""What lines of libraries may say, by logger; also `request_id`. Everything else of theirs is dropped."""
