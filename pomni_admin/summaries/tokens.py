"""How many tokens a text has, about: by weights of its letters (docs/decisions/0024).

The model is whichever CHAT_MODEL names, so an exact count for one of them would be an estimate for the others. Against
o200k_base this one says too much for prose, half as much again, and a fifth too little for keys and noise.
"""

from __future__ import annotations

import unicodedata


def tenths(letter: str) -> int:
    """What a letter adds, in tenths of a token; at least 2, so that a budget bounds any text."""
    code = ord(letter)
    if code < 0x80:
        if letter.isspace():
            return 2
        if letter.islower():
            return 4
        return 7 if letter.isalpha() else 6
    if "а" <= letter <= "я" or letter == "ё":
        return 6
    if code < 0x800:
        return 10
    if unicodedata.category(letter) == "Pd" or letter in "«»…“”":
        return 10
    return 13 if code < 0x10000 else 30


def count(text: str) -> int:
    """Tokens, rounded up. A text has at most as many as its pieces together."""
    return -(-sum(map(tenths, text)) // 10)
