"""What `manage.py check --deploy` says of the HTTP API."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info


def is_open(**_: Any) -> list[CheckMessage]:
    """A word where the API answers nobody: it may be meant, since beat starts the night's jobs without it."""
    if settings.ENV.api_secrets:
        return []
    return [
        Info(
            "the HTTP API for cron jobs is off: each call is answered with 503",
            hint="Set POMNI_API_SECRET (`openssl rand -hex 32`), or leave it off if nothing calls it.",
            id="pomni_api.I001",
        )
    ]
