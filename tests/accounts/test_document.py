"""`docs/accounts.md` against what it is about."""

from __future__ import annotations

import re
from pathlib import Path

from pomni_admin import env
from pomni_admin.accounts import links, throttle
from pomni_admin.accounts.confirm import FRESH_S
from tests.test_settings import PRODUCTION


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table below that heading, without its head."""
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return found[2:]


def test_limits_defaults_and_ranges_are_those_of_the_code(project: Path) -> None:
    text = (project / "docs" / "accounts.md").read_text("utf-8")
    limits = (*throttle.sign_in("name", "address"), *throttle.proof(1), *throttle.link("address"))
    assert [int(row[1]) for row in rows(text, "Throttling")] == [limit.most for limit in limits]
    assert {limit.window_s for limit in limits} == {15 * 60}
    assert (FRESH_S, links.VALID.total_seconds()) == (10 * 60, 72 * 3600)

    production, elsewhere = env.load(PRODUCTION), env.load({"POMNI_ENV": "demo"})
    loaded = {
        "POMNI_REQUIRE_SECOND_FACTOR": [each.require_second_factor for each in (production, elsewhere)],
        "POMNI_TRUSTED_PROXIES": [each.trusted_proxies for each in (production, elsewhere)],
        "POMNI_SESSION_IDLE_MIN": [production.session_idle_s // 60],
        "POMNI_SESSION_MAX_HOURS": [production.session_max_s // 3600],
    }
    said = {name.strip("`"): default for name, _what, default in rows(text, "Settings")}
    words = {"on": True, "off": False}
    assert {
        name: [words[word] if word in words else int(word) for word in re.findall(r"\b(on|off|\d+)\b", default)]
        for name, default in said.items()
    } == loaded
