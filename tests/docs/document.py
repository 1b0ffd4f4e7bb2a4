"""`docs/bot.md` as tests read it: its steps, their code, and its tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile

from pomni_admin.demo.servers import PROJECT

TEXT = (PROJECT / "docs" / "bot.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        step: the number of the step that it is in; 0 before the first.
        kind: what is written after the fence: a language, and more where it is not to be run.
        line: of the document, where the code begins.
    """

    step: int
    kind: str
    code: str
    line: int

    @property
    def file(self) -> str:
        """Of Python, which file it belongs to; its first line says so, or it goes on with the one before."""
        match = re.match(r"# (\w+\.py)\b", self.code)
        return match.group(1) if match else ""


def blocks() -> list[Block]:
    found, step = [], 0
    lines = iter(enumerate(TEXT.splitlines(), start=1))
    for number, line in lines:
        if match := re.match(r"## (\d+)\. ", line):
            step = int(match.group(1))
        elif line.startswith("## "):
            step = step and 99
        if line.startswith("```"):
            code = [inner for _, inner in takewhile(lambda numbered: not numbered[1].startswith("```"), lines)]
            found.append(Block(step, line[3:].strip(), "\n".join(code) + "\n", number + 1))
    return found


def steps() -> list[int]:
    """The numbers of the steps that have code."""
    return sorted({block.step for block in blocks() if block.kind == "python"})


def program(up_to: int) -> dict[str, str]:
    """The bot's files once these steps are done. What a later step says of `main.py` stands instead of the earlier."""
    files: dict[str, str] = {}
    for block in blocks():
        if block.kind == "python" and block.step <= up_to:
            files[block.file] = files.get(block.file, "") + block.code if block.file == "caching.py" else block.code
    return files


def needed_lines() -> list[str]:
    """The lines of code that tell the layer of a change."""
    found = (line for block in blocks() if block.kind == "python" for line in block.code.splitlines())
    return [
        line.strip()
        for line in found
        if re.search(r"await cache\.[a-z_.]*(invalidate|changed|purged|forget|append|bump)\(", line)
    ]


def table(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its head; cells as they are written."""
    after = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in after.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def in_code(cell: str) -> list[str]:
    """What is written as code."""
    return re.findall(r"`([^`]+)`", cell)


def switches() -> list[str]:
    """The variables by which a step is taken back."""
    return re.findall(r"^\*\*Back:\*\*.*?`(REDIS_CACHE\w*)=off`", TEXT, flags=re.MULTILINE)
