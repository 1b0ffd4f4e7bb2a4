"""Who may be stored, and the names under which people appear to others."""

from __future__ import annotations

import hashlib
import hmac

STORABLE = frozenset({"ask", "auto", "insights"})
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: without I, L, O and U, so that a handle can be read out on the phone."""


def may_store(privacy_level: str | None) -> bool:
    """Whether text of a person with this level may be stored. Unknown and unread levels may not (G5)."""
    return privacy_level in STORABLE


def handle(secret: bytes, user_id: int) -> str:
    """The name under which a person appears on pages and in audit rows: `U-` and ten characters (G6).

    The same for the same person and secret; without the secret it tells nothing.
    """
    number = int.from_bytes(hmac.digest(secret, b"handle:%d" % user_id, hashlib.sha256)[:7])
    return "U-" + "".join(ALPHABET[(number >> shift) & 31] for shift in range(45, -5, -5))
