"""What was retrieved for a question: `rag_cache:{hash}`, and for what depends on one person `rag_cache:{user_id}`.

A shared context - passages of a corpus - is kept under a keyed hash of the normalised question, the parameters, the
collection and the collection's version. A personal one - whose summaries match - is kept under its person, in a hash
that is dropped as a whole. Embeddings are kept apart, by text and model. All of it is sealed: it comes from what
people say in confidence.
"""

from __future__ import annotations

import sys
import unicodedata
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import msgspec

from cache_layer.codecs import Codec, Entry
from cache_layer.errors import EntryRejected
from cache_layer.keys import Keys
from cache_layer.metrics import Counts
from cache_layer.privacy import text_hash
from cache_layer.sealing import Sealer
from cache_layer.settings import Settings
from cache_layer.shapes.personal import Personal
from cache_layer.shapes.value import Value
from cache_layer.shapes.versions import Versions
from cache_layer.switches import Switches

LOAD_AT_MOST = timedelta(seconds=30)

Scalar: TypeAlias = str | int | float | bool | None
Parameters: TypeAlias = Mapping[str, Scalar | Sequence[Scalar]]


class Hit(msgspec.Struct, frozen=True, array_like=True):
    """One thing that was found.

    Attributes:
        payload: what the vector store keeps beside the vector, as far as the bot wants it.
    """

    id: int | str
    score: float
    payload: Mapping[str, Scalar] = {}


class Context(msgspec.Struct, frozen=True, array_like=True):
    """What was retrieved: the text that goes into a prompt, and the hits that it was made of; either may be empty."""

    text: str = ""
    hits: tuple[Hit, ...] = ()

    def __repr__(self) -> str:
        return f"Context({len(self.hits)} hits)"


@dataclass(frozen=True, slots=True)
class SharedQuestion:
    """What the loader of a shared context is asked. It does not learn who asks, so that its answer is everybody's."""

    text: str
    collection: str
    parameters: Parameters

    def __repr__(self) -> str:
        return f"SharedQuestion(collection={self.collection!r})"


@dataclass(frozen=True, slots=True)
class PersonalQuestion:
    """What the loader of a personal context is asked."""

    user_id: int
    text: str
    collection: str
    parameters: Parameters

    def __repr__(self) -> str:
        return f"PersonalQuestion(collection={self.collection!r})"


class Rag:
    """The caches of retrieval, and the names of what is in them."""

    def __init__(self, keys: Keys, counts: Counts, settings: Settings, switches: Switches, sealer: Sealer) -> None:
        self._secret = settings.hash_secret
        self.switch = switches.of("rag")
        self.versions = Versions(keys, "rag")
        ttl = settings.ttls["rag"]
        self.shared: Value[Context] = Value(
            "rag",
            Codec(Entry[Context], version=1, sealer=sealer),
            keys,
            counts,
            ttl=lambda _: ttl,
            load_at_most=LOAD_AT_MOST,
            switch=self.switch,
            kept_under="rag_cache",
        )
        self.personal: Personal[Context] = Personal(
            "rag",
            Codec(Entry[Context], version=1, sealer=sealer),
            keys,
            counts,
            ttl=lambda _: ttl,
            load_at_most=LOAD_AT_MOST,
            switch=self.switch,
            kept_under="rag_cache",
        )
        self.embeddings: Value[bytes] = Value(
            "rag",
            Codec(Entry[bytes], version=1, sealer=sealer),
            keys,
            counts,
            ttl=lambda _: ttl,
            load_at_most=LOAD_AT_MOST,
            switch=self.switch,
            kept_under="rag_cache",
        )

    def name_of(self, question: SharedQuestion | PersonalQuestion, version: str) -> str:
        """What the answer to this question is kept under: no word of it can be read from it."""
        return text_hash(
            self._secret,
            "context",
            question.collection,
            version,
            msgspec.json.encode(dict(question.parameters), order="deterministic").decode(),
            normalised(question.text),
        )

    def name_of_embedding(self, text: str, model: str) -> str:
        """By the text to the letter, since that is what was embedded."""
        return text_hash(self._secret, "embedding", model, text)


def normalised(text: str) -> str:
    """The same for questions that differ in case, spacing or the form of their letters only."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def packed(vector: Sequence[float]) -> bytes:
    """As 32-bit floats, little end first: 6,144 bytes for 1,536 of them."""
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tobytes()


def unpacked(raw: bytes) -> array[float]:
    """Raises:
    EntryRejected: not a whole number of floats.
    """
    floats = array("f")
    try:
        floats.frombytes(raw)
    except ValueError:
        raise EntryRejected("damaged") from None
    if sys.byteorder == "big":
        floats.byteswap()
    return floats
