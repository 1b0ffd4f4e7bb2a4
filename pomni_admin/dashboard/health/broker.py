"""The broker: how many messages wait for a worker, since when the oldest, and how many are being worked on."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from pomni_admin.celery import SENT_AT, app
from pomni_admin.dashboard.health.asking import Off, Part

IMPATIENT = {"max_retries": 0, "interval_start": 0, "socket_timeout": 1, "socket_connect_timeout": 1}
OLD_S = 60.0
"""A worker takes up the next message after a minute at the latest, unless there are too few of them."""


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """What was seen.

    Attributes:
        waiting: messages that no worker has taken; `oldest_s` is the age of the one that comes next, None without one.
        taken: messages that workers have taken and not done with.
    """

    latency_ms: float
    queue: str
    waiting: int
    oldest_s: float | None
    taken: int

    @property
    def wrongs(self) -> tuple[str, ...]:
        """What wants attention, by codes of `operation_words.ADVICE`."""
        return ("broker_waits",) if (self.oldest_s or 0.0) > OLD_S else ()


def ask() -> BrokerFacts:
    if not app.conf.broker_url:
        raise Off
    options = {**app.conf.broker_transport_options, **IMPATIENT}
    connection: Any = app.connection_for_read(connect_timeout=1, transport_options=options)
    queue: str = app.conf.task_default_queue
    with connection:
        client = connection.default_channel.client
        began = time.perf_counter()
        waiting = client.llen(queue)
        latency_ms = (time.perf_counter() - began) * 1000
        # kombu puts its prefix before the keys of some commands, of which this is none.
        oldest = client.lindex(f"{options.get('global_keyprefix', '')}{queue}", -1)
        taken = client.hlen("unacked")
    return BrokerFacts(latency_ms, queue, waiting, _age_s(oldest), taken)


def _age_s(message: bytes | None) -> float | None:
    """None where there is no message, or one that was sent by something that does not note when."""
    if message is None:
        return None
    sent_at_s = json.loads(message).get("headers", {}).get(SENT_AT)
    return max(time.time() - sent_at_s, 0.0) if isinstance(sent_at_s, int | float) else None


BROKER = Part("broker", ask)
