"""An authenticator, as people have one on their phones: RFC 6238, written once more, so that it proves something."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time

PERIOD_S = 30


def code(secret: str, step: int = 0) -> str:
    """The code of now, or of so many steps later. Each may be used once: another try takes another step."""
    counter = struct.pack(">Q", int(time.time()) // PERIOD_S + step)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    start = digest[-1] & 0xF
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"
