"""Stands in for the LLM and the embedding API where there is no network: labelled so on every page.

Summaries are extractive: sentences that people wrote, chosen by TextRank (Mihalcea and Tarau, 2004) as `sumy` has it.
Vectors are those of `embedding`. Both are deterministic, and their time is bounded however long the messages are.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from django.conf import settings

from pomni_admin.demo import embedding
from pomni_admin.demo.embedding import WORD
from pomni_admin.summaries import prompt
from pomni_admin.summaries.providers import Embedding, Message, SummaryText, at_once
from pomni_admin.summaries.writing import Each, Reply

SENTENCES_RANKED = 60
"""TextRank compares each sentence with each: sixty cost some 10 ms, a thousand some seconds."""
SENTENCES_KEPT = 4
SENTENCE_CHARS = 240
CHARS_A_TOKEN = 3
"""A rough figure for Russian, only to fill in what a real API reports."""

SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")
STOP_WORDS = frozenset(
    WORD.findall(
        "а без бы был была были было быть вам вас ведь во вот все всё всего вы где да даже для до его ее её если есть "
        "еще ещё же за и из или им их к как ко когда кто ли мне меня мой мы на над надо не него нее неё нет ни них но "
        "ну о об он она они оно от по под при с сам сама себе себя со так там тебя тем то тоже только тут ты у уже "
        "хоть чем что чтобы это этот эту в я"
    )
)
"""`sumy` brings none for Russian."""
NOTHING_SAID = "В этот день человек писал, но слов в его сообщениях не было."
NOTHING_NOTED = "За это время есть заметки, но слов человека в них не было."
IN_OWN_WORDS = "Главное его словами: "
OWN_LEAD = re.compile(rf"^(?:Сообщений от человека|Заметок): \d+, .*?\. {IN_OWN_WORDS}«")
"""How summaries begin that were written here: what follows are quotes, and nothing before them is quoted again."""


class OfflineProvider:
    """Writes summaries and vectors without asking anybody; waits `OFFLINE_LLM_DELAY_MS` at each summary."""

    is_stand_in: ClassVar[bool] = True

    def __init__(self) -> None:
        self._delay_s: float = settings.ENV.offline_delay_ms / 1000
        self._dim: int = settings.ENV.embed_dim

    def summarise(self, kind: str, messages: Sequence[Message], each: Each = at_once) -> SummaryText:
        """The sentences that say most of what the person wrote, in the order in which they were written."""
        reply = each(lambda: self._reply(kind, messages))
        return SummaryText(reply.text, reply.tokens_in, reply.tokens_out)

    def probe(self) -> None:
        """It is always there."""

    def _reply(self, kind: str, messages: Sequence[Message]) -> Reply:
        if self._delay_s:
            time.sleep(self._delay_s)
        said = [message for message in messages if message.role not in {"bot", "assistant"}]
        kept = _ranked(_thinned(list(_sentences(said))))
        nothing = NOTHING_SAID if kind == "daily" else NOTHING_NOTED
        text = _retold(kind, said, kept) if kept else nothing
        read = sum(min(len(message.text), prompt.MESSAGE_CHARS) for message in messages)
        return Reply(text, tokens_in=read // CHARS_A_TOKEN, tokens_out=len(text) // CHARS_A_TOKEN)

    def embed(self, text: str) -> Embedding:
        """A vector of length one; the same text always has the same."""
        return Embedding(embedding.embed(text, self._dim), tokens=len(text) // CHARS_A_TOKEN)


@dataclass(frozen=True, slots=True)
class _Words:
    """What `sumy` asks of a tokenizer. NLTK's own needs data that has to be downloaded."""

    def to_sentences(self, text: str) -> Sequence[str]:
        return SENTENCE_END.split(text)

    def to_words(self, text: str) -> Sequence[str]:
        return embedding.words(text)


def _sentences(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        for sentence in _split(prompt.clean(message.text[: prompt.MESSAGE_CHARS])):
            short = " ".join(sentence.split())[:SENTENCE_CHARS].strip()
            if len(WORD.findall(short)) > 1:
                yield short


def _split(text: str) -> list[str]:
    if text in {NOTHING_SAID, NOTHING_NOTED}:
        return []
    lead = OWN_LEAD.match(text)
    if lead is None:
        return SENTENCE_END.split(text)
    return text[lead.end() :].removesuffix("».").split("». «")


def _thinned(sentences: Sequence[str]) -> list[str]:
    """At most as many as are ranked, evenly from the whole day, each text once."""
    different = list(dict.fromkeys(sentences))
    step = max(1.0, len(different) / SENTENCES_RANKED)
    return [different[int(number * step)] for number in range(min(len(different), SENTENCES_RANKED))]


def _ranked(sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    dom, summarizer = _sumy()
    tokenizer = _Words()
    paragraph = dom.Paragraph([dom.Sentence(sentence, tokenizer) for sentence in sentences])
    return [str(sentence) for sentence in summarizer(dom.ObjectDocumentModel([paragraph]), SENTENCES_KEPT)]


def _retold(kind: str, said: Sequence[Message], kept: Sequence[str]) -> str:
    first, last = said[0].at, said[-1].at
    quotes = " ".join(f"«{sentence.rstrip('.')}»." for sentence in kept)
    if kind == "daily":
        lead = f"Сообщений от человека: {len(said)}, с {first:%H:%M} до {last:%H:%M} UTC."
    else:
        lead = f"Заметок: {len(said)}, с {first:%d.%m.%Y} до {last:%d.%m.%Y}."
    return f"{lead} {IN_OWN_WORDS}{quotes}"[: prompt.SUMMARY_CHARS]


@cache
def _sumy() -> tuple[Any, Any]:
    """The library, loaded with the first summary: the web process only asks this class whether it is a stand-in."""
    from sumy.models import dom
    from sumy.summarizers.text_rank import TextRankSummarizer

    summarizer = TextRankSummarizer(embedding.stem)
    summarizer.stop_words = STOP_WORDS
    return dom, summarizer
