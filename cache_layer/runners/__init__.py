"""Performing steps on Redis: blocking for Django and Celery, on an event loop for the bot.

Only this package imports redis. Whatever goes wrong on the way there becomes `Unavailable` (G4): exceptions of the
client never leave it. A runner also keeps callers of one key in one process together (G3): the first one goes, the
others get its answer.
"""

from cache_layer.runners.asynchronous import AsyncRunner
from cache_layer.runners.perform_threaded import SyncClient
from cache_layer.runners.threaded import SyncRunner

__all__ = ["AsyncRunner", "SyncClient", "SyncRunner"]
