"""Templates that turn small vocabularies into many different Russian sentences.

A template is text with four marks, which may stand inside each other:

==================  ====================================================================================
``[one|two|three]``  one of these, drawn afresh each time
``{word}``           a word of the vocabulary; once drawn it stays for the whole conversation
``{word.gen}``       a form of that word (its entry is a table; without a form, `nom`)
``{word+}``          a word drawn afresh
``<m|f>``            by the gender of the person who writes: ``устал<|а>``
``<word:m|f>``       by the gender (`g`) of the word drawn for this conversation
==================  ====================================================================================

A vocabulary's entry may itself be a template. An entry with `for` is drawn only for writers of that gender.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Literal, TypeAlias

Gender: TypeAlias = Literal["m", "f"]
Word: TypeAlias = "str | Mapping[str, str]"
Vocabulary: TypeAlias = Mapping[str, Sequence[Word]]
Part: TypeAlias = "Callable[[Voice], str]"

MARKS = re.compile(r"[\[\]{}<>|]")
AGREES_WITH = re.compile(r"([a-z_]+):")
KEPT = re.compile(r"\{([a-z_]+)(?:\.[a-z]+)?\}")
SENTENCE = re.compile(r"(^|[.!?]\s+|[.!?][»“]\s+)([«„(]?)([а-яё])")


class TemplateError(ValueError):
    """A template that cannot be read, or that names a word or form which the vocabulary does not have."""


class Voice:
    """One conversation's way of speaking: who writes, and the words that have been drawn so far."""

    def __init__(self, draw: random.Random, gender: Gender, vocabulary: Vocabulary) -> None:
        self.draw = draw
        self.gender = gender
        self._vocabulary = vocabulary
        self._drawn: dict[str, Word] = {}

    def say(self, template: str) -> str:
        """The template with every mark replaced, and sentences begun with a capital letter."""
        text = " ".join(parse(template)(self).split())
        return SENTENCE.sub(lambda match: match[1] + match[2] + match[3].upper(), text)

    def has_said(self, template: str) -> bool:
        """Whether every word that the template would keep has been drawn already in this conversation."""
        return all(name in self._drawn for name in KEPT.findall(template))

    def word(self, name: str, form: str, *, afresh: bool) -> str:
        word = self._draw(name) if afresh else self._kept(name)
        if isinstance(word, str):
            if form != "nom":
                raise TemplateError(f"{{{name}}} has no forms")
            return parse(word)(self)
        if form not in word:
            raise TemplateError(f"{{{name}}} has no form {form!r}")
        return parse(word[form])(self)

    def agree(self, name: str, forms: int) -> int:
        """Which of two forms agrees with a word, or, without a name, with the person who writes."""
        gender = self.gender
        if name:
            word = self._kept(name)
            if isinstance(word, str) or "g" not in word:
                raise TemplateError(f"{{{name}}} has no gender")
            gender = "m" if word["g"] == "m" else "f"
        if forms != 2:
            raise TemplateError(f"two forms are needed, not {forms}")
        return 0 if gender == "m" else 1

    def _kept(self, name: str) -> Word:
        if name not in self._drawn:
            self._drawn[name] = self._draw(name)
        return self._drawn[name]

    def _draw(self, name: str) -> Word:
        try:
            words = self._vocabulary[name]
        except KeyError:
            raise TemplateError(f"there is no word {{{name}}}") from None
        fitting = [word for word in words if isinstance(word, str) or word.get("for", self.gender) == self.gender]
        return self.draw.choice(fitting)


@cache
def parse(template: str) -> Part:
    """Read a template once; what comes back is called with a `Voice`.

    Raises:
        TemplateError: a mark is not closed, or closed without being open.
    """
    part, end, _ = _sequence(template, 0, "")
    if end != len(template):
        raise TemplateError(f"{template[end]!r} closes nothing in: {template}")
    return part


def _sequence(text: str, at: int, ends: str) -> tuple[Part, int, str]:
    """Read up to one of the marks in `ends`: what was read, where it ended, and the mark there."""
    parts: list[Part] = []
    while True:
        mark = MARKS.search(text, at)
        if mark is None:
            if ends:
                raise TemplateError(f"a mark is not closed in: {text}")
            parts.append(_literal(text[at:]))
            return _joined(parts), len(text), ""
        parts.append(_literal(text[at : mark.start()]))
        at = mark.end()
        match mark[0]:
            case "[":
                options, at = _alternatives(text, at, "]")
                parts.append(lambda voice, options=options: voice.draw.choice(options)(voice))  # type: ignore[misc]
            case "<":
                name = AGREES_WITH.match(text, at)
                options, at = _alternatives(text, name.end() if name else at, ">")
                parts.append(_agreement(name[1] if name else "", options))
            case "{":
                end = text.find("}", at)
                if end < 0:
                    raise TemplateError(f"a mark is not closed in: {text}")
                parts.append(_slot(text[at:end]))
                at = end + 1
            case found:
                if found not in ends:
                    raise TemplateError(f"{found!r} closes nothing in: {text}")
                return _joined(parts), at, found


def _alternatives(text: str, at: int, end: str) -> tuple[list[Part], int]:
    options: list[Part] = []
    while True:
        option, at, found = _sequence(text, at, "|" + end)
        options.append(option)
        if found == end:
            return options, at


def _literal(text: str) -> Part:
    return lambda _: text


def _joined(parts: list[Part]) -> Part:
    return lambda voice: "".join(part(voice) for part in parts)


def _agreement(name: str, options: list[Part]) -> Part:
    return lambda voice: options[voice.agree(name, len(options))](voice)


def _slot(inside: str) -> Part:
    name, _, form = inside.removesuffix("+").partition(".")
    afresh = inside.endswith("+")
    return lambda voice: voice.word(name, form or "nom", afresh=afresh)
