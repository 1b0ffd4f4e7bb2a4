"""G7 with real processes: many bots, bots that are killed, and bots that are stopped for longer than a lease."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis

from cache_layer import CacheLayer
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.talker import BOTS, NUMBERS, PEOPLE
from tests.cache_layer.talking import ALISA, incoming, somebody, talking
from tests.harness.processes import Spawn, Spawned

TALKER = ["-m", "tests.cache_layer.talker"]


@pytest_asyncio.fixture
async def webhook(valkey: Valkey) -> AsyncIterator[CacheLayer]:
    """An instance that takes messages in and answers none."""
    async with CacheLayer(talking(valkey.url), role="test") as layer:
        yield layer


@pytest.fixture
def bot(spawn: Spawn, valkey: Valkey, tmp_path: Path) -> Bot:
    return Bot(spawn, valkey.url, tmp_path)


class Bot:
    """`bot("wait")`: a bot in a process of its own, ready."""

    def __init__(self, spawn: Spawn, url: str, folder: Path) -> None:
        self._spawn = spawn
        self._url = url
        self.folder = folder

    def __call__(self, act: str, index: int = 0, *, control: bool = False) -> Spawned:
        arguments = [*TALKER, act, self._url, str(self.folder), str(index), *(["--control"] if control else [])]
        return self._spawn(arguments)


def turns(*bots: Spawned, word: str = "done") -> list[list[str]]:
    return [line.split()[1:] for bot in bots for line in bot.lines if line.startswith(word)]


def until_all_is_done(valkey: Valkey) -> None:
    """Nothing waits in Redis any more, nor is in flight."""
    deadline = time.monotonic() + 20
    with redis.Redis.from_url(valkey.url) as client:
        while any(not key.endswith(b":done") for key in client.keys("talkbuf*")):
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("control", [False, True], ids=["", "control"])
def test_what_reaches_four_processes_comes_out_of_one_as_one_turn(bot: Bot, valkey: Valkey, control: bool) -> None:
    """Twenty people's messages, in the wrong order, each at two of the four. In the control each merges by itself."""
    bots = [bot("burst", index, control=control) for index in range(BOTS)]
    for one in bots:
        one.wait_for("ready")
    (bot.folder / "go").touch()
    for one in bots:
        one.wait_for("pushed")
    if control:
        for one in bots:
            one.wait_for("done")
    until_all_is_done(valkey)
    (bot.folder / "end").touch()
    for one in bots:
        assert one.wait(20) == 0
    answered = Counter((user_id, n) for user_id, numbers, *_ in turns(*bots) for n in numbers.split(","))
    if control:
        assert max(answered.values()) > 1
        return
    assert answered == {(str(user_id), str(n)): 1 for user_id in PEOPLE for n in NUMBERS}
    assert sorted(turn[0] for turn in turns(*bots)) == sorted(map(str, PEOPLE)), "one turn of each person"
    assert {numbers for _, numbers, *_ in turns(*bots)} == {",".join(map(str, NUMBERS))}


async def test_when_the_bot_is_killed_another_has_the_same_turn(bot: Bot, webhook: CacheLayer) -> None:
    """Marked, at a higher fence, with all that is needed to answer."""
    first = bot("hang")
    first.wait_for("ready")
    await webhook.talk.push(somebody(), incoming(1))
    user_id, numbers, turn_id, fence = first.wait_for("begun").split()[1:]
    await webhook.talk.push(somebody(), incoming(2))
    second = bot("wait")
    second.wait_for("ready")
    first.kill()
    assert second.wait_for("done").split()[1:] == [str(ALISA), "1", turn_id, "2"]
    assert second.wait_for(f"done {ALISA} 2 ").split()[-1] == "1"
    assert (user_id, numbers, fence) == (str(ALISA), "1", "1")


async def test_a_bot_that_was_stopped_for_too_long_is_told_that_another_has_its_turn(
    bot: Bot, webhook: CacheLayer
) -> None:
    """SIGSTOP beyond the lease. When it wakes up its body is cancelled, and nothing of it is acknowledged."""
    first = bot("hang")
    first.wait_for("ready")
    await webhook.talk.push(somebody(), incoming(1))
    turn_id = first.wait_for("begun").split()[3]
    second = bot("wait")
    second.wait_for("ready")
    first.pause()
    assert second.wait_for("done").split()[1:] == [str(ALISA), "1", turn_id, "2"]
    first.resume()
    assert first.wait_for("told").split()[3] == turn_id
    assert turns(first) == []


async def test_a_bot_that_blocks_its_loop_is_told_at_the_end_of_its_body(bot: Bot, webhook: CacheLayer) -> None:
    """It cannot be cancelled meanwhile; its ack is refused."""
    first = bot("block")
    first.wait_for("ready")
    await webhook.talk.push(somebody(), incoming(1))
    turn_id = first.wait_for("begun").split()[3]
    second = bot("wait")
    second.wait_for("ready")
    assert second.wait_for("done").split()[1:] == [str(ALISA), "1", turn_id, "2"]
    (bot.folder / "answer").touch()
    assert first.wait_for("told").split()[3] == turn_id
    assert turns(first) == []


async def test_messages_that_wait_at_a_bot_that_is_killed_come_out_of_another(bot: Bot, valkey: Valkey) -> None:
    """The others' sweep finds them."""
    dead = bot("burst")
    dead.wait_for("ready")
    (bot.folder / "go").touch()
    dead.wait_for("pushed")
    dead.kill()
    living = bot("wait", 1)
    living.wait_for("ready")
    mine = {(user_id, n) for user_id in PEOPLE for n in NUMBERS if (user_id + n) % BOTS < 2}
    until_all_is_done(valkey)
    (bot.folder / "end").touch()
    assert living.wait(20) == 0
    answered = Counter(
        (int(u), int(n)) for u, numbers, *_ in turns(dead, living, word="done") for n in numbers.split(",")
    )
    assert answered.keys() == mine
