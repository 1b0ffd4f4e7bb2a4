"""Reading replies of Redis that look different by protocol, and by what sent them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def fields(reply: Any) -> Mapping[bytes, bytes]:
    """The fields of a hash: a mapping already, or names and values in turn.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(reply, dict):
        return reply
    if isinstance(reply, list) and len(reply) % 2 == 0:
        return dict(zip(reply[::2], reply[1::2], strict=True))
    raise TypeError
