"""No canary comes out of any channel (G6); with the protection taken out the same search finds them."""

from __future__ import annotations

import pytest

from tests.privacy.canaries import ALL, INTERNAL, PERSONAL, Canary, found_in
from tests.privacy.scene import Collected

CHANNELS: dict[str, tuple[Canary, ...]] = {
    "pages": PERSONAL + INTERNAL,
    "headers": PERSONAL + INTERNAL,
    "answers of the API": PERSONAL + INTERNAL,
    "frames": ALL,
    "metrics": ALL,
    "log of web": ALL,
    "log of worker": ALL,
    "log of beat": ALL,
    "log of reaper": ALL,
    "log of relay": ALL,
    "log of bot": ALL,
    "keys of Redis": PERSONAL,
    "values of Redis": PERSONAL,
    "commands to Redis": PERSONAL,
    "messages of Celery": PERSONAL,
    "announcements": ALL,
    "audit rows": ALL,
    "sessions": ALL,
    "other tables": PERSONAL,
}
"""What may not be in each channel."""

CONTROLS = (
    "pages",
    "frames",
    "log of web",
    "log of worker",
    "log of bot",
    "keys of Redis",
    "commands to Redis",
    "values of Redis",
    "audit rows",
)
"""Channels with a protection that can be taken out."""


@pytest.mark.parametrize("channel", CHANNELS)
def test_nothing_about_anybody_comes_out(came_out: Collected, channel: str) -> None:
    content = came_out.of(channel)
    assert content, "nothing was collected at all"
    found = found_in(content, CHANNELS[channel])
    assert not found, f"{channel}: " + "; ".join(_where(content, one) for one in found)


@pytest.mark.parametrize("channel", CONTROLS)
def test_the_same_search_finds_them_where_the_protection_is_taken_out(
    came_out_unprotected: Collected, channel: str
) -> None:
    assert found_in(came_out_unprotected.of(channel), CHANNELS[channel])


def test_every_channel_that_there_is_has_been_searched(came_out: Collected) -> None:
    """A process that the demo has got since has a log, which belongs into the table above."""
    assert set(came_out.channels) == set(CHANNELS)


def test_what_was_to_go_wrong_went_wrong(came_out: Collected) -> None:
    counts = came_out.counts
    for status in (200, 302, 400, 403, 404, 405, 413, 414, 500):
        assert counts[f"status {status}"], status
    for status in (200, 400, 401, 404, 405, 422, 429):
        assert counts[f"API {status}"], status
    assert counts["frames"] > 20
    assert counts["failures"] >= 5
    assert counts["summaries"] == 1


def _where(content: bytes, canary: Canary) -> str:
    """For whoever mends it: some of what stands around, as far as it is easily found."""
    text = content.decode("utf-8", "replace")
    at = text.lower().find(str(canary.value).lower())
    return f"{canary}" + (f" in …{text[max(0, at - 200) : at + 60]!r}…" if at >= 0 else "")
