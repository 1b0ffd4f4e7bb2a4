"""docs/support.md says what the site says."""

from __future__ import annotations

import re
from pathlib import Path

from django.utils.translation import override

from cache_layer.privacy import handle, read_handle
from pomni_admin.audit.receipts import read_receipt
from pomni_admin.bot.handles import SEARCH_AT_MOST_S
from pomni_admin.dashboard.audit_csv import AT_ONCE
from pomni_admin.dashboard.words import FINDINGS
from pomni_admin.env import load

TEXT = (Path(__file__).parents[2] / "docs" / "support.md").read_text(encoding="utf-8")


def test_every_finding_is_explained_in_the_words_of_the_page() -> None:
    with override("en"):
        findings = {re.split(r"[.:]", str(words))[0] for words in FINDINGS.values()}
    explained = {re.split(r"[.:]", row)[0] for row in re.findall(r"^\| ((?:Has|Is) [^|]+?) \|", TEXT, re.M)}
    assert explained == {re.split(r"\. | Press", finding)[0] for finding in findings}


def test_figures_are_those_of_the_code() -> None:
    default = load({}).lookups_per_minute
    assert f"look up {default} people a minute (`POMNI_LOOKUPS_PER_MINUTE`)" in TEXT
    assert f"After {SEARCH_AT_MOST_S:.0f} seconds it is\nstopped" in TEXT
    assert f"{AT_ONCE} acts are in memory" in TEXT


def test_what_it_says_can_be_typed_can_be_typed() -> None:
    said = re.findall(r"`(r [^`]+)`", TEXT)
    assert [read_receipt(text) for text in said] == ["R-7K2M-9QXD"]
    name = handle(b"s" * 32, 42)
    assert read_handle(name.lower().replace("1", "l")) == name
