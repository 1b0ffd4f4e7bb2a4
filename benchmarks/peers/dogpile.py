"""dogpile.cache, for threads: `get_or_create` with its lock in the process, and with `distributed_lock`.

The region is configured as in the docstring of its Redis backend.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dogpile.cache import make_region

from benchmarks.contenders import Cache, Contender, Load
from benchmarks.state import TTL_S, decode, encode, key
from cache_layer import AccessState


@contextlib.contextmanager
def _region(url: str, load: Load, *, distributed: bool) -> Iterator[Cache]:
    region = make_region(serializer=encode, deserializer=decode).configure(
        "dogpile.cache.redis",
        expiration_time=TTL_S,
        arguments={
            "url": url,
            "redis_expiration_time": 2 * TTL_S,
            "distributed_lock": distributed,
            "thread_local_lock": False,
        },
    )

    def get(user_id: int) -> AccessState:
        state: AccessState = region.get_or_create(key("dogpile", user_id), load, creator_args=((user_id,), {}))
        return state

    try:
        yield Cache(get, lambda user_id: region.delete(key("dogpile", user_id)))
    finally:
        region.backend.writer_client.close()


CONTENDERS = (
    Contender("dogpile.cache", "in a process", lambda url, load: _region(url, load, distributed=False)),
    Contender("dogpile.cache distributed_lock", "everywhere", lambda url, load: _region(url, load, distributed=True)),
)
