"""The supervisor: restarts what dies, ends everything in order and in time, and takes everything with it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pomni_admin.demo.supervisor import Service, Stage, Supervisor
from tests.harness.processes import Spawn

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
DEAF = [
    sys.executable,
    "-c",
    (
        "import signal, time\n"
        "for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, signal.SIG_IGN)\n"
        "print('up', flush=True); time.sleep(600)"
    ),
]
WITH_CHILD = [
    sys.executable,
    "-c",
    (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('child', child.pid, flush=True); time.sleep(600)"
    ),
]
NOTES_ITS_END = (
    "import pathlib, signal, sys, time\n"
    "def end(*_):\n"
    "    with open(sys.argv[1], 'a') as file: file.write(sys.argv[2] + ' ')\n"
    "    sys.exit()\n"
    "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(600)"
)
SUPERVISES = """
import asyncio, os, pathlib, sys
from pomni_admin.demo.supervisor import Service, Stage, Supervisor

async def main():
    supervisor = Supervisor(pathlib.Path(sys.argv[1]), os.environ, print)
    for number in range(3):
        sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
        supervisor.start(Service(f"sleeper-{number}", sleeper, Stage.WEB))
        await supervisor.ready(f"sleeper-{number}", 10)
    print("pids", *(supervisor.pid(f"sleeper-{number}") for number in range(3)), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


class Overseen:
    """A supervisor, what it has told, and a way to await its next line."""

    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self._news = asyncio.Event()
        self.supervisor = Supervisor(folder / "logs", os.environ, self._hear)

    def _hear(self, text: str) -> None:
        self.told.append(text)
        self._news.set()

    async def hears(self, text: str) -> None:
        async with asyncio.timeout(20):
            while not any(text in line for line in self.told):
                self._news.clear()
                await self._news.wait()

    async def says(self, name: str, text: str) -> str:
        """Wait for a word in a service's log."""
        async with asyncio.timeout(20):
            while True:
                with suppress(FileNotFoundError):
                    said = self.supervisor.log(name).read_text()
                    if text in said:
                        return said
                await asyncio.sleep(0.02)

    async def start(self, service: Service) -> int:
        self.supervisor.start(service)
        assert await self.supervisor.ready(service.name, 20)
        pid = self.supervisor.pid(service.name)
        assert pid is not None
        return pid


@pytest.fixture
async def overseen(tmp_path: Path) -> AsyncIterator[Overseen]:
    made = Overseen(tmp_path)
    yield made
    made.supervisor.kill()
    await made.supervisor.stop()


async def test_what_is_killed_is_started_again_and_said(overseen: Overseen) -> None:
    first = await overseen.start(Service("sleeper", SLEEPER, Stage.WEB))

    os.kill(first, signal.SIGKILL)
    await overseen.hears("sleeper ended with SIGKILL; starting it again in 0.5 s")

    assert await overseen.supervisor.ready("sleeper", 10)
    assert overseen.supervisor.pid("sleeper") not in {None, first}


async def test_what_keeps_ending_is_started_ever_later_and_its_last_words_are_shown(overseen: Overseen) -> None:
    broken = [sys.executable, "-c", "import sys; sys.exit('no such table: users')"]
    overseen.supervisor.start(Service("broken", broken, Stage.CONSUMERS))

    await overseen.hears("its last words:\n    no such table: users")

    pauses = [line.split(" in ")[1].split(" s ")[0] for line in overseen.told if "starting it again" in line]
    assert pauses[:3] == ["0.5", "1", "2"]


async def test_what_cannot_even_be_started_does_not_end_the_others(overseen: Overseen) -> None:
    def fail() -> None:
        raise OSError("no space left")

    overseen.supervisor.start(Service("full", SLEEPER, Stage.DATABASES, prepare=fail))
    await overseen.hears("full could not be started: no space left")
    await overseen.start(Service("sleeper", SLEEPER, Stage.WEB))


async def test_consumers_end_first_and_databases_last(overseen: Overseen, tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    for name, stage in (("postgres", Stage.DATABASES), ("web", Stage.WEB), ("worker", Stage.CONSUMERS)):
        await overseen.start(Service(name, [sys.executable, "-c", NOTES_ITS_END, str(ends), name], stage))
        await overseen.says(name, "up")

    await overseen.supervisor.stop()

    assert ends.read_text().split() == ["worker", "web", "postgres"]


async def test_one_that_does_not_listen_is_killed_in_time(overseen: Overseen) -> None:
    pid = await overseen.start(Service("deaf", DEAF, Stage.WEB, stop_timeout_s=0.5))
    await overseen.says("deaf", "up")

    began = time.monotonic()
    await overseen.supervisor.stop()

    assert 0.5 <= time.monotonic() - began < 3
    assert not psutil.pid_exists(pid)


async def test_one_that_hangs_in_sigstop_ends_too(overseen: Overseen) -> None:
    pid = await overseen.start(Service("sleeper", SLEEPER, Stage.WEB))
    os.kill(pid, signal.SIGSTOP)

    began = time.monotonic()
    await overseen.supervisor.stop()

    assert time.monotonic() - began < 3
    assert not psutil.pid_exists(pid)


async def test_a_second_ctrl_c_ends_at_once(overseen: Overseen) -> None:
    await overseen.start(Service("deaf", DEAF, Stage.WEB, stop_timeout_s=60))
    await overseen.says("deaf", "up")

    stopping = asyncio.create_task(overseen.supervisor.stop())
    overseen.supervisor.kill()

    await asyncio.wait_for(stopping, 5)


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_children_of_a_service_end_with_it(overseen: Overseen, how: str) -> None:
    """Without the signal to the whole group they would go on, as children of init."""
    pid = await overseen.start(Service("parent", WITH_CHILD, Stage.WEB))
    child = psutil.Process(int((await overseen.says("parent", "child")).split()[1]))

    if how == "stopped":
        await overseen.supervisor.stop()
    else:
        os.kill(pid, signal.SIGKILL)

    await asyncio.to_thread(child.wait, 5)


async def test_a_service_is_ready_when_it_says_so(overseen: Overseen, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    overseen.supervisor.start(Service("slow", SLEEPER, Stage.WEB, ready=flag.exists))
    assert not await overseen.supervisor.ready("slow", 0.3)
    flag.touch()
    assert await overseen.supervisor.ready("slow", 5)


async def test_a_command_run_once_gives_its_code_and_log(overseen: Overseen) -> None:
    code = await overseen.supervisor.run_once("prepare", [sys.executable, "-c", "print('filled'); exit(3)"])
    assert code == 3
    assert overseen.supervisor.last_words("prepare") == "    filled"


async def test_a_command_run_once_ends_when_nobody_waits_for_it_any_more(overseen: Overseen) -> None:
    running = asyncio.create_task(overseen.supervisor.run_once("prepare", SLEEPER))
    await overseen.says("prepare", "up")
    pid = overseen.supervisor.pid("prepare")
    assert pid is not None

    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_nothing_outlives_a_supervisor_that_is_killed(spawn: Spawn, tmp_path: Path, number: signal.Signals) -> None:
    """Without `leashed` the three sleepers live on."""
    supervisor = spawn(["-c", SUPERVISES, str(tmp_path)])
    family = [psutil.Process(int(pid)) for pid in supervisor.wait_for("pids").split()[1:]]
    assert len(family) == 3

    os.kill(supervisor.pid, number)

    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
