"""Carries a person from one form to the next without showing who it is (G6).

The token is the internal id, encrypted, readable for ten minutes and only for the agent to whom it was given. The id is
padded, so that the token's length says nothing about it.
"""

from __future__ import annotations

import base64
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

VALID_S: Final = 600
LONGEST: Final = 256


class TokenRejected(ValueError):
    """The token is too old, somebody else's, or not one of ours."""

    def __init__(self) -> None:
        super().__init__("the token is not valid (any more)")


def seal(user_id: int, *, agent_id: int) -> str:
    """A token for this person that only this agent can use."""
    return _fernet(agent_id).encrypt(b"%020d" % user_id).decode()


def unseal(token: str, *, agent_id: int) -> int:
    """Raises:
    TokenRejected: see there.
    """
    if len(token) > LONGEST:
        raise TokenRejected
    try:
        return int(_fernet(agent_id).decrypt(token.encode(), ttl=VALID_S))
    except (InvalidToken, ValueError):
        raise TokenRejected from None


def _fernet(agent_id: int) -> Fernet:
    """Each agent has a key of their own, derived from the site's secret."""
    derive = HKDF(SHA256(), length=32, salt=None, info=b"pomni person token %d" % agent_id)
    return Fernet(base64.urlsafe_b64encode(derive.derive(settings.SECRET_KEY.encode())))
