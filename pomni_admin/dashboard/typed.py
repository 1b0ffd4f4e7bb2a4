"""What an agent has typed to find a person: why it leads nowhere, without repeating it."""

from __future__ import annotations

import re
from typing import Final

from cache_layer.privacy import read_handle
from pomni_admin.bot.people import BIGINT_MAX

LONGEST: Final = 200


def problem_of(text: str) -> str:
    """What is wrong with the text before anybody is looked for: a key of `words.PROBLEMS`; empty when nothing is."""
    if not text:
        return "empty"
    if len(text) > LONGEST:
        return "long"
    if read_handle(text) is not None:
        return "handle"
    if re.fullmatch(r"\+[0-9 ()-]+", text, re.ASCII):
        return "phone"
    if re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", text):
        return "mail"
    if text.startswith("@") or "t.me/" in text:
        return "name"
    if re.fullmatch(r"[0-9]+([\s,;]+[0-9]+)+", text, re.ASCII):
        return "several"
    if not text.isprintable() or re.search(r"\s", text):
        return "malformed"
    return ""


def nobody(text: str) -> str:
    """Why nobody was found."""
    if text.isascii() and text.lstrip("-").isdigit():
        return "nobody" if text.isdigit() and int(text) <= BIGINT_MAX else "range"
    return "nobody" if re.search(r"[0-9]", text) else "malformed"
