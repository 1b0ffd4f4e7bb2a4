"""Encryption of text at rest in Redis: AES-256-GCM, bound to the key under which the text is stored (G5).

A sealed value is: one byte of format, one byte for the length of the key id, the key id, 12 bytes of nonce, the
ciphertext with its tag. The name of the Redis key is the associated data, so that a value which somebody copies to
another person's key does not open there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cache_layer.errors import EntryRejected, SealedElsewhere

FORMAT = 1
NONCE_BYTES = 12
"""Random, as NIST SP 800-38D (8.2.2) has it: good for 2^32 values under one key, after which the key is rotated."""


class Sealer:
    """Seals with the first key and opens with any, so that a key is rotated without a flush.

    Args:
        keys: `(id, key of 32 bytes)`, the newest first. With none, nothing can be sealed and nothing opens.
    """

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        self._ciphers = {key_id.encode(): AESGCM(key) for key_id, key in keys}
        newest = next(iter(self._ciphers), b"")
        self._head = bytes((FORMAT, len(newest))) + newest
        self._seal_with = self._ciphers.get(newest)

    def seal(self, key: str, plain: bytes) -> bytes:
        """What to store under the Redis key `key`."""
        assert self._seal_with is not None, "a cache of text is off without CACHE_ENCRYPTION_KEYS"
        nonce = os.urandom(NONCE_BYTES)
        return self._head + nonce + self._seal_with.encrypt(nonce, plain, key.encode())

    def open(self, key: str, sealed: bytes) -> bytes:
        """What was sealed for the Redis key `key`.

        Raises:
            EntryRejected: sealed for another key, with an encryption key that is not known, or not sealed at all.
        """
        if len(sealed) < 2 or sealed[0] != FORMAT:
            raise EntryRejected("not sealed")
        start = 2 + sealed[1]
        cipher = self._ciphers.get(sealed[2:start])
        if cipher is None:
            raise SealedElsewhere("sealed with an unknown key")
        try:
            return cipher.decrypt(sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :], key.encode())
        except (InvalidTag, ValueError):  # ValueError: a nonce cut short
            raise EntryRejected("does not open") from None
