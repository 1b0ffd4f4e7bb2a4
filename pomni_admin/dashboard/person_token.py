"""Carries a person from one form to the next without showing who it is (G6).

The token is the internal id, encrypted, readable for ten minutes and only for the agent to whom it was given, in the
sign-in in which it was given: with the sign-out it is void. The id is padded, so that the token's length says nothing
about it.
"""

from __future__ import annotations

import base64
import secrets
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest

VALID_S: Final = 600
LONGEST: Final = 256
SALT: Final = "person_tokens"
"""In the session, which a sign-out flushes; it outlives a change of the session's key."""


class TokenRejected(ValueError):
    """The token is too old, somebody else's, or not one of ours."""

    def __init__(self) -> None:
        super().__init__("the token is not valid (any more)")


def bearer_of(request: HttpRequest) -> str:
    """Who may use the tokens that are given in this request: this agent, until they sign out."""
    salt = request.session.get(SALT)
    if not isinstance(salt, str):
        salt = request.session[SALT] = secrets.token_hex(16)
    return f"{request.user.pk}:{salt}"


def seal(user_id: int, *, bearer: str) -> str:
    """A token for this person that only this bearer can use."""
    return _fernet(bearer).encrypt(b"%020d" % user_id).decode()


def unseal(token: str, *, bearer: str) -> int:
    """Raises:
    TokenRejected: see there.
    """
    if len(token) > LONGEST:
        raise TokenRejected
    try:
        return int(_fernet(bearer).decrypt(token.encode(), ttl=VALID_S))
    except (InvalidToken, ValueError):
        raise TokenRejected from None


def _fernet(bearer: str) -> Fernet:
    """Each bearer has a key of their own, derived from the site's secret."""
    derive = HKDF(SHA256(), length=32, salt=None, info=b"pomni person token " + bearer.encode())
    return Fernet(base64.urlsafe_b64encode(derive.derive(settings.SECRET_KEY.encode())))
