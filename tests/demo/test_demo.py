"""`make demo` for real: from nothing to a page, through kills and Ctrl-C, back with its data; and what it refuses."""

from __future__ import annotations

import re
import signal
import socket
import stat
import time
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import psutil
import psycopg
import pytest

from pomni_admin.demo.environment import Folder, StartRefusedError, environment, readable_password
from pomni_admin.demo.servers import Postgres, free_port
from pomni_admin.demo.show import _bind
from tests.harness.processes import Spawn, Spawned

NOTHING_SET = {"REDIS_URL": "", "DATABASE_URL": "", "QDRANT_URL": "", "POMNI_ENV": "", "POMNI_HASH_SECRET": ""}
UP_S = 90


def demo(spawn: Spawn, folder: Path, port: int, *options: str, **env: str) -> Spawned:
    arguments = ["-m", "pomni_admin.demo", "--folder", str(folder), "--port", str(port), *options]
    return spawn(arguments, {**NOTHING_SET, **env})


def family(process: Spawned) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def sign_ins(process: Spawned) -> dict[str, str]:
    return dict(re.findall(r"^ +(admin|support|viewer|superuser) +([a-z-]{15,})$", process.output, re.MULTILINE))


def rows(folder: Path, port: int, query: str) -> list[tuple[object, ...]]:
    password = (folder / "postgres" / "password").read_text().strip()
    with psycopg.connect(f"postgresql://pomni:{password}@127.0.0.1:{port}/postgres") as connection:
        return connection.execute(query.encode()).fetchall()


def postgres_port(process: Spawned) -> int:
    (postgres,) = [one for one in psutil.Process(process.pid).children() if one.name() == "postgres"]
    return int(re.findall(r"port=(\d+)", " ".join(postgres.cmdline()))[0])


def sign_in(address: str, name: str, password: str) -> str:
    """The first page after signing in by the form, as its HTML."""
    jar = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    with browser.open(address, timeout=20) as form:
        where = form.url
    token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
    fields = {"username": name, "password": password, "csrfmiddlewaretoken": token or ""}
    with browser.open(where, urllib.parse.urlencode(fields).encode(), timeout=20) as page:
        return str(page.read().decode())


def first_job_has_ended(folder: Path, port: int) -> list[tuple[object, ...]]:
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline:
        found = rows(folder, port, "SELECT state FROM summaries_job WHERE finished_at IS NOT NULL")
        if found:
            return found
        time.sleep(0.2)
    return []


def test_from_nothing_to_a_page_and_back_again(spawn: Spawn, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with socket.create_server(("127.0.0.1", free_port())) as occupied:
        wanted = occupied.getsockname()[1]
        first = demo(spawn, folder, wanted)
        first.wait_for(f"port {wanted} is taken: using ", 10)
        address = first.wait_for("http://127.0.0.1:", UP_S).strip()
    first.wait_for("Ctrl-C ends everything")
    with urllib.request.urlopen(address, timeout=10) as page:
        assert page.status == 200

    for name, password in sign_ins(first).items():
        assert f">{name}<" in sign_in(address, name, password)
    assert first_job_has_ended(folder, postgres_port(first)) == [("ok",)]
    assert rows(folder, postgres_port(first), "SELECT count(*) > 50 FROM dialog_summaries") == [(True,)]

    # What is changed reaches the caches: the triggers are there, and a relay listens.
    assert rows(folder, postgres_port(first), "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pomni%'") == [(12,)]
    relays = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pomni relay'"
    deadline = time.monotonic() + UP_S
    while rows(folder, postgres_port(first), relays) != [(2,)]:
        assert time.monotonic() < deadline
        time.sleep(0.1)

    # Another one in the same folder is told so, and where to look.
    second = demo(spawn, folder, wanted)
    second.wait_for(f"a demo is running already in {folder} ({address}); end it first", 10)
    assert second.wait() == 1

    # What dies is brought back: a worker, and Redis under all of them.
    for name in ("valkey", "worker-1"):
        (victim,) = [
            one
            for one in psutil.Process(first.pid).children()
            if name in " ".join(one.cmdline()) and "leash" not in " ".join(one.cmdline())
        ]
        victim.kill()
        first.wait_for(f"{name} ended with SIGKILL; starting it again", 10)
    with urllib.request.urlopen(address, timeout=10) as page:
        assert page.status == 200

    people = rows(folder, postgres_port(first), "SELECT count(*), min(id), max(created_at) FROM users")
    assert isinstance(people[0][0], int)
    assert people[0][0] >= 300
    started = family(first)
    first.process.send_signal(signal.SIGINT)
    assert first.wait() == 0
    _, alive = psutil.wait_procs(started, timeout=5)
    assert not alive

    # The second start finds people and passwords again. Killed with SIGKILL, it leaves no process either.
    again = demo(spawn, folder, free_port())
    again.wait_for("Ctrl-C ends everything", UP_S)
    assert sign_ins(again) == sign_ins(first)
    assert set(sign_ins(again)) == {"admin", "support", "viewer", "superuser"}
    assert rows(folder, postgres_port(again), "SELECT count(*), min(id), max(created_at) FROM users") == people
    started = family(again)
    again.kill()
    _, alive = psutil.wait_procs(started, timeout=5)
    assert not alive


def test_it_waits_for_the_database_that_is_named_and_starts_without_redis(
    spawn: Spawn, tmp_path: Path, own_postgres: Postgres
) -> None:
    own_postgres.stop()
    no_redis = free_port()
    process = demo(
        spawn,
        tmp_path / "demo",
        free_port(),
        DATABASE_URL=own_postgres.url,
        REDIS_URL=f"redis://:topsecret@127.0.0.1:{no_redis}/0",
    )
    process.wait_for(f"Redis at 127.0.0.1:{no_redis} is not reachable: starting without it", 20)
    process.wait_for(f"PostgreSQL at 127.0.0.1:{own_postgres.port} is not reachable", 20)
    own_postgres.start()

    process.wait_for("Ctrl-C ends everything", UP_S)

    started = psutil.Process(process.pid).children()
    assert not [one for one in started if one.name() in {"postgres", "valkey-server"}]
    assert "topsecret" not in process.output
    assert own_postgres.url.split(":")[2].split("@")[0] not in process.output
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0


def test_ctrl_c_while_waiting_for_the_database_ends_it(spawn: Spawn, tmp_path: Path) -> None:
    process = demo(
        spawn, tmp_path / "demo", free_port(), DATABASE_URL=f"postgresql://127.0.0.1:{free_port()}/none", REDIS_URL=""
    )
    process.wait_for("is not reachable", 20)
    process.process.send_signal(signal.SIGINT)
    assert process.wait() == 0


def test_a_database_with_people_of_its_own_is_left_alone(spawn: Spawn, tmp_path: Path, own_postgres: Postgres) -> None:
    """The simulated bot would write to them; without the check it does."""
    schema = Path("pomni_admin/bot/schema.sql").read_text()
    with psycopg.connect(own_postgres.url) as connection:
        connection.execute(schema.encode())
        connection.execute("INSERT INTO users (tg_id) VALUES (1)")

    process = demo(spawn, tmp_path / "demo", free_port(), DATABASE_URL=own_postgres.url)

    process.wait_for("DATABASE_URL names a database with people in it; the demo takes an empty one", 30)
    assert process.wait() == 1
    with psycopg.connect(own_postgres.url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (5,)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"POMNI_ENV": "production"}, "POMNI_ENV is 'production'"),
        ({"REDIS_TTL_ACCESS_STATE": "300"}, "REDIS_TTL_ACCESS_STATE is '300'"),
        ({"DATABASE_URL": "mysql://127.0.0.1/x"}, "DATABASE_URL is '(not shown)'"),
    ],
)
def test_what_cannot_be_a_demo_is_refused_in_one_line(
    spawn: Spawn, tmp_path: Path, variables: dict[str, str], said: str
) -> None:
    process = demo(spawn, tmp_path / "demo", free_port(), **variables)
    assert process.wait() == 1
    assert len(process.lines) == 1
    assert process.lines[0].startswith(f"demo: {said}")


def test_an_ordinary_file_where_the_folder_should_be_is_said(spawn: Spawn, tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    process = demo(spawn, tmp_path / "demo", free_port())
    assert process.wait() == 1
    assert process.lines[0].endswith("cannot be written to: File exists")


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    made = folder.secrets()
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert Folder(tmp_path).secrets() == made
    assert len({*made.passwords.values()}) == 4


def test_passwords_are_long_enough_to_be_accepted_and_differ() -> None:
    made = {readable_password() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"([a-z]{4}-){3}[a-z]{4}", password) for password in made)


def test_what_the_user_has_set_wins(tmp_path: Path) -> None:
    kept = Folder(tmp_path).secrets()
    urls = {"REDIS_URL": "redis://127.0.0.1:1/0", "QDRANT_URL": "http://127.0.0.1:2"}
    result = environment({"REDIS_URL": "redis://redis.example/0", "OFFLINE_LLM_DELAY_MS": "7"}, kept, urls)
    assert result["REDIS_URL"] == "redis://redis.example/0"
    assert result["OFFLINE_LLM_DELAY_MS"] == "7"
    assert result["QDRANT_URL"] == "http://127.0.0.1:2"
    assert result["POMNI_SECRET_KEY"] == kept.secret_key


def test_reset_forgets_everything_but_the_lock(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.take()
    before = folder.secrets()
    (tmp_path / "postgres" / "cluster").mkdir(parents=True)
    folder.wipe()
    folder.leave()
    assert [entry.name for entry in tmp_path.iterdir()] == ["lock"]
    assert folder.secrets() != before


def test_a_port_that_is_bound_is_kept_from_others() -> None:
    port = free_port()
    with _bind(port) as mine, _bind(port) as other:
        assert mine.getsockname()[1] == port
        assert other.getsockname()[1] > port


def test_no_free_port_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pomni_admin.demo.show.PORTS_TO_TRY", 0)
    with pytest.raises(StartRefusedError, match="no free port from 8000 on"):
        _bind(8000)
