"""Keeps a set of processes running, and ends all of them, in order, within a bounded time.

Each process is a group of its own, so that Ctrl-C in the terminal reaches only the supervisor, which passes it on:
first those that consume, then what serves them, the databases last. What dies is started again, later each time it
dies soon. None outlives the supervisor, however that ends (see `leash`).
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pomni_admin.demo.servers import PROJECT, Server, leashed

BACKOFF_FIRST_S = 0.5
BACKOFF_MOST_S = 15.0
STEADY_S = 30.0
"""Whoever has run this long starts with the shortest pause again."""


class Stage(enum.IntEnum):
    """The order of ending; those of one stage end together."""

    CONSUMERS = 0
    WEB = 1
    DATABASES = 2


@dataclass(frozen=True)
class Service:
    """A process to keep running.

    Attributes:
        ready: asked, in a thread, whether it serves; without it a service counts as ready once started.
        prepare: called before each start.
        stop_timeout_s: how long it may take to end before it is killed.
    """

    name: str
    command: Sequence[str]
    stage: Stage
    user: str = "-"
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 8.0
    prepare: Callable[[], None] | None = None
    ready: Callable[[], bool] | None = None
    files: Sequence[int] = field(default=())

    @classmethod
    def of(cls, server: Server) -> Service:
        """One of the embedded servers as a service."""
        return cls(
            name=server.name,
            command=server.command(),
            stage=Stage.DATABASES,
            user=server.user,
            stop_signal=server.stop_signal,
            prepare=server.prepare,
            ready=server.is_ready,
        )


class Supervisor:
    """Runs services until `stop`. `say` gets a line for a person whenever something happens that they should know."""

    def __init__(self, logs: Path, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._logs = logs
        self._environ = environ
        self._say = say
        self._services: dict[str, Service] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._kill_now = asyncio.Event()
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, service: Service) -> None:
        """Begin to keep this one running; returns at once."""
        log = self.log(service.name)
        if log.exists():
            log.replace(log.with_suffix(".old.log"))
        self._services[service.name] = service
        self._keepers[service.name] = asyncio.create_task(self._keep(service), name=service.name)

    def log(self, name: str) -> Path:
        """Where everything that a service says goes."""
        return self._logs / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """The process id of a service, or None while it is not running."""
        process = self._processes.get(name)
        return None if process is None or process.returncode is not None else process.pid

    async def ready(self, name: str, timeout_s: float) -> bool:
        """Wait until a service serves. False: it does not by then, or the supervisor is being stopped."""
        service = self._services[name]
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not self._stopping.is_set():
            if self.pid(name) is not None and (service.ready is None or await asyncio.to_thread(service.ready)):
                return True
            await asyncio.sleep(0.05)
        return False

    async def run_once(self, name: str, command: Sequence[str]) -> int:
        """Run a command to its end, as a process that ends with the supervisor; its exit code."""
        log = self.log(name)
        log.unlink(missing_ok=True)
        process = await self._spawn(name, command)
        self._processes[name] = process
        try:
            return await process.wait()
        except asyncio.CancelledError:
            _signal_group(process, signal.SIGKILL)
            await process.wait()
            raise
        finally:
            del self._processes[name]

    def last_words(self, name: str, lines: int = 5) -> str:
        """The end of a service's log, indented for the console."""
        try:
            said = self.log(name).read_text(errors="replace").splitlines()
        except FileNotFoundError:
            said = []
        return "\n".join(f"    {line}" for line in said[-lines:])

    def kill(self) -> None:
        """Make a `stop` that is under way, or yet to come, a matter of SIGKILL."""
        self._kill_now.set()

    async def stop(self) -> None:
        """End everything, stage by stage. Takes at most the longest `stop_timeout_s` of each stage."""
        self._stopping.set()
        for stage in Stage:
            names = [name for name, service in self._services.items() if service.stage is stage]
            await asyncio.gather(*(self._end(self._services[name]) for name in names))
        for keeper in self._keepers.values():
            keeper.cancel()
        await asyncio.gather(*self._keepers.values(), return_exceptions=True)

    async def _keep(self, service: Service) -> None:
        pause = BACKOFF_FIRST_S
        soon = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                if service.prepare is not None:
                    service.prepare()
                process = await self._spawn(service.name, service.command, service.user, service.files)
            except (OSError, RuntimeError) as error:
                said = f"could not be started: {error}"
            else:
                self._processes[service.name] = process
                try:
                    code = await process.wait()
                finally:
                    _signal_group(process, signal.SIGKILL)  # what it left behind; itself, if it was only just starting
                said = f"ended with {_in_words(code)}"
            if self._stopping.is_set():
                return
            if time.monotonic() - began >= STEADY_S:
                pause, soon = BACKOFF_FIRST_S, 0
            soon += 1
            self._say(f"{service.name} {said}; starting it again in {pause:g} s (log: {self.log(service.name)})")
            if soon in {3, 10}:
                self._say(f"{service.name} keeps ending; its last words:\n{self.last_words(service.name)}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, BACKOFF_MOST_S)

    async def _spawn(
        self, name: str, command: Sequence[str], user: str = "-", files: Sequence[int] = ()
    ) -> asyncio.subprocess.Process:
        with self.log(name).open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *leashed(command, user),
                cwd=PROJECT,
                env=dict(self._environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=files,
            )

    async def _end(self, service: Service) -> None:
        process = self._processes.get(service.name)
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)  # one that was stopped would not even hear the next
            process.send_signal(service.stop_signal)
        ended = asyncio.create_task(process.wait())
        hurry = asyncio.create_task(self._kill_now.wait())
        await asyncio.wait({ended, hurry}, timeout=service.stop_timeout_s, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        _signal_group(process, signal.SIGKILL)
        await ended


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _in_words(code: int) -> str:
    return f"code {code}" if code >= 0 else signal.Signals(-code).name
