"""An exception as a log line may tell of it: classes, codes and places in the code, never a message or a value.

The message of a database's, a client's or a parser's exception quotes what it choked on, which is what people wrote.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pomni_admin.logs.fields import shaped

MOST_FRAMES: Final = 24
MOST_CAUSES: Final = 5
ROOTS: Final = tuple(sorted({*sys.path, str(Path(__file__).resolve().parent.parent.parent)}, key=len, reverse=True))

_name = shaped(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_code = shaped(r"[a-z][a-z0-9_]{0,39}")
_sqlstate = shaped(r"[0-9A-Z]{5}")


def trace_of(error: BaseException) -> str:
    """`OperationalError 57P01 dashboard/show.py:40 … < AdminShutdown 57P01 psycopg/cursor.py:97`: newest call last."""
    return " < ".join(_told(one) for one in _chain(error))


def place(path: str, line: int | None) -> str:
    """A file by its path below where Python finds it, and the line."""
    for root in ROOTS:
        if root and path.startswith(root.rstrip("/") + "/"):
            path = path[len(root.rstrip("/")) + 1 :]
            break
    else:
        path = "/".join(path.rsplit("/", 2)[-2:])
    path = re.sub(r"[^A-Za-z0-9_./<>-]", "?", path)
    return f"{path[-80:]}:{line or 0}"


def _told(error: BaseException) -> str:
    kind = _name(type(error).__name__) or "Exception"
    frames: list[str] = []
    step = error.__traceback__
    while step is not None:
        frames.append(place(step.tb_frame.f_code.co_filename, step.tb_lineno))
        step = step.tb_next
    if len(frames) > MOST_FRAMES:
        frames = [*frames[: MOST_FRAMES // 2], "…", *frames[-MOST_FRAMES // 2 :]]
    inside = ""
    if isinstance(error, BaseExceptionGroup):
        inside = "(" + " ".join(_told(one) for one in error.exceptions[:MOST_CAUSES]) + ")"
    return " ".join([kind + inside, *_codes(error), *frames])


def _codes(error: BaseException) -> Iterator[str]:
    """What is fixed about this error: SQLSTATE, errno, status of an answer, the word that our own errors have."""
    for attribute in ("sqlstate", "code"):
        value = getattr(error, attribute, None)
        check = _sqlstate if attribute == "sqlstate" else _code
        if isinstance(value, str) and (attribute == "sqlstate" or _is_ours(error)) and check(value):
            yield value
    for attribute in ("errno", "status_code"):
        number = getattr(error, attribute, None)
        if isinstance(number, int) and 0 < number < 1000:
            yield f"{attribute}={number}"


def _is_ours(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in {"pomni_admin", "cache_layer"}


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen and len(seen) < MOST_CAUSES:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
