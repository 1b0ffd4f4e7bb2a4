"""The layer of a process of the site: made at its first use, ended with the process."""

from __future__ import annotations

import time
from collections.abc import Callable

import redis

from pomni_admin.demo.servers import Valkey
from pomni_admin.summaries import jobs, periods
from tests.dashboard.visitors import Visitor, cookie_of
from tests.harness.cast import Cast
from tests.harness.processes import Site, Spawn, StartWorker
from tests.harness.servers import Database

READ_ONCE = """
import django
django.setup()
from pomni_admin.bot.access import read_access
from pomni_admin.cache import layer
print(layer().access_state.get({user_id}, load=read_access).reason)
"""

FORKED = """
import os
import django
django.setup()
from pomni_admin.cache import layer
before = layer()
child = os.fork()
if child:
    os.waitpid(child, 0)
    print("parent", layer() is before)
else:
    print("child", layer() is before, layer().ping().ok, flush=True)
    os._exit(0)
"""


def test_what_a_short_command_counted_is_sent_when_it_ends(spawn: Spawn, valkey: Valkey, cast: Cast) -> None:
    """Fails when the layer is not closed at exit: the command is over before the first flush."""
    process = spawn(["-c", READ_ONCE.format(user_id=cast.alisa)])
    process.wait_for("subscription")
    assert process.wait() == 0
    with redis.Redis.from_url(valkey.url) as client:
        counted = [client.hgetall(key) for key in client.scan_iter("stats:{*}")]
    assert sum(int(fields.get(b"access_state.miss", 0)) for fields in counted) == 1


def test_a_forked_child_makes_a_layer_of_its_own(spawn: Spawn, valkey: Valkey) -> None:
    """Two processes on one connection would read each other's replies."""
    process = spawn(["-W", "ignore::DeprecationWarning", "-c", FORKED])
    assert process.wait() == 0
    assert "child False True" in process.output
    assert "parent True" in process.output


def test_a_worker_that_ends_in_order_takes_its_instances_out(
    worker: StartWorker, database: Database, valkey: Valkey
) -> None:
    """Celery ends its pool's processes past `atexit`; then each would be listed as silent for ten minutes."""
    process = worker(concurrency=2)
    jobs.start("daily", periods.daily(), started_by="test")
    with redis.Redis.from_url(valkey.url) as client:
        deadline = time.monotonic() + 20
        while not any(b'"worker"' in said for said in client.hvals("instances:{all}")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.stop(timeout=40)
        assert not any(b'"worker"' in said for said in client.hvals("instances:{all}"))


def test_a_site_that_is_stopped_takes_its_instance_out(
    own_site: Callable[..., Site], database: Database, valkey: Valkey
) -> None:
    """Fails without the lifespan: uvicorn raises the signal that stopped it again, and `atexit` is not reached."""
    with redis.Redis.from_url(valkey.url) as client:
        time.sleep(1.5)  # the site that other tests share says each second that it is there
        others = _sites(client)
    site = own_site()
    visitor = Visitor(site, cookie_of("viewer"))
    visitor.get("/caches")
    visitor.close()
    with redis.Redis.from_url(valkey.url) as client:
        (here,) = _sites(client) - others
        site.process.stop()
        assert here not in _sites(client)


def _sites(client: redis.Redis) -> set[str]:
    """The instances that are sites, by their ids."""
    heard = {id_.decode(): said for id_, said in client.hgetall("instances:{all}").items() if isinstance(id_, bytes)}
    return {id_ for id_, said in heard.items() if isinstance(said, bytes) and b'"web"' in said}
