"""`python -m cache_layer switch`, beside a bot at work."""

from __future__ import annotations

import asyncio

import pytest

from cache_layer import CacheLayer, Settings
from pomni_admin.demo.servers import Valkey
from tests.harness.processes import Spawn

FOLLOWED_WITHIN_S = 4.0
"""Two seconds are promised; the rest is for a busy machine."""


async def followed(bot: CacheLayer, cache: str, *, on: bool) -> None:
    async with asyncio.timeout(FOLLOWED_WITHIN_S):
        while bot.switches.is_on(cache) != on:  # noqa: ASYNC110  the layer tells nobody
            await asyncio.sleep(0.02)


async def test_a_bot_at_work_follows_within_two_seconds(settings: Settings, spawn: Spawn) -> None:
    async with CacheLayer(settings) as bot:
        off = spawn(["-m", "cache_layer", "switch", "rag", "off", "--reason", "stale_answers", "--by", "olga"])
        assert await asyncio.to_thread(off.wait) == 0
        await followed(bot, "rag", on=False)
        assert bot.switches.is_on("access_state")
        on = spawn(["-m", "cache_layer", "switch", "rag", "on"])
        assert await asyncio.to_thread(on.wait) == 0
        await followed(bot, "rag", on=True)


def test_the_list_says_what_is_off_and_why(valkey: Valkey, spawn: Spawn) -> None:
    off = spawn(["-m", "cache_layer", "switch", "rag", "off", "--reason", "stale_answers", "--by", "olga"])
    assert off.wait() == 0
    again = spawn(["-m", "cache_layer", "switch", "rag", "off", "--reason", "other"])
    assert again.wait() == 0
    assert again.lines[0] == "rag was already switched off, in every process within two seconds"
    listed = spawn(["-m", "cache_layer", "switch"], {"REDIS_CACHE_LOCK": "off"})
    assert listed.wait() == 0
    lines = {line.split()[1]: line for line in listed.lines}
    assert lines["rag"].split()[0] == "off"
    assert "switched off by olga since 2" in lines["rag"]
    assert lines["rag"].endswith(": stale_answers")
    assert lines["lock"].endswith("switched off by REDIS_CACHE or REDIS_CACHE_LOCK")
    assert lines["identity"].split() == ["on", "identity"]


async def test_it_is_no_instance_that_anybody_sees(settings: Settings, spawn: Spawn) -> None:
    async with CacheLayer(settings) as bot:
        off = spawn(["-m", "cache_layer", "switch", "rag", "off", "--reason", "other"])
        assert await asyncio.to_thread(off.wait) == 0
        assert [one.presence.role for one in await bot.stats.instances()] == ["bot"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rag"], "rag on, or rag off?"),
        (["rag", "off"], "to switch off takes --reason"),
        (["rag", "off", "--reason", "Because of Olga"], "reason is a word of 1 to 32 lower-case letters"),
        (["history", "on"], "invalid choice: 'history'"),
    ],
)
def test_what_is_missing_or_misspelt_is_said(valkey: Valkey, spawn: Spawn, arguments: list[str], said: str) -> None:
    asked = spawn(["-m", "cache_layer", "switch", *arguments])
    assert asked.wait() == 2
    assert said in asked.output
    assert "Traceback" not in asked.output


def test_without_a_redis_that_answers_nobody_is_told_that_it_was_done(spawn: Spawn) -> None:
    asked = spawn(["-m", "cache_layer", "switch", "rag", "on"], {"REDIS_URL": "redis://127.0.0.1:1"})
    assert asked.wait() == 1
    assert "nobody knows whether it was done" in asked.output
    asked = spawn(["-m", "cache_layer", "switch", "rag", "on"], {"REDIS_URL": ""})
    assert asked.wait() == 2
    assert "REDIS_URL is not set" in asked.output
