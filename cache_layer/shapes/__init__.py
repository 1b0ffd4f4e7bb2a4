"""The mechanisms that caches are made of; each is written once, as steps."""

from cache_layer.shapes.lock import Grant, Holder, Lock, LockView
from cache_layer.shapes.mirror import Mirror
from cache_layer.shapes.recent import Recent
from cache_layer.shapes.value import Invalidated, Peek, Value

__all__ = ["Grant", "Holder", "Invalidated", "Lock", "LockView", "Mirror", "Peek", "Recent", "Value"]
