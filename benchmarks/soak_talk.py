"""`python -m benchmarks.soak_talk`: messages are merged into turns while bots and Redis are killed (G7).

People write in bursts. The parent is Telegram: it gives each update to one of four bots, and again to another until one
has taken it. Bots are killed with SIGKILL and Valkey is killed and started at random, except in the first fifth of the
messages. What a bot answers it writes to a table in PostgreSQL that has the turn's id as its key: in the end every
message must stand there once, each person's in the order in which they were written, and in time.

`--control` takes the key off the table: then messages must stand there twice, or the soak itself proves nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.soak_talk_bot import TABLE, answer_turns
from pomni_admin.demo.servers import Postgres, Valkey

BOTS = 4
CALM = 0.2
"""Of all messages, how many are written before the first fault."""
P99_CALM_S, P99_FAULTS_S = 1.8, 5.0
AGAIN_S = 0.3
"""Telegram sends an update again that nobody has taken."""
SETTLED_S = 60.0


@dataclass
class Telegram:
    """Updates on their way to bots; the parent's side.

    Attributes:
        bots: the connections of those that live.
        unheard: updates that were given to a bot which has not said yet whether it takes them.
    """

    dice: random.Random
    bots: list[asyncio.StreamWriter] = field(default_factory=list)
    unheard: dict[int, tuple[asyncio.StreamWriter, asyncio.Future[bool]]] = field(default_factory=dict)
    sent: int = 0
    numbers: int = 0

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A bot has come; it stays until it dies."""
        self.bots.append(writer)
        with contextlib.suppress(OSError, ValueError):
            while line := await reader.readline():
                number, taken = json.loads(line)
                self._heard(number, taken)
        self.bots.remove(writer)
        writer.close()
        for number in [n for n, (bot, _) in self.unheard.items() if bot is writer]:
            self._heard(number, False)

    async def deliver(self, user_id: int, message_id: int, text: str) -> None:
        """Give an update to bots until one has taken it."""
        update = (user_id, message_id, text, datetime.now(UTC).timestamp())
        while not await self._give(update):  # noqa: ASYNC110  what is waited for is time
            await asyncio.sleep(AGAIN_S)

    async def _give(self, update: tuple[int, int, str, float]) -> bool:
        if not self.bots:
            return False
        bot = self.dice.choice(self.bots)
        self.numbers += 1
        number = self.numbers
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.unheard[number] = bot, answer
        self.sent += 1
        try:
            bot.write(json.dumps((number, *update)).encode() + b"\n")
        except OSError:
            self._heard(number, False)
        return await answer

    def _heard(self, number: int, taken: bool) -> None:
        _, answer = self.unheard.pop(number, (None, None))
        if answer is not None and not answer.done():
            answer.set_result(taken)


class Crew:
    """The bots: as many as there should be, whatever is done to them."""

    def __init__(self, *arguments: Any) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["benchmarks.soak_talk_bot"])
        self._arguments = arguments
        self._bots: list[BaseProcess] = []

    def fill(self) -> None:
        while len(self._bots) < BOTS:
            process = self._context.Process(target=answer_turns, args=self._arguments, daemon=True)
            process.start()
            self._bots.append(process)

    def kill_one(self, dice: random.Random) -> None:
        self._kill(self._bots.pop(dice.randrange(len(self._bots))))
        self.fill()

    def end(self) -> None:
        while self._bots:
            self._kill(self._bots.pop())

    def _kill(self, process: BaseProcess) -> None:
        process.kill()
        process.join()
        process.close()


@dataclass
class Torment:
    """What is still to be done to bots and Redis, spread over the messages after the calm."""

    messages: int
    kills: int
    restarts: int
    done: Counter[str] = field(default_factory=Counter)
    began_at: datetime | None = None

    async def go_on(self, written: Written, crew: Crew, valkey: Valkey, dice: random.Random) -> None:
        calm = int(self.messages * CALM)
        while written.count < calm:  # noqa: ASYNC110  written by many
            await asyncio.sleep(0.05)
        self.began_at = datetime.now(UTC)
        while self.done["kills of a bot"] < self.kills or self.done["restarts of Redis"] < self.restarts:
            progress = (written.count - calm) / max(self.messages - calm, 1)
            if self.done["kills of a bot"] < self.kills * progress:
                await asyncio.to_thread(crew.kill_one, dice)
                self.done["kills of a bot"] += 1
            elif self.done["restarts of Redis"] < self.restarts * progress:
                await asyncio.to_thread(valkey.kill)
                await asyncio.to_thread(valkey.start)
                self.done["restarts of Redis"] += 1
            else:
                await asyncio.sleep(dice.uniform(0, 0.05))


@dataclass
class Written:
    """What people have written: how many messages, and of each person how many."""

    count: int = 0
    of: Counter[int] = field(default_factory=Counter)


async def somebody(user_id: int, telegram: Telegram, written: Written, messages: int, dice: random.Random) -> None:
    """Writes in bursts, each message once the last was taken, until all together have written enough."""
    await asyncio.sleep(dice.uniform(0, 3))
    while written.count < messages:
        for _ in range(dice.randint(1, 4)):
            if written.count == messages:
                return
            written.count += 1
            written.of[user_id] += 1
            text = dice.choice(["да", "не знаю", "сегодня было тяжело, и я хочу рассказать"])
            await telegram.deliver(user_id, written.of[user_id], text)
            await asyncio.sleep(dice.uniform(0.05, 0.5))
        await asyncio.sleep(dice.uniform(1.5, 4))


async def soak(valkey: Valkey, postgres_url: str, options: argparse.Namespace, seed: int) -> Counter[str]:
    dice = random.Random(seed)
    telegram, written = Telegram(random.Random(seed + 1)), Written()
    torment = Torment(options.messages, options.kills, options.restarts)
    server = await asyncio.start_server(telegram.meet, "127.0.0.1", 0)
    crew = Crew(valkey.url, postgres_url, server.sockets[0].getsockname()[1])
    try:
        await asyncio.to_thread(crew.fill)
        while len(telegram.bots) < BOTS:  # noqa: ASYNC110  they are other processes
            await asyncio.sleep(0.05)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(torment.go_on(written, crew, valkey, dice))
            for user_id in range(1, options.people + 1):
                tasks.create_task(somebody(user_id, telegram, written, options.messages, random.Random(seed + user_id)))
        totals = await asyncio.to_thread(judge, postgres_url, written, torment)
    finally:
        await asyncio.to_thread(crew.end)
        server.close()
    totals["updates sent again by Telegram"] = telegram.sent - written.count
    totals.update(torment.done)
    return totals


def judge(postgres_url: str, written: Written, torment: Torment) -> Counter[str]:
    """Wait until all that was written is answered, or nothing is answered any more, and count what is wrong."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        until, before = time.monotonic() + SETTLED_S, -1
        while time.monotonic() < until:
            row = connection.execute("SELECT count(DISTINCT (user_id, m)) FROM answers, unnest(messages) m").fetchone()
            assert row is not None
            if row[0] == written.count:
                time.sleep(3)  # whatever comes again now
                break
            if row[0] != before:
                until, before = time.monotonic() + SETTLED_S, row[0]
            time.sleep(0.5)
        answers = connection.execute("SELECT user_id, messages, waited_s, at FROM answers ORDER BY number").fetchall()
    totals: Counter[str] = Counter({"messages": written.count, "turns": len(answers)})
    said: dict[int, list[int]] = {}
    waits: dict[str, list[float]] = {"calm": [], "faults": []}
    for user_id, messages, waited_s, at in answers:
        said.setdefault(user_id, []).extend(messages)
        waits["faults" if torment.began_at is not None and at >= torment.began_at else "calm"].append(waited_s)
    for user_id, number in written.of.items():
        found = said.get(user_id, [])
        totals["lost"] += number - len(set(found))
        totals["doubled"] += len(found) - len(set(found))
        totals["out of order"] += sum(after < before for before, after in pairwise(found))
    for name, waited in waits.items():
        ordered = sorted(waited) or [0.0]
        totals[f"p50 ms from push to turn, {name}"] = round(ordered[len(ordered) // 2] * 1000)
        totals[f"p99 ms from push to turn, {name}"] = round(ordered[len(ordered) * 99 // 100] * 1000)
    return totals


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_talk")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--restarts", type=int, default=100)
    parser.add_argument("--people", type=int, default=400, help="who write at the same time")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--control", action="store_true", help="without the turn id at the sink: must find doubles")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if options.seed is None else options.seed
    _say(f"{datetime.now(UTC):%Y-%m-%d %H:%M} messages={options.messages} seed={seed} control={options.control}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pomni-soak-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another user
        valkey, postgres = Valkey(Path(folder) / "valkey"), Postgres(Path(folder) / "postgres", durable=False)
        try:
            valkey.start()
            postgres.start()
            with psycopg.connect(postgres.url, autocommit=True) as connection:
                connection.execute(TABLE.format(key="" if options.control else "PRIMARY KEY").encode())
            totals = asyncio.run(soak(valkey, postgres.url, options, seed))
        finally:
            postgres.stop()
            valkey.stop()
    for name, number in totals.items():
        _say(f"{name:44}{number:>10}")
    _say(f"{'seconds':44}{time.monotonic() - began:>10.0f}")
    good = _is_good(totals, control=options.control)
    _say("as it must be" if good else "NOT as it must be")
    return 0 if good else 1


def _is_good(totals: Counter[str], *, control: bool) -> bool:
    if control:
        return totals["doubled"] > 0
    late = totals["p99 ms from push to turn, calm"] > P99_CALM_S * 1000
    late |= totals["p99 ms from push to turn, faults"] > P99_FAULTS_S * 1000
    return totals["lost"] + totals["doubled"] + totals["out of order"] == 0 and not late


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
