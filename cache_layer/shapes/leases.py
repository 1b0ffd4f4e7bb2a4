"""The right to fill a key, which a miss hands out to one caller and an invalidation destroys."""

from __future__ import annotations

import os
import secrets
from itertools import count

LEASE_MS = 2000
RENEW_EVERY_S = 0.7

_origin = secrets.token_hex(6)
_numbers = count()


def new_token() -> str:
    """A lease token that no other call has, in whatever process.

    The process id is in it because forked workers inherit origin and numbers: two of them once drew the same token, and
    the fill of one passed for the other's, over an invalidation.
    """
    return f"{_origin}:{os.getpid()}:{next(_numbers)}"
