"""Who may be stored, and the names under which people and their words appear to others."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

STORABLE = frozenset({"ask", "auto", "insights"})
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: without I, L, O and U, so that a handle can be read out on the phone."""

READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None, "\N{NO-BREAK SPACE}": None})
"""What people hear and type for a letter of the alphabet, as Crockford has it; spaces and hyphens only group."""

_HANDLE_BITS = 50


def may_store(privacy_level: str | None) -> bool:
    """Whether text of a person with this level may be stored. Unknown and unread levels may not (G5)."""
    return privacy_level in STORABLE


def handle(secret: bytes, user_id: int) -> str:
    """The name under which a person appears on pages and in audit rows: `U-` and ten characters (G6).

    The same for the same person and secret; without the secret it tells nothing.
    """
    number = int.from_bytes(_hashed(secret, user_id)[:7])
    return "U-" + "".join(ALPHABET[(number >> shift) & 31] for shift in range(_HANDLE_BITS - 5, -5, -5))


def read_code(text: str, prefix: str, length: int) -> str | None:
    """The letters of a code that was read out or typed by hand, after its prefix: `u 7k2m-9qxd-lo` is `7K2M9QXD10`.

    None for what is no such code.
    """
    letters = text.strip().upper()
    if not letters.startswith(prefix):
        return None
    letters = letters[len(prefix) :].translate(READ_AS)
    return letters if len(letters) == length and set(letters) <= set(ALPHABET) else None


def read_handle(text: str) -> str | None:
    """The handle that somebody has read out or typed; None for what is none."""
    letters = read_code(text, "U", 10)
    return None if letters is None else f"U-{letters}"


def whose_handle(secret: bytes, handle: str, user_ids: Iterable[int]) -> list[int]:
    """Those of these people whose handle it is: one, unless two share it by chance.

    A handle cannot be turned back, so all are tried; about a microsecond each.

    Args:
        handle: as `handle` makes it.
    """
    number = 0
    for letter in handle[2:]:
        number = number << 5 | ALPHABET.index(letter)
    wanted, low = number.to_bytes(7), number.to_bytes(7)[1:]
    mask = wanted[0] | 0xFC  # of the first of seven bytes six bits are not used
    return [
        user_id for user_id in user_ids if (hashed := _hashed(secret, user_id))[1:7] == low and hashed[0] | 0xFC == mask
    ]


def _hashed(secret: bytes, user_id: int) -> bytes:
    return hmac.digest(secret, b"handle:%d" % user_id, hashlib.sha256)


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
