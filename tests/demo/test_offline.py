"""The stand-in for the LLM and the embedding API."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from pomni_admin.demo.offline import OfflineProvider
from pomni_admin.demo.seeding.hard_cases import hard_cases
from pomni_admin.demo.servers import PROJECT
from pomni_admin.summaries import prompt
from pomni_admin.summaries.providers import Message, Provider, checked_vector, provider

DAY = datetime(2026, 11, 23, 20, tzinfo=UTC)
OFFLINE: Provider = OfflineProvider()

TALK = (
    ("user", "Не могу уснуть третью ночь. В голове завтрашнее совещание."),
    ("bot", "Что пугает сильнее всего?"),
    ("user", "Боюсь, что на совещании все увидят мою усталость! Сердце колотится."),
    ("user", "Ещё и поругалась с мамой из-за денег."),
    ("user", "Из-за этого совещания не сплю и не ем"),
    ("user", "Ладно."),
)


def said(*turns: tuple[str, str]) -> list[Message]:
    return [Message(role, text, DAY + timedelta(minutes=number)) for number, (role, text) in enumerate(turns)]


def likeness(one: str, other: str) -> float:
    return sum(a * b for a, b in zip(OFFLINE.embed(one).vector, OFFLINE.embed(other).vector, strict=True))


def test_it_is_what_demo_and_tests_use_and_says_that_it_is_a_stand_in() -> None:
    assert isinstance(provider(), OfflineProvider)
    assert OfflineProvider.is_stand_in


def test_a_summary_is_made_of_sentences_that_the_person_wrote() -> None:
    summary = OFFLINE.summarise("daily", said(*TALK)).text
    assert "совещани" in summary
    assert "пугает" not in summary  # the bot's own words
    quoted = [part.strip("» .") for part in summary.split("«")[1:]]
    theirs = " ".join(text for role, text in TALK if role == "user")
    assert 1 < len(quoted) <= 4
    assert all(sentence in theirs for sentence in quoted)


def test_another_process_says_the_same_and_loads_the_summariser_only_to_summarise() -> None:
    """Python's own hash() differs from process to process. The web process only asks whether it is a stand-in."""
    text = OFFLINE.summarise("daily", said(*TALK)).text
    program = (
        "import django, sys; django.setup()\n"
        "from tests.demo.test_offline import OFFLINE, TALK, said\n"
        "print(OFFLINE.is_stand_in, 'sumy' in sys.modules, 'nltk' in sys.modules)\n"
        "text = OFFLINE.summarise('daily', said(*TALK)).text\n"
        "print(text); print(OFFLINE.embed(text))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-3:] == ["True False False", text, str(OFFLINE.embed(text))]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        said(("bot", "Как ты?")),
        said(("user", "")),
        said(("user", " \n\t\u200b")),
        said(("user", "🙃🫠")),
        said(("user", "да")),
    ],
)
def test_a_day_without_words_has_a_summary_all_the_same(messages: Sequence[Message]) -> None:
    summary = OFFLINE.summarise("daily", messages)
    assert "не было" in summary.text
    checked_vector(OFFLINE.embed(summary.text).vector, settings.ENV.embed_dim)


@pytest.mark.parametrize("number", range(6))
def test_hard_cases_are_summarised(number: int) -> None:
    text = hard_cases(random.Random(1))[number]
    summary = OFFLINE.summarise("daily", said(("user", "Сегодня был трудный день."), ("user", text)))
    assert 0 < len(summary.text) <= prompt.SUMMARY_CHARS
    assert prompt.clean(summary.text) == summary.text
    checked_vector(OFFLINE.embed(text).vector, settings.ENV.embed_dim)


def test_time_is_bounded_for_the_worst_day_that_the_job_reads() -> None:
    """Five hundred messages of 100 kB. Ranking all of their sentences would take hours."""
    worst = [Message("user", f"Слово номер {number}. Ещё одно. " * 2_000, DAY) for number in range(500)]
    began = time.perf_counter()
    summary = OFFLINE.summarise("daily", worst)
    OFFLINE.embed("слово " * 20_000)
    assert time.perf_counter() - began < 5
    assert len(summary.text) <= prompt.SUMMARY_CHARS


@how(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_the_vector_of_any_text_has_length_one(text: str) -> None:
    vector = checked_vector(OFFLINE.embed(text).vector, settings.ENV.embed_dim)
    assert math.isclose(math.hypot(*vector), 1)


def test_texts_on_one_subject_are_nearer_than_texts_on_two() -> None:
    about_sleep = "Не могу уснуть, думаю о работе"
    assert likeness(about_sleep, "Опять не сплю: мысли о работе не дают уснуть") > 0.25
    assert abs(likeness(about_sleep, "Кот пришёл спать на руки, пахнет мандаринами")) < 0.25
    assert math.isclose(likeness(about_sleep, about_sleep), 1)


def test_latency_is_imitated_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("pomni_admin.demo.offline.time.sleep", waited.append)
    slow = OfflineProvider()
    slow._delay_s = 0.25
    slow.summarise("daily", said(*TALK))
    assert waited == [0.25]


def test_longer_periods_are_made_of_the_person_s_words_and_no_lead_of_its_own_is_quoted() -> None:
    days = [OFFLINE.summarise("daily", said(*TALK)).text, OFFLINE.summarise("daily", said(("user", "🙃"))).text]
    week = OFFLINE.summarise("weekly", said(*(("daily", text) for text in days))).text
    month = OFFLINE.summarise("monthly", said(("weekly", week), ("topic", "Человек много гулял с собакой."))).text
    for text, count in ((week, 2), (month, 2)):
        assert text.startswith(f"Заметок: {count}, с 23.11.2026 до 23.11.2026. Главное его словами: «")
        assert text.count("словами") == text.count("Заметок") == 1
        assert "Сообщений" not in text
        assert "не было" not in text
        assert "совещани" in text
        assert "««" not in text
