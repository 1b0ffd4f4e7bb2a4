"""Wakes workers up. Messages say "look at this job" or "look for vectors", and losing them all loses nothing (G9)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from kombu.exceptions import OperationalError

from pomni_admin.celery import app

log = structlog.get_logger(__name__)

MOST_LOOKS = 8
"""So many waiting messages are enough: each worker that takes one goes on until nothing is left."""

MOST_REPAIRS = 200
"""So many more may wait where each is about other people; those that find no room are found by the nightly repair."""

VECTORS_A_WORKER = 50

IMPATIENT = {"max_retries": 1, "interval_start": 0, "socket_timeout": 2, "socket_connect_timeout": 1}
"""By default kombu tries to connect for many seconds before it says that it cannot."""


def looks(job_id: UUID, wanted: int) -> bool:
    """Ask for up to `wanted` workers; fewer when messages are waiting already. False when the broker is away.

    The queue is measured first, so that it stays short however long no worker has been there to empty it.
    """
    return _send("summaries.work", [str(job_id)], min(wanted, MOST_LOOKS))


def vectors(due: int) -> bool:
    """Ask workers to bring the vectors that are due, more of them the more there are. False when the broker is away."""
    return _send("summaries.write_vectors", [], min(1 + due // VECTORS_A_WORKER, MOST_LOOKS))


def people(user_ids: list[int]) -> bool:
    """Ask one worker to look after the vectors of people who have left. False when the broker is away."""
    return _send("summaries.repair_people", [user_ids], 1, most=MOST_LOOKS + MOST_REPAIRS)


def _send(task: str, arguments: list[Any], wanted: int, most: int = MOST_LOOKS) -> bool:
    # A connection of our own: fresh after the broker was away, and impatient, because a page may be waiting.
    options = {**app.conf.broker_transport_options, **IMPATIENT}
    connection: Any = app.connection_for_write(connect_timeout=1, transport_options=options)
    try:
        with connection:
            waiting = connection.default_channel.queue_declare(app.conf.task_default_queue).message_count
            for _ in range(max(0, min(wanted, most - waiting))):
                app.send_task(task, args=arguments, connection=connection, retry=False)
    except (OperationalError, OSError, *connection.transport.connection_errors) as error:
        log.warning("the broker is away; the reaper will ask again", task=task, error=type(error).__name__)
        return False
    return True
