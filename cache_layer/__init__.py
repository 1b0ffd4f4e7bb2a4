"""The Redis layer that the bot, Django and Celery share. It needs no Django."""

from cache_layer.catalogue.access_state import AccessState
from cache_layer.catalogue.jobs import JobSnapshot, JobState, WorkerView
from cache_layer.errors import (
    CacheLayerError,
    LockError,
    LockHeld,
    LockLost,
    LockUnavailable,
    SettingsError,
    Unavailable,
)
from cache_layer.layer import CacheLayer, Ping, SyncCacheLayer
from cache_layer.metrics import MinuteStats
from cache_layer.settings import Settings
from cache_layer.shapes import Grant, Holder, Invalidated, LockView, Peek

__all__ = [
    "AccessState",
    "CacheLayer",
    "CacheLayerError",
    "Grant",
    "Holder",
    "Invalidated",
    "JobSnapshot",
    "JobState",
    "LockError",
    "LockHeld",
    "LockLost",
    "LockUnavailable",
    "LockView",
    "MinuteStats",
    "Peek",
    "Ping",
    "Settings",
    "SettingsError",
    "SyncCacheLayer",
    "Unavailable",
    "WorkerView",
]
