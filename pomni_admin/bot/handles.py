"""Finds the person whom a handle stands for. A handle cannot be turned back: everybody's is made and compared.

The ids are read by keyset, so that neither memory nor any statement grows with the number of people, the newest first,
since those are more often asked about. Handles are not kept in a table: with it the database alone would tell whom each
audit row is about.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from cache_layer.privacy import whose_handle
from pomni_admin import cache
from pomni_admin.bot.models import BotUser

AT_ONCE: Final = 10_000
SEARCH_AT_MOST_S: Final = 8.0
"""Two million people on one core, or fewer where PostgreSQL is far away."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a search by handle came to.

    Attributes:
        user_ids: whose handle it is; two where they share it by chance (a million people: 4 in 10,000).
        compared: how many people's handles were made.
        is_complete: False when the time was up before everybody had been compared.
    """

    user_ids: tuple[int, ...]
    compared: int
    is_complete: bool


def whose(handle: str, *, at_most_s: float = SEARCH_AT_MOST_S) -> Search:
    """Everybody who has this handle now, or had it under the secret before."""
    until = time.monotonic() + at_most_s
    found: list[int] = []
    compared = 0
    before: int | None = None
    while True:
        people = BotUser.objects.order_by("-id").values_list("id", flat=True)
        ids = list((people if before is None else people.filter(id__lt=before))[:AT_ONCE])
        for secret in cache.handle_secrets():
            found += whose_handle(secret, handle, ids)
        compared += len(ids)
        if len(ids) < AT_ONCE:
            return Search(tuple(dict.fromkeys(found)), compared, is_complete=True)
        before = ids[-1]
        if time.monotonic() > until:
            return Search(tuple(dict.fromkeys(found)), compared, is_complete=False)
