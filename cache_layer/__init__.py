"""The Redis layer that the bot, Django and Celery share. It needs no Django."""

from cache_layer.catalogue.access_state import AccessState
from cache_layer.catalogue.jobs import JobSnapshot, JobState, WorkerView
from cache_layer.catalogue.rag import Context, Hit, PersonalQuestion, SharedQuestion
from cache_layer.catalogue.recent_history import HistoryQuery, Message
from cache_layer.catalogue.talkbuf import Incoming
from cache_layer.errors import (
    CacheLayerError,
    LockError,
    LockHeld,
    LockLost,
    LockUnavailable,
    SettingsError,
    TurnLost,
    Unavailable,
)
from cache_layer.layer import CacheLayer, Forgotten, Ping, Sources, SyncCacheLayer, TurnContext
from cache_layer.layer.talk_turn import Turn
from cache_layer.metrics import MinuteStats
from cache_layer.person import Identity, Person
from cache_layer.settings import Debounce, Settings
from cache_layer.shapes import Grant, HeldLock, Holder, Invalidated, LockView, Peek, Waiter

__all__ = [
    "AccessState",
    "CacheLayer",
    "CacheLayerError",
    "Context",
    "Debounce",
    "Forgotten",
    "Grant",
    "HeldLock",
    "HistoryQuery",
    "Hit",
    "Holder",
    "Identity",
    "Incoming",
    "Invalidated",
    "JobSnapshot",
    "JobState",
    "LockError",
    "LockHeld",
    "LockLost",
    "LockUnavailable",
    "LockView",
    "Message",
    "MinuteStats",
    "Peek",
    "Person",
    "PersonalQuestion",
    "Ping",
    "Settings",
    "SettingsError",
    "SharedQuestion",
    "Sources",
    "SyncCacheLayer",
    "Turn",
    "TurnContext",
    "TurnLost",
    "Unavailable",
    "Waiter",
    "WorkerView",
]
