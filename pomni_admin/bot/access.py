"""The truth about one person's access: one SELECT, judged by the rule in `cache_layer`.

Code with its own connection, asyncio's among it, takes `ACCESS_SQL` and `from_row`, reads the same columns and judges
them alike.
"""

from __future__ import annotations

from django.db import connection

from cache_layer import AccessState
from pomni_admin.bot.access_row import ACCESS_SQL, from_row

__all__ = ["ACCESS_SQL", "from_row", "read_access"]


def read_access(user_id: int) -> AccessState:
    """Read a person's access state from PostgreSQL, by the database's clock.

    Raises:
        django.db.Error: PostgreSQL could not be asked.
    """
    with connection.cursor() as cursor:
        cursor.execute(ACCESS_SQL, (user_id,))
        return from_row(cursor.fetchone() or ())
