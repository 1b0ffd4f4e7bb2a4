"""Who writes the summaries and the vectors: the interface; `summaries.openai_api` is behind it.

::

    ProviderError                what all of them are; `code` is a short fixed word, fit for logs and rows
    ├── ProviderRateLimited      429; `retry_after` seconds, where the API said so. Worth another try
    ├── ProviderUnavailable      5xx, no connection, no answer in time. Worth another try
    ├── ProviderRefused          another 4xx: the same request would be refused again
    └── ProviderGarbage          an answer that cannot be used: not JSON, empty, a refusal, a vector of another size

Messages of these exceptions never hold a text, an answer or a URL (G6), and they are raised `from None`, because the
SDK's own exceptions carry the request.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from pomni_admin.summaries.writing import Each, Reply


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, `role` is `user` or `bot`; or an earlier summary, of the kind `role`.

    Attributes:
        at: when it was written; of a summary, the start of its period.
    """

    role: str
    text: str
    at: datetime


@dataclass(slots=True)
class Spent:
    """What requests of the model cost, by its own account: those too whose answer could not be used."""

    tokens_in: int = 0
    tokens_out: int = 0

    def add(self, reply: Reply) -> None:
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out


@dataclass(frozen=True, slots=True)
class SummaryText:
    """What the model wrote, and what all requests for it cost."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vector of a text, `QDRANT_EMBED_DIM` finite numbers, and how many tokens were read for it."""

    vector: list[float]
    tokens: int = 0


class ProviderError(Exception):
    """The root of the tree drawn above."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class ProviderRateLimited(ProviderError):
    """The API says "too many requests"; `retry_after` is in seconds, None where it did not say."""

    def __init__(self, code: str = "rate_limited", retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(code)


class ProviderUnavailable(ProviderError):
    """The API did not answer, or said that it cannot at the moment."""

    def __init__(self, code: str = "unavailable", retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(code)


class ProviderRefused(ProviderError):
    """The API will not take this request, however often it is sent."""


class ProviderGarbage(ProviderError):
    """The API answered something that is not a summary or not a vector."""


def at_once(request: Callable[[], Reply]) -> Reply:
    """Makes a request now, and once."""
    return request()


class Provider(Protocol):
    """Writes summaries and vectors. Calls block, for `LLM_TIMEOUT` at the most, and raise only `ProviderError`."""

    is_stand_in: ClassVar[bool]
    """True for what stands in for the real thing in demo and tests: every page says so."""

    def summarise(self, kind: str, messages: Sequence[Message], each: Each = at_once) -> SummaryText:
        """Retell a conversation or earlier summaries, oldest first, in the language of the person.

        Args:
            kind: of the summary: `daily`, `weekly`, `monthly`.
            messages: never none.
            each: makes each of the requests that it takes, when and as often as it can be made.
        """

    def embed(self, text: str) -> Embedding:
        """A text's vector."""

    def probe(self) -> None:
        """Ask the model for next to nothing, to see whether it answers at all."""


@cache
def provider() -> Provider:
    """This process's provider, as `POMNI_LLM` chose it; its client is imported only by who asks for it."""
    made: Provider = import_string(settings.ENV.provider)()
    return made


def checked_vector(vector: list[float], dim: int) -> list[float]:
    """The vector itself.

    Raises:
        ProviderGarbage: it has another size than the collection, or numbers that are not finite, or only zeros, which
            have no direction that a cosine could compare.
    """
    if len(vector) != dim:
        raise ProviderGarbage("vector_size")
    if not all(map(math.isfinite, vector)) or not any(vector):
        raise ProviderGarbage("vector_values")
    return vector
