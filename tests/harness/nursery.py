"""Processes of ours, forked from one that has imported what they all import.

Importing Django, Celery and the clients of model and Qdrant takes three seconds of a processor, and the tests start a
hundred processes. Such a process differs from `python -m …` in nothing but that: a session, an environment, arguments
and standard streams of its own; it is killed with its parent, and its parent with the tests.

`python -m tests.harness.nursery FD` is the parent. It takes requests from the socket FD, each with the child's output
and a line on which it says the child's pid, and in the end how it ended.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TextIO

from pomni_admin.demo.servers import PROJECT, leashed

PRELOADED = (
    *("django.core.handlers.asgi", "django.core.management", "django.template", "django.forms", "django.db.models"),
    *("django.db.backends.postgresql.base", "django.contrib.auth.hashers", "django.test"),
    *("celery.bin.celery", "celery.bin.worker", "celery.bin.beat", "celery.apps.worker", "celery.worker.consumer"),
    *(
        "kombu.transport.redis",
        "redis.asyncio",
        "redis.cluster",
        "psycopg",
        "structlog",
        "msgspec",
        "cryptography.fernet",
    ),
    *("openai", "openai.resources.chat", "openai.resources.embeddings", "qdrant_client", "uvicorn.main"),
    *("uvicorn.protocols.http.auto", "uvicorn.protocols.websockets.auto", "pydantic", "prometheus_client"),
)
"""None of them reads the environment or Django's settings when it is imported."""
PR_SET_PDEATHSIG = 1
STATUS = struct.Struct("i")


class Forked:
    """A child of the nursery, to be handled like a `subprocess.Popen` whose output is text."""

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        reading, writing = os.pipe()
        self._line, theirs = socket.socketpair()
        request = json.dumps({"arguments": list(arguments), "env": dict(env)}).encode()
        with theirs:
            socket.send_fds(_nursery(), [request], [writing, theirs.fileno()])
        os.close(writing)
        self.stdout: TextIO = os.fdopen(reading, errors="replace")
        self.returncode: int | None = None
        if not (said := self._line.recv(STATUS.size)):
            raise RuntimeError("the nursery has ended")
        (self.pid,) = STATUS.unpack(said)

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended: its exit code, or minus the signal.

        Raises:
            subprocess.TimeoutExpired: it has not.
        """
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                said = self._line.recv(STATUS.size)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from None
            self.returncode = STATUS.unpack(said)[0] if said else -signal.SIGKILL  # the nursery is gone, and so is it
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@cache
def _nursery() -> socket.socket:
    """The line to this process's nursery, which ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    plain = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    with theirs:
        parent = subprocess.Popen(
            leashed([sys.executable, "-u", "-m", __name__, str(theirs.fileno())]),
            cwd=PROJECT,
            env=plain,
            pass_fds=[theirs.fileno()],
        )

    def end() -> None:
        ours.close()
        parent.wait(10)

    atexit.register(end)
    return ours


# The parent.


def main() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    assert "pomni_admin.settings" not in sys.modules, "of the wrong environment"
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        child = _serve(requests)
    if child is not None:
        _become(child)


def _serve(requests: socket.socket) -> dict[str, Any] | None:
    """Fork for each request, until nobody can make one; in a child, what it is to be."""
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wake)
    lines: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as ready:
        ready.register(requests, selectors.EVENT_READ)
        ready.register(woken, selectors.EVENT_READ)
        while True:
            for key, _events in ready.select():
                if key.fileobj is not requests:
                    os.read(woken, 512)
                    _tell(lines)
                    continue
                request, files, _flags, _address = socket.recv_fds(requests, 1 << 20, 2)
                if not request:
                    return None
                output, line = files[0], socket.socket(fileno=files[1])
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for other in (line, *lines.values()):
                        other.close()
                    os.close(woken)
                    os.close(wake)
                    return {**json.loads(request), "output": output}
                os.close(output)
                lines[pid] = line
                line.send(STATUS.pack(pid))


def _tell(lines: dict[int, socket.socket]) -> None:
    """Say of all children that have ended how they did."""
    while lines:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        with contextlib.suppress(OSError), lines.pop(pid) as line:
            line.send(STATUS.pack(os.waitstatus_to_exitcode(status)))


def _become(child: dict[str, Any]) -> None:
    """Run as Python runs a program with these arguments."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for here, there in ((nothing, 0), (child["output"], 1), (child["output"], 2)):
        os.dup2(here, there)
    os.close(nothing)
    os.close(child["output"])
    os.environ.clear()
    os.environ.update(child["env"])
    time.tzset()
    arguments: list[str] = child["arguments"]
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
