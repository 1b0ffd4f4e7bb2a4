"""Throttling of whatever can be guessed: passwords, codes, links. Counted in PostgreSQL, so it needs no Redis.

An attempt is counted before it is judged, so that a hundred at once are not all judged first. What is counted is known
by a keyed hash: neither names that somebody typed (which may be a password in the wrong box) nor addresses are kept.
Whether a name exists makes no difference.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.db import connection
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import ngettext

from pomni_admin.accounts.models import Attempts

log = logging.getLogger(__name__)

COUNT: Final = (Path(__file__).parent / "throttle.sql").read_text("utf-8")
WINDOW_S: Final = 15 * 60


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` attempts at `what` for `whom` within `window_s` seconds."""

    what: str
    whom: str
    most: int
    window_s: float = WINDOW_S

    @property
    def key(self) -> str:
        return salted_hmac("accounts.throttle", f"{self.what}:{self.whom}", algorithm="sha256").hexdigest()


def sign_in(name: str, address: str) -> tuple[Limit, Limit, Limit]:
    """For somebody at one address, for a name from all of them, and for an address whatever the name.

    The first keeps a stranger elsewhere from locking a colleague out; the second is for one who has many addresses.
    """
    name = name.casefold().strip()
    return (
        Limit("sign-in of a name from an address", f"{name}\0{address}", 5),
        Limit("sign-in of a name", name, 20),
        Limit("sign-in from an address", address, 40),
    )


def proof(user_id: int) -> tuple[Limit]:
    """For codes and passwords of somebody whose name is known already."""
    return (Limit("proof", str(user_id), 5),)


def link(address: str) -> tuple[Limit]:
    """For links that lead nowhere."""
    return (Limit("link", address, 20),)


def code_use(user_id: int, code: str, window_s: float) -> tuple[Limit]:
    """A code may be used once for as long as it is valid."""
    return (Limit("use of a code", f"{user_id}\0{code}", 1, window_s),)


def wrong_secret(address: str) -> tuple[Limit]:
    """For calls of the HTTP API whose secret is wrong."""
    return (Limit("secret of the API", address, 20),)


def count(limit: Limit) -> tuple[int, int]:
    """Count an attempt; how many there have been with it, and the seconds until they are forgotten."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [limit.key, limit.window_s])
        number, left_s = cursor.fetchone()
    return number, max(1, math.ceil(float(left_s)))


def seconds_shut(limits: Sequence[Limit]) -> int:
    """For how long no attempt may be made, without counting one; 0 when it may be."""
    most = {limit.key: limit.most for limit in limits}
    now = timezone.now()
    found = Attempts.objects.filter(key__in=most, ends_at__gt=now)
    shut = [(row.ends_at - now).total_seconds() for row in found if row.count >= most[row.key]]
    return math.ceil(max(shut, default=0))


def take(limits: Sequence[Limit]) -> int:
    """Count an attempt; 0 when it may be made, else the seconds to wait until one may.

    What one limit refuses is not counted against those after it: who hammers at a name from one address does not use up
    what others may try.
    """
    for limit in limits:
        number, left_s = count(limit)
        if number > limit.most:
            log.warning("attempts are throttled", extra={"kind": limit.what})
            return left_s
    return 0


def succeeded(limits: Sequence[Limit], *, refund: Sequence[Limit] = ()) -> None:
    """It was the right one: forget those attempts, and take back this one from `refund`; tidy up besides."""
    Attempts.objects.filter(key__in=[limit.key for limit in limits]).delete()
    Attempts.objects.filter(key__in=[limit.key for limit in refund], count__gt=0).update(count=F("count") - 1)
    Attempts.objects.filter(ends_at__lt=timezone.now()).delete()


def told(wait_s: int) -> str:
    """What somebody reads who has to wait."""
    minutes = math.ceil(wait_s / 60)
    said = ngettext(
        "Too many attempts. Try again in %(minutes)s minute.",
        "Too many attempts. Try again in %(minutes)s minutes.",
        minutes,
    )
    return said % {"minutes": minutes}
