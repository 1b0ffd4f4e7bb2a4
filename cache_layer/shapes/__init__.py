"""The mechanisms that caches are made of; each is written once, as steps."""

from cache_layer.shapes.held_lock import Grant, HeldLock
from cache_layer.shapes.lock import Holder, Lock
from cache_layer.shapes.lock_grant import LockGrant
from cache_layer.shapes.lock_view import LockView, Waiter
from cache_layer.shapes.mirror import Mirror
from cache_layer.shapes.outcomes import Invalidated, Peek
from cache_layer.shapes.recent import Recent
from cache_layer.shapes.value import Value

__all__ = [
    "Grant",
    "HeldLock",
    "Holder",
    "Invalidated",
    "Lock",
    "LockGrant",
    "LockView",
    "Mirror",
    "Peek",
    "Recent",
    "Value",
    "Waiter",
]
