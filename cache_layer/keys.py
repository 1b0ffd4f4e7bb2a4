"""Key names. Braces are Redis Cluster hash tags: all keys of one subject sit in one slot."""

from __future__ import annotations


class Keys:
    """Builds every key of the layer; nothing else does.

    >>> Keys("").of("access_state", 42)
    'access_state:{42}'
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def of(self, cache: str, subject: int | str) -> str:
        return f"{self._prefix}{cache}:{{{subject}}}"

    def plain(self, name: str) -> str:
        """A key or channel that belongs to no subject."""
        return f"{self._prefix}{name}"
