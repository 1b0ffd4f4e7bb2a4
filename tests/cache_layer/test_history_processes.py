"""G2 to G4 for histories: four processes that write and read the same people's, while Redis is tormented."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import redis

from pomni_admin.demo.servers import Valkey
from tests.harness.processes import Spawn
from tests.harness.servers import Database

PROCESSES = 4


def kill(valkey: Valkey, client: redis.Redis) -> None:
    valkey.kill()
    valkey.start()


def stop_for_a_moment(valkey: Valkey, client: redis.Redis) -> None:
    valkey.pause()
    time.sleep(0.4)
    valkey.resume()


def pause_clients(valkey: Valkey, client: redis.Redis) -> None:
    client.client_pause(300)


def flush(valkey: Valkey, client: redis.Redis) -> None:
    client.flushall()
    client.script_flush()


def forget_lists(valkey: Valkey, client: redis.Redis) -> None:
    """As expiry does, at a moment that nobody chose."""
    for key in client.keys("recent_history*"):
        client.delete(key)


FAULTS: list[Callable[[Valkey, redis.Redis], None]] = [kill, stop_for_a_moment, pause_clients, flush, forget_lists]


def test_whoever_wrote_a_message_reads_it_and_in_the_end_all_read_the_same(
    own_valkey: Valkey, database: Database, spawn: Spawn, tmp_path: Path
) -> None:
    """Fails without what an append owes that Redis did not take, and without what is added to a load on its way."""
    for tg_id in (1, 2, 3):
        database.rows("INSERT INTO users (tg_id) VALUES (%s)", tg_id)
    bots = [
        spawn(["-m", "tests.cache_layer.talkative", own_valkey.url, database.url, str(tmp_path), str(number)])
        for number in range(PROCESSES)
    ]
    for bot in bots:
        bot.wait_for("talking")
    dice = random.Random(3)
    with redis.Redis.from_url(own_valkey.url) as client:
        for fault in FAULTS * 2:
            time.sleep(dice.uniform(0.1, 0.5))
            fault(own_valkey, client)
        time.sleep(0.3)
        (tmp_path / "stop").touch()
        wrote = [int(bot.wait_for("wrote ").split()[1]) for bot in bots]
        truth = {
            user_id: [
                row["id"]
                for row in database.rows(
                    "SELECT id FROM bot_messages WHERE user_id = %s ORDER BY id DESC LIMIT 120", user_id
                )
            ][::-1]
            for user_id in (1, 2, 3)
        }
        assert sum(wrote) == database.rows("SELECT count(*) AS n FROM bot_messages")[0]["n"]
        assert min(wrote) > 50
        for bot in bots:
            bot.wait_for("settled")
        (tmp_path / "read").touch()
    for bot in bots:
        assert bot.wait() == 0
        assert [line for line in bot.lines if line.startswith(("lost", "disordered"))] == []
        for user_id, ids in truth.items():
            assert f"reads {user_id} {ids}" in bot.lines
