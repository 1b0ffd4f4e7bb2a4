"""`python -m benchmarks.soak_talk`: bots are killed and Redis is restarted while people write; each message once (G7).

People write in bursts. This process is their Telegram: it gives each message to some bot and, until that bot has said
that it is taken, again to another - at once when the bot dies, or a moment later when the bot says that only its own
memory has it. Bots are processes of their own, each with a consumer; what a turn says is written to PostgreSQL, which
takes each turn id once. In the end every message must be there, once, in the order of its person's writing; but for one
that reaches no bot before a later one has been handed out, because the bot that it was sent to died or had no Redis.

The first tenth comes without faults, and is timed by itself. Then bots are killed with SIGKILL, at any moment, and a
new one started in place of each; Redis, which keeps its data on disk, is stopped or killed and started again. Two
restarts are at least three seconds apart: together they would be one long outage, after which a message may come twice
(decision 13). So the machine must have nothing else to do: on a busy one Redis takes as long to start.

`--control` has the sink take whatever it is given: then messages must be found twice, or the soak proves nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.servers import Servers
from benchmarks.talk_bot import TABLES, bot
from benchmarks.timing import percentile
from pomni_admin.demo.servers import Postgres, Valkey

BOTS = 6
PEOPLE = 600
BURST = (1, 1, 2, 2, 3, 4)
GAP_S = (0.0, 0.6)
CALM = 0.1
"""The part of all messages that comes before the first fault."""
AGAIN_S = 0.1
APART_S = 3.0
GOAL_CALM_S, GOAL_S = 1.8, 5.0
GIVE_UP_S = 90.0


@dataclass(frozen=True)
class Plan:
    messages: int
    kills: int
    restarts: int
    rate: float
    seed: int
    control: bool


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_talk")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--restarts", type=int, default=100)
    parser.add_argument("--rate", type=float, default=140.0, help="messages a second")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--control", action="store_true", help="a sink without turn ids: must find messages twice")
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if asked.seed is None else asked.seed
    plan = Plan(asked.messages, asked.kills, asked.restarts, asked.rate, seed, asked.control)
    _say(f"{datetime.now(UTC):%Y-%m-%d %H:%M} {plan}")
    began = time.monotonic()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of each line to a bot that has just been killed
    with tempfile.TemporaryDirectory(prefix="pomni-soak-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another user
        valkey = Valkey(Path(folder) / "valkey")
        postgres = Postgres(Path(folder) / "postgres")
        try:
            valkey.start()
            postgres.start()
            with psycopg.connect(postgres.url, autocommit=True) as connection:
                connection.execute(TABLES)
                telegram = Telegram(plan, Servers(valkey, postgres), Path(folder))
                asyncio.run(telegram.run())
                good = _report(connection, telegram, plan)
        finally:
            postgres.stop()
            valkey.stop()
    _say(f"{'seconds':52}{time.monotonic() - began:>12.0f}")
    _say("as it must be" if good else "NOT as it must be")
    return 0 if good else 1


# Their Telegram, and what is done to them.


@dataclass
class Line:
    """The connection to one bot."""

    pid: int
    writer: asyncio.StreamWriter
    waiting: dict[tuple[int, int], asyncio.Future[bool | None]] = field(default_factory=dict)


class Telegram:
    def __init__(self, plan: Plan, servers: Servers, folder: Path) -> None:
        self._plan = plan
        self._servers = servers
        self._socket = str(folder / "telegram")
        self._dice = random.Random(plan.seed)
        self._spawn = multiprocessing.get_context("forkserver")
        self._spawn.set_forkserver_preload(["benchmarks.talk_bot", "benchmarks.servers"])
        self._bots: dict[int, BaseProcess] = {}
        self._lines: list[Line] = []
        self._someone = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._sent = 0
        self.taken_at: dict[tuple[int, int], float] = {}
        self.totals: Counter[str] = Counter()
        self.outages: list[tuple[float, float]] = []

    async def run(self) -> None:
        server = await asyncio.start_unix_server(self._accept, self._socket)
        for _ in range(BOTS):
            self._start_bot()
        while len(self._lines) < BOTS:
            self._someone.clear()
            await self._someone.wait()
        async with asyncio.TaskGroup() as tasks:
            for user_id in range(1, PEOPLE + 1):
                tasks.create_task(self._write(user_id, tasks))
            tasks.create_task(self._torment())
        await self._until_answered()
        server.close()
        for line in self._lines:
            line.writer.close()
        for process in self._bots.values():
            await asyncio.to_thread(process.join, 20)

    def _start_bot(self) -> None:
        urls = self._servers.valkey.url, self._servers.postgres.url
        arguments = (*urls, self._socket, self._dice.randrange(10**9), self._plan.control)
        process = self._spawn.Process(target=bot, args=arguments)
        process.start()
        assert process.pid is not None
        self._bots[process.pid] = process

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(int(await reader.readline()), writer)
        self._lines.append(line)
        self._someone.set()
        with contextlib.suppress(OSError):
            while (said := await reader.readline()).endswith(b"\n"):  # or it was killed in the middle of a line
                user_id, message_id, taken = json.loads(said)
                line.waiting.pop((user_id, message_id)).set_result(taken)
        self._lines.remove(line)
        for asking in line.waiting.values():
            asking.set_result(None)
        writer.close()

    async def _write(self, user_id: int, tasks: asyncio.TaskGroup) -> None:
        """One person, until all have written enough."""
        a_burst_takes = sum(BURST) / len(BURST) * (sum(GAP_S) / 2)
        idle_s = max(PEOPLE * sum(BURST) / len(BURST) / self._plan.rate - a_burst_takes, 0.1)
        number = 0
        await self._idle(self._dice.uniform(0, idle_s))
        while True:
            for _ in range(self._dice.choice(BURST)):
                if self._sent == self._plan.messages:
                    self._all_sent.set()
                    return
                self._sent += 1
                number += 1
                tasks.create_task(self._send(user_id, number))
                await asyncio.sleep(self._dice.uniform(*GAP_S))
            await self._idle(self._dice.uniform(0.5, 1.5) * idle_s)

    async def _idle(self, pause_s: float) -> None:
        """Nobody waits for the end of a pause after which there is nothing left to write."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._all_sent.wait()

    async def _send(self, user_id: int, number: int) -> None:
        """Until a bot has taken it."""
        text = "ok" if self._dice.random() < 0.3 else f"message {number}, which is longer than a short reply"
        update = {"user": user_id, "id": number, "text": text, "at": time.time()}
        words = json.dumps(update).encode() + b"\n"
        line: Line | None = None
        while True:
            while not self._lines:
                self._someone.clear()
                await self._someone.wait()
            if line not in self._lines:
                line = self._dice.choice(self._lines)
            assert line is not None
            asking = line.waiting[(user_id, number)] = asyncio.get_running_loop().create_future()
            line.writer.write(words)
            taken = await asking
            if taken:
                self.taken_at[user_id, number] = time.time()
                return
            self.totals["updates sent again: bot died" if taken is None else "updates sent again: Redis away"] += 1
            if taken is not None:
                await asyncio.sleep(AGAIN_S)

    async def _torment(self) -> None:
        """Kills and restarts, spread over all messages but the first, by how many have been taken."""
        was_back = 0.0
        for at, act in self._faults():
            while len(self.taken_at) < at:  # noqa: ASYNC110  an event for each message would be one too many
                await asyncio.sleep(0.02)
            if act == "kill":
                while len(alive := [line for line in self._lines if line.pid in self._bots]) < BOTS / 2:
                    self._someone.clear()  # somebody must live, or the messages in flight end with their time to live
                    await self._someone.wait()
                process = self._bots.pop(self._dice.choice(alive).pid)
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
                self._start_bot()
                await asyncio.to_thread(process.join)
                process.close()
                self.totals["bots killed"] += 1
            else:
                await asyncio.sleep(was_back + APART_S - time.monotonic())
                went = time.time()
                await asyncio.to_thread(self._servers.valkey.kill if act == "crash" else self._servers.valkey.stop)
                await asyncio.to_thread(self._servers.valkey.start)
                was_back = time.monotonic()
                self.outages.append((went, time.time()))
                self.totals["Redis killed and started" if act == "crash" else "Redis stopped and started"] += 1

    def _faults(self) -> Iterator[tuple[int, str]]:
        begin = int(self._plan.messages * CALM)
        kills = [(self._dice.randrange(begin, self._plan.messages), "kill") for _ in range(self._plan.kills)]
        restarts = [
            (self._dice.randrange(begin, self._plan.messages), self._dice.choice(["crash", "stop"]))
            for _ in range(self._plan.restarts)
        ]
        yield from sorted(kills + restarts)

    async def _until_answered(self) -> None:
        deadline = time.monotonic() + GIVE_UP_S
        async with await psycopg.AsyncConnection.connect(self._servers.postgres.url, autocommit=True) as connection:
            while time.monotonic() < deadline:
                count = await (
                    await connection.execute("SELECT count(DISTINCT (user_id, message_id)) FROM answers")
                ).fetchone()
                if count is not None and count[0] >= self._plan.messages:
                    break
                await asyncio.sleep(0.2)
        await asyncio.sleep(3)  # a turn whose handler was killed just now is handed out again after its lease


# What became of it.


def _report(connection: psycopg.Connection[Any], telegram: Telegram, plan: Plan) -> bool:
    totals = telegram.totals
    rows = connection.execute(
        "SELECT user_id, message_id, sent_at, handed_at, turn_id, fence FROM answers ORDER BY user_id, serial"
    ).fetchall()
    refused = connection.execute("SELECT count(*) FROM refused").fetchone()
    assert refused is not None
    seen = Counter((user_id, message_id) for user_id, message_id, *_ in rows)
    turns: dict[str, tuple[float, float]] = {}
    disordered: list[str] = []
    late, last = 0, (0, 0, 0.0)
    for user_id, message_id, sent_at, handed_at, turn_id, _fence in rows:
        if user_id == last[0] and message_id < last[1]:
            if telegram.taken_at[user_id, message_id] < last[2]:
                disordered.append(_told(telegram.outages, last[1:], (message_id, handed_at), sent_at))
            else:
                late += 1  # no bot had it yet when the later one was handed out
        last = (user_id, message_id, handed_at)
        newest = max(sent_at, turns.get(turn_id, (0.0, 0.0))[0])
        turns[turn_id] = (newest, handed_at)
    waits = sorted((sent_at, handed_at - sent_at) for sent_at, handed_at in turns.values())
    some = int(len(waits) * CALM * 0.9)
    calm, rough = sorted(wait for _, wait in waits[:some]), sorted(wait for _, wait in waits[some:])
    totals.update(
        {
            "messages": plan.messages,
            "messages lost": plan.messages - len(seen),
            "messages doubled": sum(seen.values()) - len(seen),
            "messages out of order": len(disordered),
            "messages that reached a bot after a later one's turn": late,
            "turns": len(turns),
            "turns handed out again, taken": len({row[4] for row in rows if row[5] > 1}),
            "turns handed out again, refused by the sink": refused[0],
        }
    )
    for line in disordered:
        _say(line)
    for name, number in sorted(totals.items()):
        _say(f"{name:52}{number:>12}")
    figures = {
        "last message to turn, s, p50, calm": percentile(calm, 50),
        "last message to turn, s, p99, calm": percentile(calm, 99),
        "last message to turn, s, p50, faults": percentile(rough, 50),
        "last message to turn, s, p99, faults": percentile(rough, 99),
        "last message to turn, s, most": max(rough),
        "Redis away, s, most": max((back - went for went, back in telegram.outages), default=0.0),
    }
    for name, figure in figures.items():
        _say(f"{name:52}{figure:>12.2f}")
    if plan.control:
        return totals["messages doubled"] > 0
    in_time = (
        figures["last message to turn, s, p99, calm"] <= GOAL_CALM_S
        and figures["last message to turn, s, p99, faults"] <= GOAL_S
    )
    if not in_time:
        _say("later than promised: on a machine that has nothing else to do that is a fault")
    return not (totals["messages lost"] or totals["messages doubled"] or totals["messages out of order"])


def _told(
    outages: Sequence[tuple[float, float]], before: tuple[int, float], late: tuple[int, float], sent_at: float
) -> str:
    """What came after a later message, and how long Redis was away about then."""
    away = [back - went for went, back in outages if went < late[1] and back > sent_at - APART_S]
    gap = f"message {late[0]} handed {late[1] - before[1]:+.2f} s from message {before[0]}"
    return f"{gap}, {late[1] - sent_at:.2f} s after it was sent; Redis away for {away or 'no time'}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
