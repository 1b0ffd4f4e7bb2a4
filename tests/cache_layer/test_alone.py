"""The bot has no Django; what it imports is small and quick."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pomni_admin.demo.servers import PROJECT

WITHOUT_DJANGO = """
import sys
for name in ("django", "django_redis", "celery", "channels", "pomni_admin"):
    sys.modules[name] = None
import asyncio, cache_layer

async def main():
    async with cache_layer.CacheLayer.from_env({}) as cache:
        async def load(user_id):
            return cache_layer.AccessState(True, "trial")
        return await cache.access_state.get(42, load=load)

print(asyncio.run(main()).reason)
"""


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_works_in_a_process_that_cannot_import_django() -> None:
    assert run(WITHOUT_DJANGO, PROJECT) == "trial"


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
