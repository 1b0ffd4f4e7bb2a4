"""Finds a person by what support has been told: a Telegram id, the bot's own user id, or a payment id.

Exact matches only. What was typed is personal data: it goes into a query's parameters and nowhere else, not into an
exception, not into a log line (G6).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from django.db.models import F, QuerySet, Value

from pomni_admin.bot.models import BotUser, Payment

Kind = Literal["tg_id", "user_id", "payment_id", "handle"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What a person can be found by; by a handle in `handles`."""

NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
BIGINT_MAX = 2**63 - 1
PAYMENT_ID_MAX = 200


@dataclass(frozen=True, slots=True)
class Found:
    """One person whom the text names.

    Attributes:
        kinds: as what it names them; several where a number is somebody's Telegram id and user id at once.
    """

    user_id: int
    tg_id: int
    kinds: tuple[Kind, ...]


def find(text: str) -> tuple[Found, ...]:
    """Everybody whom `text` names, in the order of `KINDS`: one statement.

    Two or three where a number is one person's Telegram id and another's user id: the agent has to say which was meant.

    Any text is allowed, of any length: letters where a number belongs, or a number that no bigint holds, name nobody.
    """
    text = text.strip()
    asked: list[QuerySet[Any, Any]] = []
    number = _number(text)
    if number is not None:
        asked += [
            _as("tg_id", BotUser.objects.filter(tg_id=number), "id", "tg_id"),
            _as("user_id", BotUser.objects.filter(id=number), "id", "tg_id"),
        ]
    # Not printable: NUL and lone surrogates among others, which PostgreSQL cannot be sent.
    if text and len(text) <= PAYMENT_ID_MAX and text.isprintable():
        asked.append(_as("payment_id", Payment.objects.filter(provider_payment_id=text), "user_id", "user__tg_id"))
    if not asked:
        return ()
    rows: list[tuple[Kind, int, int]] = list(asked[0].union(*asked[1:], all=True) if asked[1:] else asked[0])
    kinds: dict[tuple[int, int], list[Kind]] = {}
    for kind, user_id, tg_id in sorted(rows, key=lambda row: KINDS.index(row[0])):
        kinds.setdefault((user_id, tg_id), []).append(kind)
    return tuple(Found(user_id, tg_id, tuple(as_)) for (user_id, tg_id), as_ in kinds.items())


def tg_id_of(user_id: int) -> int | None:
    """The Telegram id of somebody whom a form's token names; None when they are in the database no longer."""
    return BotUser.objects.filter(id=user_id).values_list("tg_id", flat=True).first()


def _as(kind: Kind, people: QuerySet[Any, Any], user_id: str, tg_id: str) -> QuerySet[Any, Any]:
    return people.order_by().values_list(Value(kind), F(user_id), F(tg_id))


def _number(text: str) -> int | None:
    if not NUMBER.fullmatch(text):
        return None
    number = int(text)
    return number if number <= BIGINT_MAX else None
