"""What a run of summary jobs needs: servers, people with a yesterday, a provider, workers, a reaper."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
from psycopg.rows import dict_row

from benchmarks.slow_provider import DIM
from pomni_admin.bot.tables import create_tables
from pomni_admin.demo.servers import PROJECT, Postgres, Valkey, Vectors, free_port, leashed

PATIENCE_S = 60.0
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


@dataclass
class Stage:
    """All of it; `env` is what Django's processes are given."""

    folder: Path
    valkey: Valkey
    postgres: Postgres
    vectors: Vectors
    env: dict[str, str] = field(default_factory=dict)

    def rows(self, sql: LiteralString, *values: object) -> list[dict[str, Any]]:
        with psycopg.connect(self.postgres.url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

    def command(self, *words: str) -> str:
        """Run a command of `manage.py` to its end, and return what it said."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words], cwd=PROJECT, env=self.env, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def start(self, *arguments: str, log: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """A Python process that dies with this one; what it says goes to a file, so that no pipe fills up."""
        with (self.folder / log).open("ab") as file:
            return subprocess.Popen(
                leashed([sys.executable, *arguments]),
                cwd=PROJECT,
                env={**self.env, **(env or {})},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def provider(self, *options: str, port: int | None = None) -> subprocess.Popen[bytes]:
        """Start the provider, and name it to all processes that are started after it."""
        port = port or free_port()
        self.env["OPENROUTER_BASE_URL"] = f"http://127.0.0.1:{port}/v1"
        process = self.start("-m", "benchmarks.slow_provider", "--port", str(port), *options, log="provider.log")
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if any(one.laddr.port == port for one in psutil.Process(process.pid).net_connections("tcp")):
                return process
            time.sleep(0.05)
        raise TimeoutError("the provider does not come up")

    def provider_said(self, process: subprocess.Popen[bytes]) -> dict[str, int]:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        found: dict[str, int] = json.loads((self.folder / "provider.log").read_text().splitlines()[-1])
        return found

    def people(self, count: int, messages: int = 2) -> None:
        """So many people who wrote yesterday."""
        noon = datetime.combine(YESTERDAY, datetime.min.time(), UTC) + timedelta(hours=12)
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute("TRUNCATE users, bot_messages, dialog_summaries RESTART IDENTITY CASCADE")
            connection.execute("INSERT INTO users (tg_id) SELECT 700000000 + n FROM generate_series(1, %s) n", (count,))
            connection.execute(
                "INSERT INTO bot_messages (user_id, role, text, created_at)"
                " SELECT person.id, 'user', 'сообщение номер ' || n || ' о том, как прошёл день', %s"
                " FROM users AS person, generate_series(1, %s) n",
                (noon, messages),
            )
            connection.execute("VACUUM ANALYZE users, bot_messages")


class Worker:
    """A Celery worker with one pool process, both of which may be killed."""

    def __init__(self, stage: Stage, number: int, app: str = "pomni_admin") -> None:
        self._stage, self._number, self._app, self._life = stage, number, app, 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        self._life += 1
        log = f"worker-{self._number}-{self._life}.log"
        options = ["--concurrency", "1", "--hostname", f"w{self._number}-{self._life}@%h", "--loglevel", "INFO"]
        options += ["--without-gossip", "--without-mingle"]
        self._process = self._stage.start("-m", "celery", "-A", self._app, "worker", *options, log=log)
        deadline = time.monotonic() + PATIENCE_S
        while wait and b" ready." not in (self._stage.folder / log).read_bytes():
            if time.monotonic() > deadline:
                raise TimeoutError("the worker does not come up:\n" + (self._stage.folder / log).read_text()[-2000:])
            time.sleep(0.05)

    def pool_process(self) -> psutil.Process | None:
        assert self._process is not None
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(self._process.pid).children(recursive=True)
            return children[-1] if children else None
        return None

    def kill_pool_process(self) -> bool:
        child = self.pool_process()
        if child is None:
            return False
        with contextlib.suppress(psutil.Error):
            child.kill()
            return True
        return False

    def kill(self) -> None:
        """The worker and its pool process, as when a machine dies."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def memory_mb(self) -> float:
        """Of both processes, what is theirs alone."""
        assert self._process is not None
        family = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        return sum(one.memory_full_info().uss for one in family) / 2**20


@contextlib.contextmanager
def stage(**env: str) -> Iterator[Stage]:
    """Servers up, tables made; all gone at the end."""
    with tempfile.TemporaryDirectory(prefix="pomni-soak-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        made = Stage(
            folder,
            Valkey(folder / "valkey"),
            Postgres(folder / "postgres", durable=False),
            Vectors(folder / "vectors"),
        )
        servers = (made.valkey, made.postgres, made.vectors)
        try:
            for server in servers:
                server.start()
            made.env = {
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "pomni_admin.settings",
                "POMNI_ENV": "test",
                "POMNI_HASH_SECRET": base64.b64encode(b"only for a soak, thirty-two bytes").decode(),
                "CACHE_ENCRYPTION_KEYS": "s1:" + base64.b64encode(b"sealed for a soak thirty-two byt").decode(),
                "DATABASE_URL": made.postgres.url,
                "REDIS_URL": made.valkey.url,
                "QDRANT_URL": made.vectors.url,
                "QDRANT_EMBED_DIM": str(DIM),
                "POMNI_LLM": "openai",
                "OPENROUTER_API_KEY": "not-a-key",
                **env,
            }
            with psycopg.connect(made.postgres.url, autocommit=True) as connection:
                create_tables(connection)
            made.command("migrate", "--verbosity", "0")
            yield made
        finally:
            for server in reversed(servers):
                server.stop()
