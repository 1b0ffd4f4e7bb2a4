"""What is asked for a summary, and which answers are believed; against the API on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pomni_admin.summaries import answers, language, writing
from pomni_admin.summaries.language import Language
from pomni_admin.summaries.models import Failure
from pomni_admin.summaries.openai_api import OpenAIProvider
from pomni_admin.summaries.providers import Message, ProviderGarbage
from tests.summaries.conftest import Jobs, People
from tests.summaries.llm import Llm, chat

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUSSIAN = "Сегодня я опять не могла уснуть и весь день думала о работе."
ENGLISH = "I could not sleep again, and I was thinking of my work for the whole day."
RETOLD_RU = "Человек рассказал, что не мог уснуть. Он думал о работе."
RETOLD_EN = "The person said that sleep would not come. They were thinking of work."


@pytest.fixture
def openai(configure: Callable[..., None]) -> Iterator[OpenAIProvider]:
    configure(prompt_tokens=2000)
    made = OpenAIProvider()
    yield made
    made._client.close()


def said(*texts: str, role: str = "user") -> list[Message]:
    return [Message(role, text, NOON + timedelta(days=number)) for number, text in enumerate(texts)]


def test_a_long_day_is_told_in_parts_that_are_put_together(openai: OpenAIProvider, llm: Llm) -> None:
    day = said(*(f"Запись {number}. {RUSSIAN}" for number in range(300)))
    summary = openai.summarise("daily", day)
    count = len(writing.Writer("daily", lambda system, material: writing.Reply(""), 2000).parts(day))
    assert 3 < count < writing.MOST_PARTS
    assert len(llm.asked) == writing.requests(count, 2000)
    assert (summary.tokens_in, summary.tokens_out) == (10 * len(llm.asked), 5 * len(llm.asked))
    sent = "\n".join(llm.asked[:count])
    assert [f"Запись {number}." in sent for number in range(300)] == [True] * 300
    assert [f"часть {at} из {count}" in told for at, told in enumerate(llm.told[:count], 1)] == [True] * count
    assert all("заметки о частях" in told for told in llm.told[count:])
    assert "Итог дня" in llm.asked[-1]


def test_of_a_day_without_end_the_newest_parts_are_read_and_the_calls_are_bounded(
    openai: OpenAIProvider, llm: Llm
) -> None:
    openai.summarise("daily", said(*(f"Запись {number}. {'Слово. ' * 200}" for number in range(60))))
    assert len(llm.asked) == writing.requests(writing.MOST_PARTS, 2000) == 31
    assert "Запись 59." in llm.asked[writing.MOST_PARTS - 1]
    assert "Запись 0." not in llm.asked[0]


@pytest.mark.parametrize("count", range(1, 40))
@pytest.mark.parametrize("budget", [2000, 12_000])
def test_how_many_requests_it_takes_is_known_before(count: int, budget: int) -> None:
    asked = 0

    def ask(system: str, material: str) -> writing.Reply:
        nonlocal asked
        asked += 1
        return writing.Reply("Хорошо. " * 400)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing.Writer, "parts", lambda _writer, _messages: [said(RUSSIAN)] * count)
        writing.Writer("daily", ask, budget).write(said(RUSSIAN))
    assert asked == writing.requests(count, budget)


KINDS = [
    ("weekly", "daily", "заметки о днях одной недели", "[день 2026-11-23] "),
    ("monthly", "weekly", "заметки о неделях и днях", "[неделя с 2026-11-23] "),
    ("monthly", "topic", "заметки о неделях и днях", "[месяц с 2026-11-23] "),
]


@pytest.mark.parametrize(("kind", "role", "told", "shown"), KINDS)
def test_longer_periods_are_made_from_dated_notes(
    openai: OpenAIProvider, llm: Llm, kind: str, role: str, told: str, shown: str
) -> None:
    openai.summarise(kind, said(RUSSIAN, RUSSIAN, role=role))
    assert told in llm.told[0]
    assert llm.asked[0].startswith(shown + RUSSIAN)
    assert "2026-11-24" in llm.asked[0]


def test_a_summary_is_asked_for_in_the_person_s_language(openai: OpenAIProvider, llm: Llm) -> None:
    llm.on("sleep", body=chat(RETOLD_EN))
    openai.summarise("daily", said(RUSSIAN))
    assert openai.summarise("daily", said(ENGLISH)).text == RETOLD_EN
    assert ["по-русски" in llm.told[0], "in English" in llm.told[1]] == [True, True]


def test_an_answer_in_another_language_is_asked_for_once_more(openai: OpenAIProvider, llm: Llm) -> None:
    llm.on("sleep", body=chat(RETOLD_RU), times=1)
    llm.on("sleep", body=chat(RETOLD_EN))
    summary = openai.summarise("daily", said(ENGLISH))
    assert (summary.text, summary.tokens_in, len(llm.asked)) == (RETOLD_EN, 20, 2)
    assert "Прошлый ответ был на другом языке" in llm.told[1]


def test_a_model_that_insists_on_its_language_is_not_asked_a_third_time(openai: OpenAIProvider, llm: Llm) -> None:
    llm.on("", body=chat(RETOLD_RU))
    assert openai.summarise("daily", said(ENGLISH)).text == RETOLD_RU
    assert len(llm.asked) == 2


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([RUSSIAN], Language.RUSSIAN),
        ([ENGLISH], Language.ENGLISH),
        ([RUSSIAN, RUSSIAN, "ok thanks"], Language.RUSSIAN),
        ([ENGLISH, ENGLISH, "спасибо"], Language.ENGLISH),
        (["🙃", "123"], Language.RUSSIAN),
        (["Ich konnte letzte Nacht wieder nicht schlafen, weil die Arbeit zu viel ist."], Language.OTHER_LATIN),
        (["Я не можу заснути, бо її історії не йдуть з голови"], Language.OTHER_CYRILLIC),
        (["我今天很难过"], Language.OTHER),
    ],
)
def test_languages_are_told_apart(texts: list[str], expected: Language) -> None:
    assert language.of(texts) is expected


REFUSALS: dict[str, tuple[bytes, str]] = {
    "the filter": (chat("Человек", finish_reason="content_filter"), "refused_answer"),
    "a refusal field": (chat(None, refusal="No."), "refused_answer"),
    "English": (chat("I'm sorry, but I can't help with that."), "refused_answer"),
    "Russian": (chat("Извините, но я не могу помочь с этим запросом."), "refused_answer"),
    "empty": (chat(" "), "empty_answer"),
}


@pytest.mark.parametrize(("body", "code"), REFUSALS.values(), ids=REFUSALS.keys())
def test_an_answer_that_is_no_summary_is_asked_for_three_times_and_then_has_a_code(
    openai: OpenAIProvider, llm: Llm, body: bytes, code: str
) -> None:
    llm.on("", body=body)
    with pytest.raises(ProviderGarbage) as raised:
        openai.summarise("daily", said(RUSSIAN))
    assert (raised.value.code, str(raised.value), len(llm.asked)) == (code, code, 3)


def test_a_refusal_that_does_not_last_costs_a_request_and_no_more(openai: OpenAIProvider, llm: Llm) -> None:
    llm.on("", body=chat("Не могу помочь."), times=1)
    summary = openai.summarise("daily", said(RUSSIAN))
    assert (summary.tokens_in, summary.text[:8]) == (20, "Итог дня")


@pytest.mark.parametrize(
    "text",
    [
        RETOLD_RU,
        "Человек говорил, что не может помочь маме, и извинился перед ней.",
        "Не мог уснуть из-за совещания и говорил об этом с ботом.",
        "The person apologised to a friend and said that they can't help with the move.",
    ],
)
def test_a_summary_that_tells_of_a_refusal_is_none(text: str) -> None:
    assert not answers.is_refusal(text)


def test_a_refused_person_fails_with_a_fixed_code_and_the_job_goes_on(daily: Jobs, people: People, llm: Llm) -> None:
    users = people.crowd(2)
    llm.on(f"человека {users[0]}.", body=chat("I can't help with that."))
    ended = daily.run()
    assert (ended.errors, ended.processed_users) == (1, 1)
    assert Failure.objects.get().code == "llm_refused_answer"
    assert len(llm.asked) > 2, "the refusal was asked again"
    assert (ended.tokens_in, ended.tokens_out) == (10 * len(llm.asked), 5 * len(llm.asked)), "a refusal costs as much"


def test_an_answer_that_broke_off_ends_with_its_last_sentence(openai: OpenAIProvider, llm: Llm) -> None:
    cut: list[dict[str, Any]] = [
        {"body": chat("Человек не спал. Он думал о раб", finish_reason="length"), "times": 1},
        {"body": chat("Человек не спал и думал", finish_reason="length"), "times": 1},
    ]
    for answer in cut:
        llm.on("", **answer)
    written = [openai.summarise("daily", said(RUSSIAN)).text for _ in cut]
    assert written == ["Человек не спал.", "Человек не спал и думал…"]


def test_all_tokens_of_a_person_are_added_up_in_the_job(
    daily: Jobs, people: People, llm: Llm, configure: Callable[..., None]
) -> None:
    configure(prompt_tokens=2000)
    (user,) = people.crowd(1)
    people.say(user, *(f"Запись {number}. {RUSSIAN}" for number in range(100)))
    ended = daily.run()
    assert len(llm.asked) > 2
    assert (ended.tokens_in, ended.tokens_out) == (10 * len(llm.asked), 5 * len(llm.asked))
    assert ended.tokens_embedded == 7, "of its one vector"
