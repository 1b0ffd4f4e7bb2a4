"""django-redis, for threads: Django's `get_or_set`, and a miss guarded by its `cache.lock`, which it documents."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, cast

from django.conf import settings
from django.core.cache import cache

from benchmarks.contenders import Cache, Contender, Load
from benchmarks.state import TTL_S, decode, encode, key
from cache_layer import AccessState

LOCK_S = 10


class StateSerializer:
    """What `OPTIONS["SERIALIZER"]` names."""

    def __init__(self, options: dict[str, Any]) -> None:
        pass

    def dumps(self, value: AccessState) -> bytes:
        return encode(value)

    def loads(self, value: bytes) -> AccessState:
        return decode(value)


def _configure(url: str) -> None:
    if not settings.configured:
        settings.configure(
            CACHES={
                "default": {
                    "BACKEND": "django_redis.cache.RedisCache",
                    "LOCATION": url,
                    "OPTIONS": {"SERIALIZER": f"{__name__}.StateSerializer"},
                }
            }
        )


@contextlib.contextmanager
def _get_or_set(url: str, load: Load) -> Iterator[Cache]:
    _configure(url)

    def get(user_id: int) -> AccessState:
        return cast(AccessState, cache.get_or_set(key("django_redis", user_id), lambda: load(user_id), TTL_S))

    yield Cache(get, lambda user_id: cache.delete(key("django_redis", user_id)))


@contextlib.contextmanager
def _locked(url: str, load: Load) -> Iterator[Cache]:
    _configure(url)

    def get(user_id: int) -> AccessState:
        name = key("django_redis", user_id)
        state: AccessState | None = cache.get(name)
        if state is None:
            with cache.lock(f"{name}:lock", timeout=LOCK_S):  # type: ignore[attr-defined]  # of django-redis alone
                state = cache.get(name)
                if state is None:
                    state = load(user_id)
                    cache.set(name, state, TTL_S)
        return state

    yield Cache(get, lambda user_id: cache.delete(key("django_redis", user_id)))


CONTENDERS = (
    Contender("django-redis get_or_set", "no", _get_or_set),
    Contender("django-redis with cache.lock", "everywhere", _locked),
)
