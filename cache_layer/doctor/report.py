"""What the doctor found, for people and for programs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Literal, TypeAlias

import msgspec

Verdict: TypeAlias = Literal["ok", "off", "warning", "fault"]
Figure: TypeAlias = str | int | float | bool | None

ALL_WELL, SOMETHING_FAILS, SETTINGS_WRONG = 0, 1, 2
"""Exit codes. What is off is not an error, nor is a warning."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        section: under which heading it is shown.
        name: of the variable, the property or the cache.
        verdict: "fault" for what is on and does not work.
        says: one line for a person; what to do about it, where something is wrong. Never a secret, nor a person.
        figures: the same for programs; times in ms, sizes in bytes.
    """

    section: str
    name: str
    verdict: Verdict
    says: str
    figures: Mapping[str, Figure] = {}


class Report(msgspec.Struct, frozen=True):
    """All findings, in the order in which they were made."""

    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        return SOMETHING_FAILS if self.count("fault") else ALL_WELL

    def count(self, verdict: Verdict) -> int:
        return sum(finding.verdict == verdict for finding in self.findings)

    def as_json(self) -> str:
        whole = {"exit_code": self.exit_code, "findings": self.findings}
        return msgspec.json.format(msgspec.json.encode(whole)).decode()

    def as_text(self) -> str:
        name_width = max(len(finding.name) for finding in self.findings)
        lines: list[str] = []
        for section, findings in groupby(self.findings, key=lambda finding: finding.section):
            lines += [section, *(f"  {f.verdict:<8} {f.name:<{name_width}}  {f.says}" for f in findings), ""]
        return "\n".join([*lines, self._summary()])

    def _summary(self) -> str:
        counts = [
            f"{number} {words[number != 1]}"
            for verdict, words in _COUNTED.items()
            if (number := self.count(verdict)) or verdict == "ok"
        ]
        return ", ".join(counts)


_COUNTED: Mapping[Verdict, tuple[str, str]] = {
    "ok": ("ok", "ok"),
    "off": ("off", "off"),
    "warning": ("warning", "warnings"),
    "fault": ("fault", "faults"),
}


def softened(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Faults as warnings, where nothing that is on depends on them."""
    return tuple(
        msgspec.structs.replace(finding, verdict="warning") if finding.verdict == "fault" else finding
        for finding in findings
    )


def p50(milliseconds: Sequence[float]) -> float:
    return round(statistics.median(milliseconds), 2)


def worst(milliseconds: Sequence[float]) -> float:
    return round(max(milliseconds), 2)


def as_ms(milliseconds: float) -> str:
    return f"{milliseconds:.1f} ms" if milliseconds < 100 else f"{milliseconds:.0f} ms"


def as_size(size_bytes: int) -> str:
    """
    >>> as_size(1536 * 1024)
    '1.5 MiB'
    """
    power = min(int(math.log(size_bytes, 1024)), 4) if size_bytes else 0
    return f"{size_bytes / 1024**power:.{1 if power else 0}f} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"
