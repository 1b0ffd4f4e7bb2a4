"""The scene: people with canaries in PostgreSQL, every process of the site and the bot, all driven once.

What came out is kept by channel, as bytes. The tests only look at it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis
from django.contrib.auth.models import Group
from django.db import connections
from django.test import Client
from websockets.asyncio.client import connect

from pomni_admin.accounts.models import User
from pomni_admin.dashboard.registry import LIVE
from pomni_admin.demo.environment import Folder
from pomni_admin.demo.servers import Postgres, Valkey, free_port
from pomni_admin.demo.show import Show
from pomni_admin.relay import triggers
from pomni_admin.summaries import jobs, periods
from tests.cache_layer.proxy import Proxy
from tests.harness.processes import Spawned
from tests.harness.servers import Database
from tests.privacy.calls import call_api
from tests.privacy.canaries import PEOPLE, SUMMARY, TYPED, WORDS, message_of, tg_id, user_id
from tests.privacy.echo import Echo
from tests.privacy.visits import FEW, SEARCHED, Browser, addresses
from tests.summaries.llm import EMBEDDINGS, Llm, chat

ROLES = ("viewer", "support", "admin", "superuser")
REPLACED = {"web", "bot"}
"""Services of the demo that are started here in another way: with a log of requests, and fed with canaries."""

RAISE = """
CREATE FUNCTION quote_the_summary() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'row refused: %', NEW.text; END $$;
CREATE TRIGGER quote_the_summary BEFORE INSERT ON dialog_summaries
    FOR EACH ROW WHEN (NEW.user_id = {unwritable}) EXECUTE FUNCTION quote_the_summary()
"""
BREAK_PAYMENTS = """
CREATE FUNCTION quote_the_payment(id text) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'payment % refused', id; END $$;
ALTER TABLE payments RENAME TO payments_in_order;
CREATE VIEW payments AS SELECT * FROM payments_in_order WHERE quote_the_payment(provider_payment_id)
"""
MEND = """
DO $$ BEGIN
    IF to_regclass('payments_in_order') IS NOT NULL THEN
        DROP VIEW payments;
        ALTER TABLE payments_in_order RENAME TO payments;
    END IF;
END $$;
DROP FUNCTION IF EXISTS quote_the_payment(text);
DROP TRIGGER IF EXISTS quote_the_summary ON dialog_summaries;
DROP FUNCTION IF EXISTS quote_the_summary()
"""
BOTS_TABLES = {"users", "subscriptions", "payments", "bot_messages", "dialog_summaries"}


@dataclass
class Collected:
    """What came out, by channel; and how often what happened, so that nobody takes silence for privacy."""

    channels: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, channel: str, content: str | bytes) -> None:
        self.channels[channel].append(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))

    def of(self, channel: str) -> bytes:
        return b"\n".join(self.channels[channel])


class Scene:
    """One run, protected or not."""

    def __init__(
        self, database: Database, valkey: Valkey, postgres: Postgres, folder: Path, *, protected: bool
    ) -> None:
        self.out = Collected()
        self._database, self._valkey, self._folder, self._protected = database, valkey, folder, protected
        self._processes: dict[str, Spawned] = {}
        self._open = contextlib.ExitStack()
        self._looked_up = threading.Event()
        self._redis_port, self._postgres_port = valkey.port, postgres.port

    def run(self) -> Collected:
        """Build it, drive it, take it down."""
        self._seed()
        with (
            FaultyLlm() as llm,
            Echo() as qdrant,
            Proxy(self._redis_port) as cache,
            Proxy(self._postgres_port) as database,
        ):
            self._environ = self._environment(llm, qdrant, cache, database)
            try:
                with self._listening(), self._open:
                    self._start()
                    self._drive(cache, database)
            finally:
                for name, process in self._processes.items():
                    process.stop()
                    self.out.add(f"log of {name}", process.output)
                self._database.rows(MEND)
                triggers.remove(30, lambda _line: None)
        return self.out

    def _seed(self) -> None:
        rows = self._database.rows
        rows("TRUNCATE users RESTART IDENTITY CASCADE")
        yesterday = datetime.now(UTC) - timedelta(days=1)
        for person in PEOPLE:
            level = "none" if person == "private" else "insights"
            rows(
                "INSERT INTO users (id, tg_id, privacy_level, trial_started_at, trial_expires_at, policy_accepted_at) "
                "VALUES (%s, %s, %s, now(), now() + interval '5 days', now())",
                *(user_id(person), tg_id(person), level),
            )
            for shift in range(2):
                rows(
                    "INSERT INTO bot_messages (user_id, role, text, created_at) VALUES (%s, 'user', %s, %s)",
                    *(user_id(person), message_of(person), yesterday.replace(hour=10 + shift)),
                )
        rows(
            "INSERT INTO payments (user_id, provider_payment_id, amount, status, raw) "
            "VALUES (%s, %s, 49900, 'succeeded', %s)",
            *(user_id("sound"), WORDS["a payment id"][0], json.dumps({"mail": WORDS["an e-mail address"][0]})),
        )
        rows(
            "INSERT INTO subscriptions (user_id, status, subscription_until, yk_customer_id) "
            "VALUES (%s, 'active', now() + interval '9 days', %s)",
            *(user_id("sound"), WORDS["a customer's id"][0]),
        )
        rows(RAISE.format(unwritable=user_id("unwritable")))
        triggers.install(10, lambda _line: None)

    def _environment(self, llm: Llm, qdrant: Echo, cache: Proxy, database: Proxy) -> dict[str, str]:
        return {
            **os.environ,
            **llm.env,
            "POMNI_LOG_LEVEL": "DEBUG",
            "REDIS_URL": cache.url,
            "DATABASE_URL": _through(self._database.url, database.port),
            "QDRANT_URL": qdrant.url,
            "EMBED_RETRY_MAX": "0",
            "EMBED_RETRY_BASE_SEC": "0",
            "LLM_TIMEOUT": "5",
            "SUMMARIES_LEASE_SEC": "2",
        }

    def _start(self) -> None:
        """All processes of the demo, by its own list, so that a new one is in here by itself."""
        self.port = free_port()
        web = ["uvicorn", "pomni_admin.asgi:application", "--port", str(self.port), "--log-level", "debug"]
        self._spawn("web", ["-m", *web, "--timeout-graceful-shutdown", "1"])
        for name, command in services(self._folder).items():
            if self._protected or name == "worker":
                self._spawn(name, command)
        self._spawn("bot", ["-m", "tests.privacy.bot"])
        self._await_site()

    def _browser(self, cookie: str) -> Browser:
        return self._open.enter_context(contextlib.closing(Browser(self.port, cookie, self.out)))

    def _spawn(self, name: str, arguments: list[str]) -> None:
        own = arguments[1:] if arguments[0] == "-m" else arguments
        arguments = ["-m", "tests.privacy.careless", *([] if self._protected else ["--unprotected"]), *own]
        self._processes[name] = Spawned(arguments, self._environ)

    def _await_site(self) -> None:
        ends = time.monotonic() + 60
        while time.monotonic() < ends and self._processes["web"].process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise AssertionError(self._processes["web"].output)

    def _drive(self, cache: Proxy, database: Proxy) -> None:
        cookies = {role: sign_in(role) for role in ROLES}
        job = str(jobs.start("daily", periods.daily(), started_by="a schedule").pk)
        connections.close_all()
        watching = threading.Thread(target=lambda: asyncio.run(self._watch(cookies, job)))
        watching.start()
        dumping = threading.Thread(target=self._dump_redis_after_the_bot)
        dumping.start()
        browsers = {role: self._browser(cookie) for role, cookie in {"": "", **cookies}.items()}
        if self._protected:  # the control needs only what shows people
            self._visit_everything(browsers, job)
        dumping.join()
        self.out.add("metrics", self._processes["bot"].output.partition("# HELP")[2])
        self._await_job(job)
        browsers["support"].look_people_up(SEARCHED if self._protected else FEW)
        browsers["admin"].look_people_up(SEARCHED[:2])
        browsers["admin"].run_for_people(SEARCHED if self._protected else FEW)
        time.sleep(0.6)  # what was looked up is on the Audit page at most so much later
        self._looked_up.set()
        watching.join()
        call_api(self.port, self.out)
        if self._protected:
            self._fill_in_forms(browsers)  # the job may be cancelled now
        self._dump_redis()
        self._database.rows(BREAK_PAYMENTS)
        browsers["support"].look_people_up(WORDS["a payment id"])
        if self._protected:
            self._break_servers(cache, database, job)
        self._database.rows(MEND)
        self._dump_postgres()

    def _visit_everything(self, browsers: Mapping[str, Browser], job: str) -> None:
        sensible, all_of_them = addresses(job, with_typed=False), addresses(job)
        for role, browser in browsers.items():
            curious = role in {"", "admin"}
            browser.look_around(all_of_them if curious else sensible, posts=curious)

    def _fill_in_forms(self, browsers: Mapping[str, Browser]) -> None:
        for role, browser in browsers.items():
            browser.fill_in_forms(TYPED if role == "admin" else TYPED[:1])
        browsers[""].send_nonsense()

    def _break_servers(self, cache: Proxy, database: Proxy, job: str) -> None:
        """Redis away, and then PostgreSQL too."""
        browser = self._browser(sign_in("support"))
        connections.close_all()
        for away in (cache, database):
            away.trouble = "reset"
            browser.look_around(addresses(job, with_typed=False), posts=False)
            browser.look_people_up(FEW)
        database.trouble = cache.trouble = "none"

    async def _watch(self, cookies: Mapping[str, str], job: str) -> None:
        """Every live page in every role, for as long as summaries are made and people looked up."""

        async def one(role: str, page: str) -> None:
            subject = f"/{job}" if page == "job" else ""
            opening = connect(
                f"ws://127.0.0.1:{self.port}/live/{page}{subject}?language=en&who={TYPED[1]}",
                additional_headers={"Cookie": cookies[role]},
                origin=f"http://127.0.0.1:{self.port}",  # type: ignore[arg-type]
                open_timeout=30,
            )
            async with opening as connection:
                while not self._looked_up.is_set():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.5):
                            self.out.add("frames", await connection.recv())
                            self.out.counts["frames"] += 1

        await asyncio.gather(*(one(role, page) for role in cookies for page in LIVE), return_exceptions=True)

    def _await_job(self, job: str) -> None:
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            (row,) = self._database.rows(
                "SELECT (SELECT count(*) FROM summaries_failure WHERE job_id = %s) AS failures, "
                "(SELECT count(*) FROM dialog_summaries) AS summaries",
                job,
            )
            if row["failures"] >= 5 and row["summaries"]:
                self.out.counts.update(row)
                return
            time.sleep(0.1)
        raise AssertionError(f"the job did not come so far:\n{self._processes['worker'].output[-3000:]}")

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """All that is said to Redis, and all that it announces, from the first to the last."""
        ended = threading.Event()
        with redis.Redis.from_url(self._valkey.url) as client:

            def commands() -> None:
                with socket.create_connection(("127.0.0.1", self._redis_port), timeout=0.2) as monitor:
                    monitor.sendall(b"MONITOR\r\n")
                    said = bytearray()
                    while not ended.is_set():
                        with contextlib.suppress(TimeoutError):
                            said += monitor.recv(1 << 20)
                self.out.add("commands to Redis", bytes(said))
                for line in said.splitlines():
                    if b"_kombu" in line or b"headers" in line:
                        self.out.add("messages of Celery", bytes(line))

            def announcements() -> None:
                with client.pubsub() as pubsub:
                    pubsub.psubscribe("*")
                    while not ended.is_set():
                        message = pubsub.get_message(timeout=0.2)
                        if message is not None:
                            self.out.add("announcements", repr(message))

            threads = [threading.Thread(target=listen) for listen in (commands, announcements)]
            for thread in threads:
                thread.start()
            yield
            ended.set()
            for thread in threads:
                thread.join()

    def _dump_redis_after_the_bot(self) -> None:
        """At once, for what it holds on people runs out after some seconds."""
        self._processes["bot"].wait(90)
        self._dump_redis()

    def _dump_redis(self) -> None:
        with redis.Redis.from_url(self._valkey.url) as client:
            for key in client.scan_iter():
                self.out.add("keys of Redis", key)
                self.out.add("values of Redis", client.dump(key) or b"")
                for piece in _values(client, key):
                    self.out.add("values of Redis", piece)
                self.out.counts[f"keys {key.decode().partition(':')[0]}"] += 1

    def _dump_postgres(self) -> None:
        from importlib import import_module

        from django.conf import settings

        decode = import_module(settings.SESSION_ENGINE).SessionStore().decode
        for row in self._database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            table = row["tablename"]
            if table in BOTS_TABLES:
                continue
            rows = self._database.rows(f"SELECT * FROM {table}")
            self.out.counts[f"rows of {table}"] = len(rows)
            for found in rows:
                self.out.add("audit rows" if table.startswith("audit_") else "other tables", repr(found))
                if "session_data" in found:
                    self.out.add("sessions", json.dumps(decode(found["session_data"]), ensure_ascii=False))


class FaultyLlm(Llm):
    """The model: well for one person, badly for the others, and its complaints repeat what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        quoted = {person: f"you sent: {message_of(person)}".encode() for person in PEOPLE}
        self.on("sound:", body=chat(SUMMARY))
        self.on("unwritable:", body=chat(SUMMARY))
        self.on("limited:", status=429, body=quoted["limited"], headers={"Retry-After": "0"})
        self.on("broken:", status=500, body=quoted["broken"])
        self.on("garbled:", body=quoted["garbled"])
        self.on("refused:", status=400, body=json.dumps({"error": {"message": message_of("refused")}}).encode())
        self.on("", path=EMBEDDINGS, status=500, body=SUMMARY.encode())

    def __enter__(self) -> FaultyLlm:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def services(folder: Path) -> dict[str, list[str]]:
    """What the demo runs, one of each kind, as arguments of Python."""
    place = Folder(folder / "demo")
    place.take()
    show = Show(place, {}, free_port())
    try:
        found: dict[str, list[str]] = {}
        for service in show._first_services() + show._other_services():
            name = service.name.partition("-")[0]
            if name not in REPLACED and name not in found:
                words = list(service.command[1:])
                if "--concurrency" in words:
                    words[words.index("--concurrency") + 1] = "1"
                found[name] = ["DEBUG" if word == "INFO" else word for word in words]
        return found
    finally:
        show.close()
        place.leave()


def sign_in(role: str) -> str:
    """The cookie of a fresh session of somebody in that role."""
    user, _made = User.objects.get_or_create(username=f"staff-{role}")
    user.is_active, user.is_superuser = True, role == "superuser"
    user.save()
    if group := Group.objects.filter(name=role.capitalize()).first():
        user.groups.set([group])
    client = Client()
    client.force_login(user)
    return f"pomni_session={client.cookies['pomni_session'].value}; pomni_language=en"


def _values(client: Any, key: bytes) -> Iterator[bytes]:
    match client.type(key):
        case b"string":
            yield client.get(key)
        case b"list":
            yield from client.lrange(key, 0, -1)
        case b"hash":
            for pair in client.hgetall(key).items():
                yield from pair
        case b"set":
            yield from client.smembers(key)
        case b"zset":
            yield from client.zrange(key, 0, -1)
        case b"stream":
            for _id, entry in client.xrange(key):
                for pair in entry.items():
                    yield from pair


def _through(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}"))
