"""Who may be stored, and the names under which people and their words appear to others."""

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


def tg_hash(secret: bytes, tg_id: int) -> str:
    """What stands for a Telegram id in the names of keys: 128 bits of a keyed hash, in hex (G6)."""
    return hmac.digest(secret, b"tg:%d" % tg_id, hashlib.sha256)[:16].hex()


def text_hash(secret: bytes, *parts: str) -> str:
    """What stands for somebody's words in the names of keys: 128 bits of a keyed hash, in hex (G5).

    Each part is preceded by its length, so that two lists of parts never read alike.
    """
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    joined = b"".join(b"%d:%b" % (len(part), part) for part in encoded)
    return hmac.digest(secret, b"text:" + joined, hashlib.sha256)[:16].hex()
