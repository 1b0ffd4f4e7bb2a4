"""The client of OpenAI-compatible APIs, against a real server on loopback that misbehaves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from pomni_admin.summaries.openai_api import OpenAIProvider, seconds
from pomni_admin.summaries.providers import (
    Embedding,
    Message,
    ProviderError,
    ProviderGarbage,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from tests.summaries.llm import EMBEDDINGS, Llm, chat, vector

SECRET = "очень личное"
TALK = [Message("user", SECRET, datetime(2026, 1, 1, tzinfo=UTC)), Message("bot", "понимаю", datetime.now(UTC))]


@pytest.fixture
def openai(configure: Callable[..., None]) -> Iterator[OpenAIProvider]:
    configure(llm_timeout_s=1)
    made = OpenAIProvider()
    yield made
    made._client.close()


def test_a_conversation_goes_out_as_lines_and_comes_back_as_text_with_its_cost(
    openai: OpenAIProvider, llm: Llm
) -> None:
    summary = openai.summarise("daily", TALK)
    assert llm.asked == [f"Человек: {SECRET}\nБот: понимаю"]
    assert (summary.text, summary.tokens_in, summary.tokens_out) == (f"Итог дня: Человек: {SECRET}", 10, 5)


def test_an_embedding_comes_back_as_numbers(openai: OpenAIProvider) -> None:
    assert openai.embed("итог") == Embedding(vector("итог"), 7)


BAD_CHATS: dict[str, tuple[dict[str, Any], type[ProviderError], str]] = {
    "429": ({"status": 429}, ProviderRateLimited, "rate_limited"),
    "500": ({"status": 500, "body": b"{}"}, ProviderUnavailable, "http_500"),
    "503 in HTML": ({"status": 503, "body": b"<h1>busy</h1>"}, ProviderUnavailable, "http_503"),
    "401": ({"status": 401, "body": b"{}"}, ProviderRefused, "http_401"),
    "HTML with 200": ({"body": b"<html>welcome</html>"}, ProviderGarbage, "bad_answer"),
    "nothing": ({"body": b""}, ProviderGarbage, "bad_answer"),
    "not UTF-8": ({"body": b'{"choices": "\xff\xfe"}'}, ProviderGarbage, "bad_answer"),
    "another shape": ({"body": b'{"choices": {"a": 1}}'}, ProviderGarbage, "bad_answer"),
    "an error with 200": ({"body": b'{"error": {"message": "no"}}'}, ProviderGarbage, "bad_answer"),
    "a well of brackets": ({"body": b"[" * 100_000}, ProviderGarbage, "bad_answer"),
    "no choices": ({"body": b'{"choices": []}'}, ProviderGarbage, "no_choices"),
    "no content": ({"body": chat(None)}, ProviderGarbage, "empty_answer"),
    "white space": ({"body": chat(" \n\x00 ")}, ProviderGarbage, "empty_answer"),
    "far too much": ({"body": chat("много" * 1_000_000)}, ProviderGarbage, "answer_too_long"),
    "a hang": ({"hang_s": 5}, ProviderUnavailable, "timeout"),
}


@pytest.mark.parametrize(("answer", "error", "code"), BAD_CHATS.values(), ids=BAD_CHATS.keys())
def test_a_bad_answer_becomes_an_error_of_ours_with_a_code_and_without_a_text(
    openai: OpenAIProvider, llm: Llm, answer: dict[str, Any], error: type[ProviderError], code: str
) -> None:
    llm.on("", **answer)
    began = time.monotonic()
    with pytest.raises(error) as raised:
        openai.summarise("daily", TALK)
    assert time.monotonic() - began < 2.5
    assert (raised.value.code, str(raised.value)) == (code, code)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None, (
        "the SDK's own exception carries the request (G6)"
    )


BAD_VECTORS: dict[str, tuple[bytes, str]] = {
    "too short": (json.dumps({"data": [{"embedding": [1.0] * 63}]}).encode(), "vector_size"),
    "none": (b'{"data": []}', "empty_answer"),
    "zeros": (json.dumps({"data": [{"embedding": [0.0] * 64}]}).encode(), "vector_values"),
    "words": (json.dumps({"data": [{"embedding": ["a"] * 64}]}).encode(), "bad_answer"),
    "not a number": (json.dumps({"data": [{"embedding": [float("nan")] * 64}]}).encode(), "vector_values"),
}


@pytest.mark.parametrize(("body", "code"), BAD_VECTORS.values(), ids=BAD_VECTORS.keys())
def test_a_bad_vector_is_refused(openai: OpenAIProvider, llm: Llm, body: bytes, code: str) -> None:
    llm.on("", path=EMBEDDINGS, body=body)
    with pytest.raises(ProviderGarbage) as raised:
        openai.embed("итог")
    assert raised.value.code == code


def test_nobody_listening_is_unavailable(configure: Callable[..., None]) -> None:
    configure(llm_base_url="http://127.0.0.1:9/v1")
    with pytest.raises(ProviderUnavailable) as raised:
        OpenAIProvider().summarise("daily", TALK)
    assert raised.value.code == "no_connection"


def test_retry_after_is_read_as_seconds_or_as_a_date(openai: OpenAIProvider, llm: Llm) -> None:
    llm.on("", status=429, headers={"Retry-After": "7"})
    with pytest.raises(ProviderRateLimited) as raised:
        openai.summarise("daily", TALK)
    assert raised.value.retry_after == 7
    assert seconds(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)) == pytest.approx(60, abs=2)
    assert seconds("Wed, 01 Jan 2020 00:00:00 GMT") == 0
    assert [seconds(odd) for odd in (None, "", "soon", "nan", "inf", "-3")] == [None, None, None, None, None, 0]
