"""The client of OpenAI-compatible APIs. Its SDK takes a second to import: only who writes summaries does it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import ClassVar, Protocol, TypeVar

import httpx2
import msgspec
import openai
from django.conf import settings

from pomni_admin.summaries import answers
from pomni_admin.summaries.providers import (
    Embedding,
    Message,
    ProviderError,
    ProviderGarbage,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
    SummaryText,
    at_once,
    checked_vector,
)
from pomni_admin.summaries.writing import Each, Reply, Unusable, Writer

MOST_ANSWER_BYTES = 4 * 1024 * 1024
SUMMARY_TOKENS = 700
CONNECT_TIMEOUT_S = 5.0
PROBE = "Всё в порядке?"
"""What is asked to see whether the model answers."""

T = TypeVar("T")


class _Streamed(Protocol):
    def iter_bytes(self) -> Iterator[bytes]: ...


class _ChatMessage(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _ChatMessage
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Chat(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Vector(msgspec.Struct):
    embedding: list[float]


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    usage: _Usage | None = None


class OpenAIProvider:
    """Any OpenAI-compatible API, through the `openai` SDK.

    The SDK sends the request and reads the status; the answer is read here, as bytes with a bound on size and time, and
    decoded by a schema, because the SDK passes on whatever JSON it is given. Its own retries are off: ours can be
    interrupted by a cancel, and are counted.
    """

    is_stand_in: ClassVar[bool] = False

    def __init__(self) -> None:
        env = settings.ENV
        self._timeout_s = float(env.llm_timeout_s)
        self._chat_model: str = env.chat_model
        self._embed_model: str = env.embed_model
        self._dim: int = env.embed_dim
        self._budget: int = env.prompt_tokens
        self._client = openai.OpenAI(
            api_key=env.llm_api_key,
            base_url=env.llm_base_url,
            max_retries=0,
            timeout=httpx2.Timeout(self._timeout_s, connect=min(CONNECT_TIMEOUT_S, self._timeout_s)),
        )

    def summarise(self, kind: str, messages: Sequence[Message], each: Each = at_once) -> SummaryText:
        writer = Writer(kind, lambda system, material: each(lambda: self._chat(system, material)), self._budget)
        try:
            text = writer.write(messages)
        except Unusable as error:
            raise ProviderGarbage(error.code) from None
        return SummaryText(text, tokens_in=writer.tokens_in, tokens_out=writer.tokens_out)

    def probe(self) -> None:
        self._chat("Ответь одним словом.", PROBE, most_tokens=16)

    def _chat(self, system: str, material: str, *, most_tokens: int = SUMMARY_TOKENS) -> Reply:
        call = self._client.chat.completions.with_streaming_response.create(
            model=self._chat_model,
            messages=[{"role": "system", "content": system}, {"role": "user", "content": material}],
            max_tokens=most_tokens,
            temperature=0.2,
        )
        answer = _decode(self._read(call), _Chat)
        if not answer.choices:
            raise ProviderGarbage("no_choices")
        usage = answer.usage or _Usage()
        choice = answer.choices[0]
        text = choice.message.content or ""
        filtered = choice.finish_reason == "content_filter" or bool(choice.message.refusal)
        if choice.finish_reason == "length" and text.strip():
            text = answers.whole_sentences(text)
        return Reply(text, usage.prompt_tokens, usage.completion_tokens, "refused_answer" if filtered else "")

    def embed(self, text: str) -> Embedding:
        call = self._client.embeddings.with_streaming_response.create(
            model=self._embed_model, input=text, encoding_format="float"
        )
        answer = _decode(self._read(call), _Vectors)
        if not answer.data:
            raise ProviderGarbage("empty_answer")
        usage = answer.usage or _Usage()
        return Embedding(checked_vector(answer.data[0].embedding, self._dim), usage.prompt_tokens)

    def _read(self, call: AbstractContextManager[_Streamed]) -> bytes:
        """The answer's body. Some APIs send a byte now and then while they think, so time is watched here as well."""
        ends = time.monotonic() + self._timeout_s
        body = bytearray()
        try:
            with call as response:
                for part in response.iter_bytes():
                    body += part
                    if len(body) > MOST_ANSWER_BYTES:
                        raise ProviderGarbage("answer_too_long")
                    if time.monotonic() > ends:
                        raise ProviderUnavailable("timeout")
        except openai.APIStatusError as error:
            raise _by_status(error.status_code, error.response.headers.get("retry-after")) from None
        except (openai.APITimeoutError, httpx2.TimeoutException):
            raise ProviderUnavailable("timeout") from None
        except (openai.APIConnectionError, httpx2.HTTPError):
            raise ProviderUnavailable("no_connection") from None
        except openai.OpenAIError:
            raise ProviderGarbage("bad_answer") from None
        return bytes(body)


def _decode(body: bytes, shape: type[T]) -> T:
    # Not `msgspec.json`: it is too strict for an answer that was cut in the middle of an emoji's two halves.
    try:
        return msgspec.convert(json.loads(body), shape)
    except (ValueError, RecursionError):
        raise ProviderGarbage("bad_answer") from None


def _by_status(status: int, retry_after: str | None) -> ProviderError:
    if status == 429:
        return ProviderRateLimited(retry_after=seconds(retry_after))
    if status >= 500 or status in {408, 409, 425}:
        return ProviderUnavailable(f"http_{status}", retry_after=seconds(retry_after))
    return ProviderRefused(f"http_{status}")


def seconds(retry_after: str | None) -> float | None:
    """A Retry-After header as seconds from now; it may be a number or a date (RFC 9110, 10.2.3)."""
    if not retry_after:
        return None
    try:
        wait = float(retry_after)
    except ValueError:
        try:
            wait = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, wait) if math.isfinite(wait) else None
