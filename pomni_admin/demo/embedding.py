"""Stands in for an embedding model: hashed features of word stems (Weinberger et al., 2009).

Texts on one subject are near each other, the same text has the same vector in every process, and no network is needed,
nor Django: the simulated bot embeds questions as the workers embed summaries.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

EMBEDDED_CHARS = 8_000
WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def embed(text: str, dim: int) -> list[float]:
    """A vector of length one; the same text always has the same."""
    vector = [0.0] * dim
    stems = [stem(word) for word in words(text[:EMBEDDED_CHARS])]
    for feature in (*stems, *(f"{first} {second}" for first, second in pairwise(stems))):
        place, sign = _hashed(feature, dim)
        vector[place] += sign
    # Often-repeated words weigh less than their number.
    vector = [math.copysign(math.log1p(abs(value)), value) for value in vector]
    length = math.hypot(*vector)
    if not length:
        vector[_hashed(text[:EMBEDDED_CHARS], dim)[0]] = 1.0
        return vector
    return [value / length for value in vector]


def words(text: str) -> Sequence[str]:
    return [word.lower() for word in WORD.findall(text)]


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The word without its ending, as Snowball has it for Russian."""
    return str(_stemmer().stem(word))


@cache
def _stemmer() -> Any:
    """The library, loaded with the first text: whoever only imports this module does not wait a second for it."""
    from nltk.stem.snowball import RussianStemmer

    return RussianStemmer()


@lru_cache(maxsize=50_000)
def _hashed(feature: str, dim: int) -> tuple[int, float]:
    number = int.from_bytes(hashlib.blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest())
    return (number >> 1) % dim, 1.0 if number & 1 else -1.0
