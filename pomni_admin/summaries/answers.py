"""Whether the model has answered with a summary, or only said that it will not."""

from __future__ import annotations

import re

REFUSAL = re.compile(
    r"^\W*(?:(?:i['’]?m\s+|i\s+am\s+)?(?:really\s+|very\s+)?sorry\b|(?:i\s+)?apologi[sz]e\b"
    r"|(?:unfortunately\W+)?(?:i|we)\s+(?:can(?:['’]?t|\s*not)|won['’]?t|am\s+(?:unable|not\s+able)|['’]m\s+(?:unable|not\s+able)|do\s+not|don['’]?t)\b"
    r"|as\s+an?\s+(?:ai|language)\b"
    r"|(?:извини(?:те)?|прости(?:те)?|к\s+сожалению)\b(?=.{0,80}\b(?:не\s+(?:могу|мог[уе]т|буду|смогу|имею|в\s+состоянии))\b)"
    r"|(?:я\s+)?не\s+(?:могу|буду|смогу|имею\s+возможности)\b.{0,60}\b(?:помочь|помогать|выполнить|обсуждать|ответить|пересказать|продолж\w+|составить|написать|это)\b"
    r"|(?:я\s+)?не\s+могу\W*$)",
    re.IGNORECASE | re.DOTALL,
)
LONGEST_REFUSAL = 300
"""A longer answer has told something besides."""
SENTENCE = re.compile(r"[.!?…][»\")]*(?=\s|$)")


def is_refusal(text: str) -> bool:
    """Of an answer that is no more than a refusal. Summaries are in the third person: they do not begin with "I"."""
    return len(text) <= LONGEST_REFUSAL and REFUSAL.search(text) is not None


def whole_sentences(text: str) -> str:
    """A text that broke off, without its last half sentence; whole where it is less than one."""
    ends = [found.end() for found in SENTENCE.finditer(text)]
    return text[: ends[-1]] if ends else f"{text.rstrip()}…"
