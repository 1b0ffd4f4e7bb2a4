"""Receipts: short codes that an agent can read out on the phone, and that find an act again."""

from __future__ import annotations

import secrets

from cache_layer.privacy import ALPHABET, read_code


def new_receipt() -> str:
    """A fresh code such as `R-7K2M-9QXD`: 40 random bits in Crockford's base32."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(8))
    return f"R-{code[:4]}-{code[4:]}"


def read_receipt(text: str) -> str | None:
    """The receipt that somebody has read out or typed: `r 7k2m 9qxd` too. None for what is none."""
    letters = read_code(text, "R", 8)
    return None if letters is None else f"R-{letters[:4]}-{letters[4:]}"
