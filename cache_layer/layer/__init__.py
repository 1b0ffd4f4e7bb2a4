"""What the bot and Django see of the layer: two facades over the same definitions, one a word of `await` longer."""

from cache_layer.layer.asynchronous import CacheLayer
from cache_layer.layer.definitions import Forgotten, Ping
from cache_layer.layer.threaded import SyncCacheLayer
from cache_layer.layer.turn import Sources, TurnContext

__all__ = ["CacheLayer", "Forgotten", "Ping", "Sources", "SyncCacheLayer", "TurnContext"]
