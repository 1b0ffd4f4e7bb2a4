"""The bot has no Django; what it imports is small and quick, and all of it works without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pomni_admin.demo.servers import PROJECT, Valkey

NO_DJANGO = """
import sys
for name in ("django", "django_redis", "celery", "channels", "pomni_admin", "prometheus_client"):
    sys.modules[name] = None
"""

WITHOUT_DJANGO = (
    NO_DJANGO
    + """
import asyncio, cache_layer

async def main():
    async with cache_layer.CacheLayer.from_env({}) as cache:
        async def load(user_id):
            return cache_layer.AccessState(True, "trial")
        return await cache.access_state.get(42, load=load)

print(asyncio.run(main()).reason)
"""
)

EVERY_FACADE = (
    NO_DJANGO
    + """
import asyncio
from datetime import UTC, datetime
from cache_layer import (
    AccessState, CacheLayer, Context, Identity, Incoming, LockUnavailable, Message, Settings, Sources, SyncCacheLayer
)

async def load_identity(tg_id): return Identity(42, "ask", True, True)
async def load_state(user_id): return AccessState(True, "trial")
async def load_history(query): return [Message(1, "user", "hello", datetime.now(UTC))]
async def load_context(question): return Context("found")
async def load_vector(text): return [0.5]
async def load_job(job_id): return None

async def main():
    async with CacheLayer.from_env() as cache:
        person = await cache.identity.get(7, load=load_identity)
        yield (await cache.access_state.get(42, load=load_state)).reason
        yield len(await cache.history.get(person, load=load_history))
        yield (await cache.turn(7, load=Sources(load_identity, load_state, load_history))).person.user_id
        yield (await cache.rag.get(person, "?", collection="c", load=load_context)).text
        yield (await cache.rag.get_shared(person, "?", collection="c", load=load_context)).text
        yield list(await cache.rag.embedding(person, "?", model="m", load=load_vector))
        yield await cache.jobs.get("j", load=load_job)
        await cache.talk.push(person, Incoming(7, 1, "hello", datetime.now(UTC)))
        async for turn in cache.talk.turns():
            async with turn:
                yield turn.text
            break
        try:
            async with cache.lock("x") as held:
                yield held.fence > 0
        except LockUnavailable:
            yield "no lock"
        yield sorted(cache.stats.own())
        yield len(await cache.switches.list())
        await cache.forget(42, 7)
    settings = Settings.from_env({})
    site = SyncCacheLayer(settings, None, role="site")
    site.start()
    yield site.access_state.get(42, load=lambda user_id: AccessState(True, "trial")).reason
    site.close()

async def say():
    async for one in main():
        print(one)

asyncio.run(say())
"""
)


def run(code: str, folder: Path, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_works_in_a_process_that_cannot_import_django() -> None:
    assert run(WITHOUT_DJANGO, PROJECT) == "trial"


@pytest.mark.parametrize("has_redis", [True, False])
def test_so_does_every_part_of_it(valkey: Valkey, has_redis: bool) -> None:
    said = run(EVERY_FACADE, PROJECT, REDIS_URL=valkey.url if has_redis else "", TALK_DEBOUNCE_SHORT_SEC="0.1")
    answers = ["trial", "1", "42", "found", "found", "[0.5]", "None", "hello", "True" if has_redis else "no lock"]
    assert said.splitlines()[:9] == answers
    assert said.splitlines()[-1] == "trial"


def test_so_do_its_commands(valkey: Valkey) -> None:
    for command in ("doctor", "keys", "switch"):
        code = f"{NO_DJANGO}\nfrom cache_layer.__main__ import main\nsys.exit(main([{command!r}]))"
        assert run(code, PROJECT, REDIS_URL=valkey.url)


def test_importing_it_imports_little() -> None:
    """What costs time at import is other packages; so the packages are what is held, not the milliseconds."""
    code = "import sys, cache_layer; print(*sorted({n.split('.')[0] for n in sys.modules} - sys.stdlib_module_names))"
    found = {name for name in run(code, PROJECT).split() if not name.startswith("_")}
    assert found <= {
        "cache_layer",
        "cryptography",  # redis-py imports it
        "redis",
        "msgspec",
        "hiredis",
        "async_timeout",
        "typing_extensions",
        "sitecustomize",
    }


def test_importing_it_leaves_the_commands_out() -> None:
    code = "import sys, cache_layer; print([n for n in sys.modules if 'doctor' in n or n == 'argparse'])"
    assert run(code, PROJECT) == "[]"
