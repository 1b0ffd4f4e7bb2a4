"""A name that a rendered form carries, so that what it starts is started once, however often it is sent.

The name is signed for the agent who got the form: nobody chooses it freely, and with the sign-out it is void.
"""

from __future__ import annotations

import secrets
from typing import Final

from django.core import signing

VALID_S: Final = 12 * 3600
LONGEST: Final = 256


class NameRejected(ValueError):
    """The name is too old, somebody else's, or not one of ours."""

    def __init__(self) -> None:
        super().__init__("the form is not valid (any more)")


def issue(*, bearer: str) -> str:
    """A new name for a form; `bearer` is who may send it."""
    return _signer(bearer).sign(secrets.token_hex(16))


def read(signed: str, *, bearer: str) -> str:
    """The name, 32 hexadecimal digits.

    Raises:
        NameRejected: see there.
    """
    if len(signed) > LONGEST:
        raise NameRejected
    try:
        return _signer(bearer).unsign(signed, max_age=VALID_S)
    except signing.BadSignature:
        raise NameRejected from None


def _signer(bearer: str) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=f"pomni one-time name {bearer}")
