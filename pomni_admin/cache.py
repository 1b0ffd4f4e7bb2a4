"""The one place where the site and the workers get at Redis.

Synchronous code goes through django-redis's pool; a process has one layer, and a forked child makes its own. Code on an
event loop makes a `CacheLayer` of its own, since an asynchronous client belongs to its loop.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import sys
import threading
from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django_redis import get_redis_connection

from cache_layer import CacheLayer, Settings, SyncCacheLayer
from cache_layer.privacy import handle

_making = threading.Lock()
_layer: tuple[int, SyncCacheLayer] | None = None


def layer() -> SyncCacheLayer:
    """This process's layer, started (Redis pinged, result logged) at its first use."""
    global _layer
    made = _layer
    if made is not None and made[0] == os.getpid():
        return made[1]
    with _making:
        if _layer is None or _layer[0] != os.getpid():
            configured = cache_settings()
            # django-redis has no client for a cluster; the layer finds its own way to the nodes.
            ordinary = configured.redis_url and not configured.cluster
            client = get_redis_connection("redis") if ordinary else None
            fresh = SyncCacheLayer(configured, client, role=_role())
            fresh.start()
            _layer = (os.getpid(), fresh)
        return _layer[1]


@atexit.register
def close() -> None:
    """Send what this process has counted and end its layer; a later use makes a new one."""
    global _layer
    with _making:
        made, _layer = _layer, None
    if made is not None and made[0] == os.getpid():
        made[1].close()


def async_layer(role: str, *, timeout: timedelta | None = None) -> CacheLayer:
    """A new layer for the running event loop; its maker starts and closes it.

    Args:
        timeout: of a call of Redis, where that of the settings is not the right one.
    """
    configured = cache_settings()
    return CacheLayer(configured if timeout is None else replace(configured, timeout=timeout), role)


def redis_url() -> str:
    """Where what is announced can be heard now: REDIS_URL, or a node of that cluster that answers."""
    configured = cache_settings()
    return layer().redis_url if configured.cluster else configured.redis_url


def cache_settings() -> Settings:
    """The layer's settings as Django read them at start."""
    configured: Settings = settings.ENV.cache
    return configured


def handle_of(user_id: int) -> str:
    """The name under which this person appears on pages and in audit rows (G6)."""
    return handle(handle_secrets()[0], user_id)


def former_handle_of(user_id: int) -> str:
    """The name that this person had before the secret was changed; empty unless the old one is known."""
    former = handle_secrets()[1:]
    return handle(former[0], user_id) if former else ""


def handle_secrets() -> tuple[bytes, ...]:
    """What handles are made with, and after it what they were made with before, where that is known."""
    secret = cache_settings().hash_secret or hashlib.sha256(settings.SECRET_KEY.encode()).digest()
    old: bytes = settings.ENV.hash_secret_old
    return (secret, old) if old and old != secret else (secret,)


def _role() -> str:
    """What this process is, for its log lines and the list of instances."""
    words = " ".join(sys.argv)
    if "celery" in words:
        return "beat" if " beat" in words else "worker"
    if "summaries_reaper" in words:
        return "reaper"
    if "pomni_admin.asgi" in sys.modules:
        return "web"
    return "command"
