"""Creates the bot's tables where no bot has: in tests and in the demo. In production they are there already."""

from __future__ import annotations

from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import Connection

SCHEMA = Path(__file__).with_name("schema.sql")


def create_tables(connection: BaseDatabaseWrapper | Connection) -> bool:
    """Run `schema.sql` unless there is a table `users` already.

    The script goes to the server as one message, so that either all of it takes effect or nothing.

    Returns:
        Whether the tables were created by this call.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('users') IS NOT NULL")
        row = cursor.fetchone()
        if row is not None and row[0]:
            return False
        cursor.execute(SCHEMA.read_bytes().decode())
    return True
