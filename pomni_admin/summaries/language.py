"""In which language a person writes, told by script and by the most frequent words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from enum import Enum

ENGLISH_WORDS = frozenset(
    re.findall(
        r"\w+",
        "the and to of i a in is it that my was for me you with not but have be at so on he she they we this had are",
    )
)
ENGLISH_SHARE = 0.1
"""Of the words of an English text at least so many are among these; of German or Spanish ones few."""
NOT_RUSSIAN = re.compile("[іїєґўәғқңөұүһіјљњћђџ]", re.IGNORECASE)
NOT_RUSSIAN_SHARE = 0.01
WORD = re.compile(r"[^\W\d_]+")
CYRILLIC = re.compile("[\u0400-\u052f]")
LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
LEAST_LETTERS = 20
"""An answer with fewer says nothing of its language."""


class Language(Enum):
    """The ones that the prompts name; the others are asked for as "the language in which the person writes"."""

    RUSSIAN = "ru"
    ENGLISH = "en"
    OTHER_CYRILLIC = "cyrillic"
    OTHER_LATIN = "latin"
    OTHER = "other"


def of(texts: Iterable[str]) -> Language:
    """The language of most of what is written; Russian where there are no letters."""
    text = "\n".join(texts)
    scripts = _scripts(text)
    if not scripts.total():
        return Language.RUSSIAN
    script = scripts.most_common(1)[0][0]
    if script == "cyrillic":
        foreign = len(NOT_RUSSIAN.findall(text))
        return Language.OTHER_CYRILLIC if foreign > NOT_RUSSIAN_SHARE * scripts["cyrillic"] else Language.RUSSIAN
    if script == "latin":
        words = [word for word in WORD.findall(text.lower()) if LATIN.match(word)]
        known = sum(word in ENGLISH_WORDS for word in words)
        return Language.ENGLISH if known >= ENGLISH_SHARE * len(words) else Language.OTHER_LATIN
    return Language.OTHER


def fits(answer: str, language: Language) -> bool:
    """Whether most letters of the answer are of the language's script."""
    scripts = _scripts(answer)
    if scripts.total() < LEAST_LETTERS:
        return True
    wanted = {
        Language.RUSSIAN: "cyrillic",
        Language.OTHER_CYRILLIC: "cyrillic",
        Language.ENGLISH: "latin",
        Language.OTHER_LATIN: "latin",
    }.get(language, "other")
    return 2 * scripts[wanted] >= scripts.total()


def _scripts(text: str) -> Counter[str]:
    """Letters by script. Others count by their number too, though one of them may be a word."""
    cyrillic, latin = len(CYRILLIC.findall(text)), len(LATIN.findall(text))
    return Counter(cyrillic=cyrillic, latin=latin, other=sum(map(len, WORD.findall(text))) - cyrillic - latin)
