"""What the simulated bot knows: the passages of `corpus.toml`."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from pathlib import Path

COLLECTION = "reflectai_corpus_v2"
FILE = Path(__file__).with_name("corpus.toml")


def passages() -> tuple[str, Sequence[str]]:
    """The edition, which another text makes another, and the passages."""
    raw = FILE.read_bytes()
    return hashlib.sha256(raw).hexdigest()[:12], tomllib.loads(raw.decode())["passages"]
