"""The embedded servers: up in a moment, data kept over kill and restart, the port kept too, and never an orphan."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pomni_admin.demo import servers
from pomni_admin.demo.servers import LEASH, PROJECT, Postgres, Server, ServerError, Valkey, Vectors
from tests.harness.processes import Spawn

KINDS = pytest.mark.parametrize("kind", [Valkey, Postgres, Vectors])
START_AND_SAY = """
import pathlib, sys, time
from pomni_admin.demo.servers import {kind}
print("started", {kind}(pathlib.Path(sys.argv[1])).start().pid)
time.sleep(600)
"""


def test_valkey_refuses_to_evict_and_keeps_its_data_over_kill_9(own_valkey: Valkey) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.set("told", "Alisa")
    port = own_valkey.port

    own_valkey.kill()
    own_valkey.start()

    assert own_valkey.port == port
    with redis.Redis.from_url(own_valkey.url) as client:
        assert client.get("told") == b"Alisa"


def test_a_paused_valkey_accepts_and_does_not_answer(own_valkey: Valkey) -> None:
    own_valkey.pause()
    with redis.Redis.from_url(own_valkey.url, socket_timeout=0.2, retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(redis.TimeoutError):
            client.ping()
        own_valkey.resume()
        assert client.ping()


def test_postgres_keeps_what_was_committed_over_kill_9(own_postgres: Postgres) -> None:
    with psycopg.connect(own_postgres.url) as connection:
        connection.execute("CREATE TABLE told AS SELECT 'Борис' AS name")
    port = own_postgres.port

    own_postgres.kill()
    own_postgres.start()

    assert own_postgres.port == port
    with psycopg.connect(own_postgres.url) as connection:
        assert connection.execute("SELECT name, upper(name) FROM told").fetchone() == ("Борис", "БОРИС")


def test_postgres_asks_for_a_password(own_postgres: Postgres) -> None:
    """Its superuser can run programs; with `trust` any account of the machine could, as us."""
    address = f"postgresql://pomni@127.0.0.1:{own_postgres.port}/postgres"
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(address)
    assert stat.S_IMODE((own_postgres.folder / "password").stat().st_mode) == 0o600


def test_postgres_starts_although_another_process_has_the_number_of_the_killed_one(own_postgres: Postgres) -> None:
    """As after a restart of the machine. Without `_forget_a_killed_one` an ordinary user's server refuses to start."""
    own_postgres.kill()
    pid_file = own_postgres.folder / "cluster" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    own_postgres.start()

    assert own_postgres.is_ready()


@KINDS
def test_it_listens_on_loopback_only(kind: type[Server], tmp_path: Path) -> None:
    server = kind(tmp_path / "data").start()
    try:
        listening = [
            one.laddr for one in psutil.Process(server.pid).net_connections("inet") if one.status == psutil.CONN_LISTEN
        ]
        assert {(address.ip, address.port) for address in listening} == {("127.0.0.1", server.port)}
    finally:
        server.stop()


@KINDS
def test_stopping_leaves_no_process(kind: type[Server], tmp_path: Path) -> None:
    server = kind(tmp_path / "data").start()
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]

    server.stop()

    gone, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    assert len(gone) == len(family)


@KINDS
@pytest.mark.parametrize("paused", [False, True], ids=["running", "hung"])
def test_it_dies_with_a_starter_that_is_killed(kind: type[Server], paused: bool, spawn: Spawn, tmp_path: Path) -> None:
    """Without PR_SET_PDEATHSIG in `leash` the server lives on, and so does all that it started."""
    starter = spawn(["-c", START_AND_SAY.format(kind=kind.__name__), str(tmp_path / "data")])
    server = psutil.Process(int(starter.wait_for("started").split()[1]))
    family = [server, *server.children(recursive=True)]
    if paused:
        server.suspend()

    starter.kill()

    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive


def test_a_server_whose_port_is_taken_says_so(tmp_path: Path) -> None:
    said = pytest.raises(ServerError, match=r"(?s)valkey did not start on port \d+.*in use")
    with socket.create_server(("127.0.0.1", 0)) as taken, said:
        Valkey(tmp_path / "data", taken.getsockname()[1]).start()


def test_a_server_that_may_choose_takes_another_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taker:
        taken = taker.getsockname()[1]
        picks = iter([taken, servers.free_port()])
        monkeypatch.setattr(servers, "free_port", lambda: next(picks))
        server = Valkey(tmp_path / "data").start()
    try:
        assert server.is_ready()
        assert server.port != taken
    finally:
        server.stop()


def test_an_interrupted_initdb_is_done_again(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", durable=False)
    (server.folder / "unfinished").mkdir(parents=True)
    (server.folder / "unfinished" / "half").write_text("")
    try:
        assert server.start().is_ready()
    finally:
        server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_everything_works_as_an_ordinary_user_too(tmp_path: Path, ordinary: Callable[[Path], list[str]]) -> None:
    code = (
        "import pathlib, sys; from pomni_admin.demo.servers import *\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "for kind in (Valkey, Postgres, Vectors):\n"
        "    server = kind(folder / kind.__name__).start(); print(kind.__name__, 'ready'); server.stop()\n"
    )
    done = subprocess.run(
        [*ordinary(tmp_path), sys.executable, "-c", code, str(tmp_path)],
        cwd=PROJECT,
        env={**os.environ, "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split("\n")[:3] == ["Valkey ready", "Postgres ready", "Vectors ready"], done.stderr


@pytest.fixture
def ordinary() -> Callable[[Path], list[str]]:
    """A command's beginning that runs it as `nobody`, and gives that user the folder."""

    def become(folder: Path) -> list[str]:
        entry = pwd.getpwnam("nobody")
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        return [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), "nobody"]

    return become


def test_what_is_on_a_leash_keeps_signals_and_arguments(spawn: Spawn) -> None:
    process = spawn(["-c", "import sys, signal; print(sys.argv[1:]); signal.pause()", "a b", "*", "Вера"])
    process.wait_for("['a b', '*', 'Вера']")
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM
