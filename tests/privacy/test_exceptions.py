"""What the clients of model and Qdrant raise holds nothing of what they were sent, or of what was answered."""

from __future__ import annotations

import dataclasses
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import openai
import pytest
from django.conf import settings as configured
from pytest_django import Settings

from pomni_admin.summaries import providers, vectors
from pomni_admin.summaries.openai_api import OpenAIProvider
from pomni_admin.summaries.providers import Message
from pomni_admin.summaries.qdrant import Qdrant
from pomni_admin.summaries.vectors import Point
from tests.privacy.canaries import PERSONAL, SUMMARY, found_in, message_of
from tests.privacy.echo import Echo
from tests.summaries.clients import forget_clients
from tests.summaries.llm import EMBEDDINGS, Llm

NOW = datetime.now(UTC)
QUOTED = f"you sent: {message_of('sound')} {SUMMARY}"


@pytest.fixture
def llm(settings: Settings) -> Iterator[Llm]:
    server = Llm()
    settings.ENV = dataclasses.replace(
        configured.ENV, llm_base_url=server.url, llm_api_key="not-a-key", llm_timeout_s=2, embed_dim=64
    )
    forget_clients()
    yield server
    server.close()


def all_of(error: BaseException) -> bytes:
    """Everything that somebody who logs it may come to print."""
    parts = [str(error), repr(error), repr(error.args), repr(vars(error)), repr(getattr(error, "__notes__", ""))]
    parts += traceback.format_exception(error)
    if error.__cause__ is not None:
        parts.append(all_of(error.__cause__).decode())
    return "\n".join(parts).encode()


ANSWERS: dict[str, dict[str, Any]] = {
    "429": {"status": 429, "body": QUOTED.encode()},
    "500": {"status": 500, "body": QUOTED.encode()},
    "400": {"status": 400, "body": json.dumps({"error": {"message": QUOTED}}).encode()},
    "garbage": {"body": QUOTED.encode()},
    "another shape": {"body": json.dumps({"choices": QUOTED}).encode()},
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("call", ["summarise", "embed"])
def test_the_models_client(llm: Llm, answer: str, call: str, caplog: pytest.LogCaptureFixture) -> None:
    llm.on("", path=EMBEDDINGS if call == "embed" else "/v1/chat/completions", **ANSWERS[answer])
    provider = OpenAIProvider()
    ask: Callable[[], object] = (
        (lambda: provider.embed(SUMMARY))
        if call == "embed"
        else (lambda: provider.summarise("daily", [Message("user", message_of("sound"), NOW)]))
    )
    with caplog.at_level(logging.ERROR), pytest.raises(providers.ProviderError) as caught:
        ask()
    assert not found_in(all_of(caught.value), PERSONAL)


def test_the_same_search_finds_it_in_what_the_sdk_raises(llm: Llm) -> None:
    llm.on("", **ANSWERS["400"])
    client = openai.OpenAI(api_key="none", base_url=llm.url, max_retries=0)
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    client.close()
    assert found_in(all_of(caught.value), PERSONAL)


def test_qdrants_client(settings: Settings) -> None:
    with Echo() as server:
        settings.ENV = dataclasses.replace(configured.ENV, qdrant_url=server.url, qdrant_collection=f"c{SUMMARY}")
        client = Qdrant()
        for _turn in range(4):
            with pytest.raises(vectors.VectorsError) as caught:
                client.upsert(Point(1, 7_351_921, "daily", NOW, NOW, 3, NOW), [1.0] * 64)
            assert not found_in(all_of(caught.value), PERSONAL)
