"""The design's tokens and signs, read from the files that define them, so that nothing has to be written twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from django.contrib.staticfiles import finders

Kind: TypeAlias = Literal["colour", "space", "size", "family"]

DEFINED: Final = re.compile(r"^\s*--([\w-]+):\s*(.+?);", re.MULTILINE | re.DOTALL)
STATUS: Final = ("good", "going", "doubtful", "bad", "idle")
"""What states and tags are coloured by; each has a `-soft` ground."""


@dataclass(frozen=True, slots=True)
class Token:
    """A custom property of `tokens.css`."""

    name: str
    value: str
    kind: Kind


def tokens() -> tuple[Token, ...]:
    """Those that are a colour, a length or a family of type, in the order of the file."""
    return tuple(_tokens(_read("css/tokens.css").partition("\n}\n")[0]))


def signs() -> tuple[str, ...]:
    """The ids of the sprite."""
    return tuple(re.findall(r'<symbol id="([\w-]+)"', _read("icons.svg")))


def _tokens(block: str) -> Iterator[Token]:
    for name, value in DEFINED.findall(block):
        if value.startswith(("#", "light-dark(#")):
            yield Token(name, value, "colour")
        elif re.fullmatch(r"s\d|radius(-\w+)?", name):
            yield Token(name, value, "space")
        elif re.fullmatch(r"[\d.]+rem", value):
            yield Token(name, value, "size")
        elif name in {"sans", "mono"}:
            yield Token(name, value.split(",")[0].strip(), "family")


def _read(name: str) -> str:
    found = finders.find(name)
    assert isinstance(found, str), name
    return Path(found).read_text()
