"""Tells the pool processes of a Celery worker that the worker is shutting down.

Celery tells only the parent process, and then waits for tasks that are running; these are long. The parent therefore
writes one byte into memory that it shares with the pool processes it has forked, and they look at it between people.
A pool process whose parent has been killed stops as well.

Celery ends its pool processes past `atexit`, so what that would do for the layer is done here.
"""

from __future__ import annotations

import mmap
import os

from celery.signals import worker_process_init, worker_process_shutdown, worker_shutting_down

from pomni_admin import cache

_flag = mmap.mmap(-1, 1)
_parent: int | None = None


def stopping() -> bool:
    """Whether this process should give back what it has and return."""
    return _flag[0] != 0 or (_parent is not None and os.getppid() != _parent)


@worker_shutting_down.connect(weak=False)
def _shutting_down(**_kwargs: object) -> None:
    _flag[0] = 1


@worker_process_init.connect(weak=False)
def _forked(**_kwargs: object) -> None:
    global _parent
    _parent = os.getppid()


@worker_process_shutdown.connect(weak=False)
def _ending(**_kwargs: object) -> None:
    """The last second's records are sent, and the process is not listed as one that fell silent."""
    cache.close()
