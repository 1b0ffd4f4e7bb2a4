"""The simulated bot as a process: what it does, what it says, and how it ends."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from cache_layer import SettingsError
from pomni_admin.demo.bot.__main__ import main
from pomni_admin.demo.bot.people import WEIGHTS, Kind
from pomni_admin.demo.bot.settings import BotSettings
from pomni_admin.demo.bot.updates import FIRST_NAMES
from pomni_admin.demo.bot.visits import Act, visit
from pomni_admin.demo.servers import Valkey
from tests.demo.test_bot_faults import wait_for_messages
from tests.harness.cast import Cast
from tests.harness.processes import Spawn
from tests.harness.servers import Database

URL = "postgresql+asyncpg://me:word@pooler.example.org:6432/pomni?ssl=require&prepared_statement_cache_size=0"


@pytest.fixture
def refused_texts(database: Database) -> Iterator[Callable[[], object]]:
    """From the call on, PostgreSQL refuses every message, and quotes it in the error."""
    yield lambda: database.rows("ALTER TABLE bot_messages ADD CONSTRAINT refused CHECK (text = '') NOT VALID")
    database.rows("ALTER TABLE bot_messages DROP CONSTRAINT IF EXISTS refused")


def test_it_makes_traffic_ends_at_a_signal_and_says_nothing_about_anybody(
    spawn: Spawn, database: Database, valkey: Valkey, cast: Cast, refused_texts: Callable[[], object]
) -> None:
    """G6. Fails when the text of an exception is logged: that of the refused messages quotes their rows."""
    process = spawn(["-m", "pomni_admin.demo.bot"], {"BOT_RATE": "3000", "BOT_SEED": "7"})
    process.wait_for("bot started")
    wait_for_messages(database, 40)
    refused_texts()
    process.wait_for("an update failed: CheckViolation")
    started = time.monotonic()
    process.process.terminate()
    assert process.wait(5) == 0
    assert time.monotonic() - started < 2

    assert re.search(r"since the last line: updates=\d+ answered=\d+ refused=\d+ failed=[1-9]", process.output)
    assert "Warning" not in process.output
    said = process.output.lower()
    people = database.rows("SELECT tg_id FROM users")
    assert len(people) > 3
    assert not [row for row in people if str(row["tg_id"]) in said]
    assert not [name for name in FIRST_NAMES if name.lower() in said]
    assert not re.search("[а-яё]", said), "a text of a person or of the bot"

    with redis.Redis.from_url(valkey.url) as client:
        counts = [client.hgetall(key) for key in client.scan_iter("stats:*")]
    assert sum(int(minute.get(b"access_state.hit", 0)) for minute in counts) > 0
    assert sum(int(minute.get(b"access_state.miss", 0)) for minute in counts) > 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "mysql://localhost/pomni"),
        ("BOT_RATE", "many"),
        ("BOT_RATE", "0"),
        ("BOT_SEED", "-1"),
        ("POMNI_ENV", "production"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        BotSettings.from_env({"DATABASE_URL": URL, name: value})
    assert caught.value.variable == name


def test_a_wrong_variable_stops_the_start_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_RATE", "0")
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == (
        "bot: cannot start: BOT_RATE is '0'; allowed: a whole number from 1 to 6000 updates a minute"
    )


def test_a_database_url_for_sqlalchemy_and_a_pooler_is_understood() -> None:
    assert dict(BotSettings.from_env({"DATABASE_URL": URL}).postgres) == {
        "dbname": "pomni",
        "user": "me",
        "password": "word",
        "host": "pooler.example.org",
        "port": "6432",
        "sslmode": "require",
        "connect_timeout": 5,
        "prepare_threshold": None,
    }


@pytest.mark.parametrize("kind", list(WEIGHTS))
def test_the_same_seed_makes_the_same_visits(kind: Kind) -> None:
    def acts(seed: int) -> list[Act]:
        draw = random.Random(seed)
        script = visit(draw, 700_000_001, kind)
        done = [next(script)]
        try:
            while True:
                done.append(script.send(draw.choice(["answered", "refused"])))
        except StopIteration:
            return done

    assert acts(5) == acts(5)
    assert len({repr(acts(seed)) for seed in range(20)}) > 1
