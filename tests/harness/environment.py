"""The environment of a test run: whatever the caller had set is dropped, and this worker's own servers are named.

Servers are only chosen here (folder, port), because Django's settings are read once and early; the fixtures in
`servers` start them when a test first needs them.
"""

from __future__ import annotations

import base64
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pomni_admin.demo.servers import Postgres, Valkey, Vectors, free_port

PREFIXES = (
    *("POMNI_", "REDIS_", "CACHE_", "CELERY_", "DATABASE_", "QDRANT_", "OPENROUTER_", "CHAT_", "EMBED_", "LLM_"),
    *("DAILY_SUMMARIES_", "WEEKLY_SUMMARIES_", "MONTHLY_SUMMARIES_", "SUMMARIES_", "TALK_", "OFFLINE_", "DJANGO_"),
)
EMBED_DIM = 64
API_SECRET = "only-for-tests-and-the-same-everywhere"


@dataclass(frozen=True)
class Place:
    """This worker's folder and the servers in it, not started yet."""

    folder: Path
    valkey: Valkey
    postgres: Postgres
    vectors: Vectors


def settle() -> Place:
    """Choose the servers and point the environment, also that of subprocesses, at them."""
    folder = Path(tempfile.mkdtemp(prefix="pomni-tests-"))
    place = Place(
        folder,
        Valkey(folder / "valkey", free_port(), keep=False),
        Postgres(folder / "postgres", free_port(), durable=False),
        Vectors(folder / "vectors", free_port()),
    )
    for name in [name for name in os.environ if name.startswith(PREFIXES)]:
        del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each subprocess would compile Django, Celery and all the others
    sys.dont_write_bytecode = False
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "pomni_admin.settings",
        "POMNI_ENV": "test",
        "POMNI_API_SECRET": API_SECRET,
        "POMNI_HASH_SECRET": base64.b64encode(b"only for tests, and the same everywhere").decode(),
        "CACHE_ENCRYPTION_KEYS": "t1:" + base64.b64encode(b"sealed for tests and nobody else").decode(),
        "DATABASE_URL": place.postgres.url,
        "REDIS_URL": place.valkey.url,
        "QDRANT_URL": place.vectors.url,
        "QDRANT_EMBED_DIM": str(EMBED_DIM),
        "PYTHONWARNINGS": "default",  # for subprocesses: shown in their output, not fatal
    }
    return place
