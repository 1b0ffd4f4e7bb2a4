"""The audit as a file: comma-separated, in UTF-8, with codes and not words, so that programs can read it.

A mark of the byte order comes first, without which Excel takes Cyrillic names for something else. A field that a
spreadsheet would take for a formula is put in quotes of its own (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from typing import Final

from asgiref.sync import sync_to_async

from pomni_admin.audit import acts
from pomni_admin.audit.entries import Entry, Filters, batches

BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
COLUMNS: Final = (
    *("at", "finished_at", "actor", "role", "act", "handle", "subject", "reason"),
    *("result", "receipt", "act_id", "request_id"),
)
AT_ONCE: Final = 500
"""Acts that are in memory at a time, however many there are."""
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


async def file(filters: Filters, act: acts.Recorded) -> AsyncIterator[bytes]:
    """The file, piece by piece; at its end the outcome of `act` is written: `ok`, or that it was broken off."""
    reading = batches(filters, AT_ONCE)
    act.result = "interrupted"
    try:
        yield (BYTE_ORDER_MARK + _lines([COLUMNS])).encode()
        while entries := await sync_to_async(_next)(reading):
            yield _lines(row(entry) for entry in entries).encode()
        act.result = "ok"
    except Exception as error:
        act.result = f"error:{type(error).__name__}"
        raise
    finally:
        await sync_to_async(act.finish)()


def _next(reading: Iterator[list[Entry]]) -> list[Entry]:
    return next(reading, [])


def row(entry: Entry) -> list[str]:
    """The fields of an act, in the order of `COLUMNS`."""
    return [_safe(_text(getattr(entry, column))) for column in COLUMNS]


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return "" if value is None else str(value)


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _lines(rows: Iterable[Iterable[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
