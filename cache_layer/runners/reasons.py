"""Why Redis could not be used, in words that are fit for a log line: no address, no user, no password, no key."""

from __future__ import annotations

import ssl
from collections.abc import Iterator


def reason_of(error: BaseException) -> str:
    """The name of the error's kind; of what TLS refused, what OpenSSL says of it.

    redis-py raises the same `ConnectionError` for a server that is not there and for a certificate that is not trusted,
    which are mended by different people.
    """
    for one in _chain(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"TLS certificate refused: {one.verify_message}"
        if isinstance(one, ssl.SSLError):
            return f"TLS failed: {(one.reason or 'unknown').lower().replace('_', ' ')}"
    return type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
