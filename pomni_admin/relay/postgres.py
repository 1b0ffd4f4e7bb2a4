"""The relay's own connections to PostgreSQL: direct ones, that notice when the other end is gone."""

from __future__ import annotations

from typing import Any, TypeAlias

import psycopg
from django.conf import settings
from psycopg import AsyncConnection

NAME = "pomni relay"
"""As `pg_stat_activity` shows it; that is how others see without Redis that a relay is there."""
CONNECT_S = 5
SILENT_AT_MOST_S = 5

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]


async def connect() -> Connection:
    """A new connection, each statement of which commits.

    Raises:
        psycopg.Error: it cannot be had.
    """
    # Keepalives, since a listener says nothing by itself: a line that is dead would be listened to for hours.
    return await AsyncConnection.connect(
        settings.ENV.direct,
        autocommit=True,
        prepare_threshold=None,
        application_name=NAME,
        connect_timeout=CONNECT_S,
        keepalives=1,
        keepalives_idle=SILENT_AT_MOST_S,
        keepalives_interval=SILENT_AT_MOST_S,
        keepalives_count=2,
        tcp_user_timeout=SILENT_AT_MOST_S * 1000,
    )


AWAY = (psycopg.Error, OSError, TimeoutError)
"""What PostgreSQL being away comes as."""
