"""What programs prove themselves by that call the site: a secret that both sides know."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable


def is_right(offered: str, secrets: Iterable[str]) -> bool:
    """Whether it is one of the secrets; takes as long for one as for another, of whatever length."""
    digest = _digest(offered)
    right = False
    for secret in secrets:
        right |= hmac.compare_digest(digest, _digest(secret))
    return right


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
