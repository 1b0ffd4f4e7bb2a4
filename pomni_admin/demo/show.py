"""The demo from start to the printed address: servers, database, processes, first job."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from cache_layer.settings import Reader
from pomni_admin import env
from pomni_admin.demo.environment import SIGN_INS, Folder, StartRefusedError, environment, is_set
from pomni_admin.demo.servers import Postgres, Server, Valkey, Vectors
from pomni_admin.demo.supervisor import Service, Stage, Supervisor

PYTHON = sys.executable
CELERY = [PYTHON, "-m", "celery", "-A", "pomni_admin"]
PORTS_TO_TRY = 100
FIRST_JOB_S = 8.0
"""How long the address may wait for the first finished job."""
PATIENCE_S = 60.0


def say(text: str) -> None:
    print(text, flush=True)


class Show:
    """One demo in one folder."""

    def __init__(self, folder: Folder, base: Mapping[str, str], port: int) -> None:
        self.folder = folder
        self._began = time.monotonic()
        self._secrets = folder.secrets()
        self._servers: list[Server] = []
        urls: dict[str, str] = {}
        kinds: dict[str, tuple[type[Server], str]] = {
            "REDIS_URL": (Valkey, "valkey"),
            "DATABASE_URL": (Postgres, "postgres"),
            "QDRANT_URL": (Vectors, "vectors"),
        }
        for variable, (kind, name) in kinds.items():
            if not is_set(base, variable):
                server = kind(folder.path / name)
                self._servers.append(server)
                urls[variable] = server.url
        self._environ = environment(base, self._secrets, urls)
        self._web = _bind(port)
        self._background: set[asyncio.Task[int]] = set()
        self.supervisor = Supervisor(folder.logs, self._environ, say)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._web.getsockname()[1]}/"

    async def run(self) -> None:
        """Start everything, print where it is, and stay until cancelled.

        Raises:
            StartRefusedError: something that the demo cannot do without does not start.
        """
        for server in self._servers:
            self.supervisor.start(Service.of(server))
        if not self._servers:
            say("using the servers that REDIS_URL, DATABASE_URL and QDRANT_URL name")
        with_redis = await self._redis()
        await self._database()
        prepared = await self.supervisor.run_once(
            "prepare", [PYTHON, "-m", "pomni_admin.demo.prepare", str(self.folder.path)]
        )
        if prepared != 0:
            words = self.supervisor.last_words("prepare")
            raise StartRefusedError(f"the database could not be filled:\n{words}")
        for service in self._first_services():
            self.supervisor.start(service)
        first = asyncio.create_task(self.supervisor.run_once("first-job", [PYTHON, "-m", "pomni_admin.demo.first_job"]))
        self._background.add(first)
        try:
            if not await self.supervisor.ready("web", PATIENCE_S):
                words = self.supervisor.last_words("web", 15)
                raise StartRefusedError(f"the site does not answer; its last words:\n{words}")
            for service in self._other_services():
                self.supervisor.start(service)
            # Without Redis no worker hears of the job.
            await asyncio.wait({first}, timeout=FIRST_JOB_S if with_redis else 0)
            self._announce(first_job_done=first.done())
            await asyncio.Event().wait()
        finally:
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await first

    @property
    def _api_secret(self) -> str:
        """As its processes have it: the caller may have set another."""
        return Reader(self._environ).text("POMNI_API_SECRET")

    @property
    def _metrics_secret(self) -> str:
        """As above."""
        return Reader(self._environ).text("POMNI_METRICS_SECRET")

    def close(self) -> None:
        self._web.close()

    def _first_services(self) -> list[Service]:
        """What the first page needs; the others would only delay it."""
        quick = ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        workers = [
            Service(
                name,
                [*CELERY, "worker", "--hostname", f"{name}@%h", "--concurrency", "2", *quick],
                Stage.CONSUMERS,
            )
            for name in ("worker-1", "worker-2")
        ]
        descriptor = self._web.fileno()
        return [
            Service(
                "web",
                [PYTHON, "-m", "pomni_admin.demo.web", "--fd", str(descriptor)],
                Stage.WEB,
                ready=self._site_answers,
                files=(descriptor,),
            ),
            *workers,
        ]

    def _other_services(self) -> list[Service]:
        schedule = str(self.folder.path / "beat-schedule")
        return [
            Service("beat", [*CELERY, "beat", "--schedule", schedule, "--loglevel", "INFO"], Stage.CONSUMERS),
            Service("reaper", [PYTHON, "manage.py", "summaries_reaper"], Stage.CONSUMERS),
            Service("relay", [PYTHON, "manage.py", "relay", "run"], Stage.CONSUMERS),
            Service("bot", [PYTHON, "-m", "pomni_admin.demo.bot"], Stage.CONSUMERS),
        ]

    async def _redis(self) -> bool:
        """Wait for Redis for a moment; whether it is there. Without it the demo starts all the same (G4)."""
        if any(isinstance(server, Valkey) for server in self._servers):
            up = await self.supervisor.ready("valkey", 20)
        else:
            up = await asyncio.to_thread(_listens, Reader(self._environ).text("REDIS_URL"), 6379)
        if not up:
            say(f"Redis at {_place(Reader(self._environ).text('REDIS_URL'))} is not reachable: starting without it")
        return up

    async def _database(self) -> None:
        """Wait for PostgreSQL, for as long as it takes."""
        told = False
        entry = env.database(Reader(self._environ))
        while True:
            reason = await asyncio.to_thread(_cannot_connect, entry)
            if reason is None:
                return
            if not told and (
                time.monotonic() - self._began > 20 or not any(isinstance(one, Postgres) for one in self._servers)
            ):
                told = True
                where = _place(Reader(self._environ).text("DATABASE_URL"))
                say(f"PostgreSQL at {where} is not reachable ({reason}); trying again until it is, or Ctrl-C")
            await asyncio.sleep(1 if told else 0.05)

    def _site_answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._web.getsockname()[1], timeout=10)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _announce(self, *, first_job_done: bool) -> None:
        self.folder.note(self.address)
        passwords = self._secrets.passwords
        rows = [f"      {name:<11}{passwords[name]}" for name in SIGN_INS]
        lines = [
            "",
            f"  Pomni Admin is running (after {time.monotonic() - self._began:.0f} s). Open",
            "",
            f"      {self.address}",
            "",
            "  and sign in as one of",
            "",
            *rows,
            "",
            "  The HTTP API for cron jobs is tried with the lines of docs/api.md, after",
            "",
            f"      export POMNI_URL={self.address.rstrip('/')} POMNI_API_SECRET={self._api_secret}",
            "",
            "  Metrics for Prometheus:",
            "",
            f"      curl -H 'Authorization: Bearer {self._metrics_secret}' {self.address}metrics",
            "",
            "  The LLM and the embeddings are offline stand-ins; people and messages are invented.",
            f"  Logs: {self.folder.logs}. Ctrl-C ends everything; the data stays for the next start.",
            "",
        ]
        if not first_job_done:
            lines.insert(-1, "  A first daily job is at work; it will be finished in a moment.")
        say("\n".join(lines))


def _bind(wanted: int) -> socket.socket:
    """A socket on the wanted port, or on the next that is free, which is said."""
    for port in range(wanted, min(wanted + PORTS_TO_TRY, 65536)):
        web = socket.socket()
        web.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            web.bind(("127.0.0.1", port))
            web.listen(128)  # binding alone would not keep another demo from binding it as well
        except OSError:
            web.close()
            continue
        if port != wanted:
            say(f"port {wanted} is taken: using {port}")
        return web
    raise StartRefusedError(f"no free port from {wanted} on; choose another with --port (make demo PORT=…)")


def _cannot_connect(entry: Mapping[str, object]) -> str | None:
    """Why PostgreSQL cannot be connected to, in one line; None when it can."""
    options = entry["OPTIONS"]
    assert isinstance(options, Mapping)
    keywords = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {keyword: str(entry[key]) for keyword, key in keywords.items() if entry.get(key)}
    extra = {key: str(value) for key, value in options.items() if key not in {"prepare_threshold", "connect_timeout"}}
    try:
        psycopg.connect(psycopg.conninfo.make_conninfo(**given, **extra), connect_timeout=5).close()
    except psycopg.OperationalError as error:
        return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
    return None


def _listens(url: str, default_port: int) -> bool:
    parts = urlsplit(url)
    try:
        if parts.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(parts.path)
        else:
            socket.create_connection((parts.hostname or "127.0.0.1", parts.port or default_port), timeout=2).close()
    except OSError:
        return False
    return True


def _place(url: str) -> str:
    """The part of a URL that may be shown: never the password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return str(Path(parts.path))
    return f"{parts.hostname or '127.0.0.1'}{f':{parts.port}' if parts.port else ''}"
