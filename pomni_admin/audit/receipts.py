"""Receipts: short codes that an agent can read out on the phone, and that find an act again."""

from __future__ import annotations

import secrets

from cache_layer.privacy import ALPHABET


def new_receipt() -> str:
    """A fresh code such as `R-7K2M-9QXD`: 40 random bits in Crockford's base32."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(8))
    return f"R-{code[:4]}-{code[4:]}"
