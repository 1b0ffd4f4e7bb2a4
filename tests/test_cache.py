"""The layer of a process of the site: made at its first use, ended with the process."""

from __future__ import annotations

import redis

from pomni_admin.demo.servers import Valkey
from tests.harness.cast import Cast
from tests.harness.processes import Spawn

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
