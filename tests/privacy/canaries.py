"""The canaries, and the finder: each in every form in which it might get somewhere."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import quote, quote_plus

FIRST_ID: Final = 7_351_921
"""`users.id` of the first; they go on from here, one a person."""
FIRST_TG_ID: Final = 5_873_920_461

PEOPLE: Final = ("sound", "limited", "broken", "garbled", "refused", "unwritable", "private")
"""By what befalls them: a summary that is written; 429; 500; an answer that is none; 400; PostgreSQL refuses theirs."""

WORDS: Final = {
    "a message": ("Светлячковая", "Кастрюлькин"),
    "a message in English": ("quizzacious", "snollygoster"),
    "a summary": ("Зюзюблик", "Трындычиха"),
    "a name": ("Евлампия", "Канарейкина-Вольф"),
    "a user name": ("evlampia_kanarei",),
    "an e-mail address": ("evlampia.k@pochta.example",),
    "a telephone number": ("+7 921 555-73-19", "79215557319"),
    "a payment id": ("2f7c91ab-000f-5111-9222-18fa0c33dd77",),
    "a customer's id": ("cus_Zx81KanareiQ",),
    "what was searched for": ("5873929999", "ищу-канарейку-77", "9c1fb6aa-000f-5333-8444-77aa10c2b3e9"),
}
TYPED: Final = ("опечаткин", "typedcanary")
"""Typed into other forms and addresses by staff: a form may show it again, nothing else may."""


@dataclass(frozen=True)
class Canary:
    """`what` it is, and one word or number of it."""

    what: str
    value: str | int

    def __str__(self) -> str:
        return f"{self.what} ({self.value})"


def user_id(person: str) -> int:
    return FIRST_ID + PEOPLE.index(person)


def tg_id(person: str) -> int:
    return FIRST_TG_ID + PEOPLE.index(person)


def message_of(person: str) -> str:
    """What that person wrote: with everything in it that must not get out."""
    return (
        f"{person}: Меня зовут Евлампия Канарейкина-Вольф, пишите на evlampia.k@pochta.example или +7 921 555-73-19 "
        f"(79215557319), я @evlampia_kanarei. Светлячковая кастрюлька, то есть Кастрюлькин. A quizzacious snollygoster."
    )


SUMMARY: Final = "Зюзюблик и Трындычиха: итог дня."

PERSONAL: Final = tuple(Canary(what, word) for what, words in WORDS.items() for word in words) + tuple(
    Canary("a Telegram id", tg_id(person)) for person in PEOPLE
)
INTERNAL: Final = tuple(Canary("a users.id", user_id(person)) for person in PEOPLE)
"""Allowed in Redis, in Celery's arguments and for cron jobs; nowhere else."""
ALL: Final = PERSONAL + INTERNAL + tuple(Canary("what was typed", word) for word in TYPED)


def found_in(content: bytes, canaries: tuple[Canary, ...]) -> list[Canary]:
    """Those that are in there, in whatever form."""
    folded = content.decode("utf-8", "ignore").lower().encode()
    return [canary for canary in canaries if any(_is_in(form, content, folded) for form in _forms(canary.value))]


def _is_in(form: bytes | re.Pattern[bytes], content: bytes, folded: bytes) -> bool:
    if isinstance(form, bytes):
        return form in content or form in folded
    return form.search(content) is not None


@cache
def _forms(value: str | int) -> tuple[bytes | re.Pattern[bytes], ...]:
    if isinstance(value, int):
        return (*_number_forms(value),)
    return tuple({form for spelt in {value, value.lower(), value.upper()} for form in _text_forms(spelt)})


def _number_forms(number: int) -> Iterator[bytes | re.Pattern[bytes]]:
    text = str(number)
    yield re.compile(rb"(?<![0-9a-fA-F.])0*" + text.encode() + rb"(?![0-9a-fA-F])")
    for grouped in (f"{number:,}", f"{number:_}", f"{number:,}".replace(",", " "), f"{number:,}".replace(",", "\xa0")):
        yield grouped.encode()
    if number >= 2**32:  # four bytes come about by chance
        yield number.to_bytes(8, "big")
        yield number.to_bytes(8, "little")
        yield f"{number:x}".encode()
        yield from _base64_forms(text.encode())
        yield text.encode("utf-16-le")


def _text_forms(text: str) -> Iterator[bytes]:
    raw = text.encode()
    yield raw
    yield quote(text, safe="").encode()
    yield quote_plus(text).encode()
    yield quote(text, safe="").lower().encode()
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield from _base64_forms(raw)
    if not text.isascii():
        yield text.encode("cp1251")
        yield repr(raw)[2:-1].encode()
    for wide in ("utf-16-le", "utf-16-be"):
        yield text.encode(wide)
    for escaped in ("\\u{:04x}", "\\u{:04X}", "&#{};", "&#x{:x};", "&#x{:X};"):
        yield "".join(escaped.format(ord(letter)) if ord(letter) > 127 else letter for letter in text).encode()
    for letter, entity in (("-", "&#x2D;"), ("+", "&#x2B;"), ("@", "&#64;"), (" ", "&nbsp;")):
        yield text.replace(letter, entity).encode()


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    """As they look inside something longer: at each of three places, without what its neighbours decide on."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw)
        core = coded[-(-before * 8 // 6) :].rstrip(b"=")
        core = core[: len(core) - 1]
        yield core
        yield core.replace(b"+", b"-").replace(b"/", b"_")
