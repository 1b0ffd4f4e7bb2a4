"""Finds a person by what support has been told: a Telegram id, the bot's own user id, or a payment id.

Exact matches only. What was typed is personal data: it goes into a query's parameters and nowhere else, not into an
exception, not into a log line (G6).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from pomni_admin.bot.models import BotUser, Payment

Kind = Literal["tg_id", "user_id", "payment_id"]
KINDS: tuple[Kind, ...] = get_args(Kind)

NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
BIGINT_MAX = 2**63 - 1
PAYMENT_ID_MAX = 200


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The text names one person as one kind and another person as another: the agent has to say which was meant."""

    kinds: tuple[Kind, ...]


def find(kind: Kind, text: str) -> int | None:
    """The internal id of the person whom `text` names as a `kind`, or None.

    Any text is allowed, of any length: letters where a number belongs, or a number that no bigint holds, name nobody.
    """
    text = text.strip()
    if kind == "payment_id":
        return _by_payment(text)
    number = _number(text)
    if number is None:
        return None
    lookup = {"tg_id": number} if kind == "tg_id" else {"id": number}
    return BotUser.objects.filter(**lookup).values_list("id", flat=True).first()


def find_any(text: str) -> int | Ambiguous | None:
    """Find a person when the kind is not known: as every kind in turn.

    Returns:
        The id, if all kinds that match mean the same person; `Ambiguous`, if they mean different people (a number can
        be one person's Telegram id and another's user id); None, if nobody is meant.
    """
    found = {kind: user_id for kind in KINDS if (user_id := find(kind, text)) is not None}
    if len(set(found.values())) > 1:
        return Ambiguous(tuple(found))
    return next(iter(found.values()), None)


def _number(text: str) -> int | None:
    if not NUMBER.fullmatch(text):
        return None
    number = int(text)
    return number if number <= BIGINT_MAX else None


def _by_payment(text: str) -> int | None:
    # Not printable: NUL and lone surrogates among others, which PostgreSQL cannot be sent.
    if not text or len(text) > PAYMENT_ID_MAX or not text.isprintable():
        return None
    return Payment.objects.filter(provider_payment_id=text).values_list("user_id", flat=True).first()
