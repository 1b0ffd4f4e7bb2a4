"""The Redis layer that the bot, Django and Celery share. It needs no Django."""

from cache_layer.catalogue.access_state import AccessState
from cache_layer.catalogue.jobs import JobSnapshot, JobState, WorkerView
from cache_layer.catalogue.rag import Context, Hit, PersonalQuestion, SharedQuestion
from cache_layer.catalogue.recent_history import HistoryQuery, Message
from cache_layer.catalogue.talkbuf import Incoming
from cache_layer.changes import Change
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
from cache_layer.histograms import Histogram
from cache_layer.holdings import Holding, Holdings
from cache_layer.instances import Instance, Presence
from cache_layer.keyspace import DROPPABLE, Dropped, Extent, Measured
from cache_layer.layer import CacheLayer, Forgotten, Ping, Sources, SyncCacheLayer, TurnContext
from cache_layer.layer.talk_turn import Turn
from cache_layer.person import Identity, Person
from cache_layer.settings import Debounce, Settings
from cache_layer.shapes import Grant, HeldLock, Holder, Invalidated, LockGrant, LockView, Peek, Waiter
from cache_layer.shapes.gate import GateView, Pass, Rules, Shut
from cache_layer.statistics import CacheStats, MinuteStats
from cache_layer.switches import CacheSwitch, SwitchedOff, Turned

__all__ = [
    "DROPPABLE",
    "AccessState",
    "CacheLayer",
    "CacheLayerError",
    "CacheStats",
    "CacheSwitch",
    "Change",
    "Context",
    "Debounce",
    "Dropped",
    "Extent",
    "Forgotten",
    "GateView",
    "Grant",
    "HeldLock",
    "Histogram",
    "HistoryQuery",
    "Hit",
    "Holder",
    "Holding",
    "Holdings",
    "Identity",
    "Incoming",
    "Instance",
    "Invalidated",
    "JobSnapshot",
    "JobState",
    "LockError",
    "LockGrant",
    "LockHeld",
    "LockLost",
    "LockUnavailable",
    "LockView",
    "Measured",
    "Message",
    "MinuteStats",
    "Pass",
    "Peek",
    "Person",
    "PersonalQuestion",
    "Ping",
    "Presence",
    "Rules",
    "Settings",
    "SettingsError",
    "SharedQuestion",
    "Shut",
    "Sources",
    "SwitchedOff",
    "SyncCacheLayer",
    "Turn",
    "TurnContext",
    "TurnLost",
    "Turned",
    "Unavailable",
    "Waiter",
    "WorkerView",
]
