"""`python -m cache_layer keys`: the secrets that the layer needs, made by whoever needs them."""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Mapping
from datetime import UTC, datetime

from cache_layer.settings import Settings

TEXT = """\
# Seals what is stored of people's text. To change it later without a flush, put the new entry behind the old one,
# separated by a comma, everywhere; then before it, everywhere; and take the old one out after {kept}.
CACHE_ENCRYPTION_KEYS={encryption_keys}
# Stands in for people in the names of keys and on pages. Keep it: with another one everybody has another handle.
POMNI_HASH_SECRET={hash_secret}
"""


def fresh_secrets(environ: Mapping[str, str]) -> str:
    """Lines for a `.env` file, with a key id that the environment does not have yet.

    Raises:
        SettingsError: the environment has a value that is not allowed.
    """
    settings = Settings.from_env(environ)
    taken = {key_id for key_id, _ in settings.encryption_keys}
    longest = max(settings.ttls[cache] for cache in ("recent_history", "talkbuf", "rag"))
    return TEXT.format(
        kept=f"{longest.total_seconds() / 60:g} minutes",
        encryption_keys=f"{_new_id(taken)}:{_random()}",
        hash_secret=_random(),
    )


def _new_id(taken: set[str]) -> str:
    today = f"k{datetime.now(UTC):%y%m%d}"
    candidates = (today, *(today + letter for letter in string.ascii_lowercase))
    return next(key_id for key_id in candidates if key_id not in taken)


def _random() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
