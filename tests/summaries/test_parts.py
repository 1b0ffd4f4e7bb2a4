"""Cutting what is too long for one request: nothing lost, nothing doubled, each part within the budget."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pomni_admin.summaries import parts, prompt, tokens
from pomni_admin.summaries.providers import Message

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TEXTS = st.text(alphabet=st.sampled_from("абвЯ abcZ.!?\n0—🙃爱"), max_size=300) | st.text(max_size=60)


def said(*texts: str) -> list[Message]:
    return [Message("user", text, NOON) for text in texts]


@given(st.lists(TEXTS, min_size=1, max_size=12), st.integers(40, 400))
def test_nothing_is_lost_or_doubled_and_each_part_fits(texts: list[str], budget: int) -> None:
    made = parts.split(said(*texts), budget, prompt.line)
    assert "".join(message.text for part in made for message in part) == "".join(texts)
    assert all(made)
    assert all(tokens.count(prompt.transcript(part)) <= budget for part in made)


@given(TEXTS, st.integers(1, 50))
def test_pieces_of_a_text_are_the_text(text: str, budget: int) -> None:
    pieces = list(parts.cut(text, budget))
    assert "".join(pieces) == text
    assert all(tokens.count(piece) <= budget or len(piece) == 1 for piece in pieces)


def test_what_fits_is_one_part_as_it_is() -> None:
    talk = said("привет", "как дела")
    assert parts.split(talk, 100, prompt.line) == [talk]


def test_messages_are_not_cut_where_a_border_between_them_does() -> None:
    talk = said(*(f"Сообщение номер {number}." for number in range(40)))
    made = parts.split(talk, 100, prompt.line)
    assert len(made) > 3
    assert [message for part in made for message in part] == talk


def test_a_huge_message_is_cut_after_a_sentence() -> None:
    made = parts.split(said("Мне грустно сегодня. " * 60), 120, prompt.line)
    assert len(made) > 3
    assert all(message.text.endswith(". ") for part in made for message in part)


@given(TEXTS, TEXTS)
def test_two_texts_have_at_most_as_many_tokens_as_each_alone_together(one: str, other: str) -> None:
    assert tokens.count(one + other) <= tokens.count(one) + tokens.count(other)
