"""A table in PostgreSQL that holders of locks write to, and that refuses a write with an old fence (G8); for tests too.

It keeps every write that it took, in the order in which it took them, so that it can be judged afterwards.
"""

from __future__ import annotations

import psycopg

CHECK = "AND fence <= %(fence)s"

TABLES = """
CREATE TABLE fenced_sink (name text PRIMARY KEY, fence bigint NOT NULL, writes bigint NOT NULL);
CREATE TABLE fenced_writes (
    name text NOT NULL, number bigint NOT NULL, fence bigint NOT NULL, writer text NOT NULL, PRIMARY KEY (name, number)
);
"""

WRITE = f"""
WITH taken AS (
    UPDATE fenced_sink SET fence = %(fence)s, writes = writes + 1 WHERE name = %(name)s {CHECK} RETURNING writes
)
INSERT INTO fenced_writes SELECT %(name)s, writes, %(fence)s, %(writer)s FROM taken
"""

STALE = """
SELECT count(*) FROM (
    SELECT fence, max(fence) OVER (PARTITION BY name ORDER BY number) AS highest FROM fenced_writes
) AS write WHERE fence < highest
"""

SHARED = """
SELECT count(*) FROM (
    SELECT FROM fenced_writes GROUP BY name, fence HAVING count(DISTINCT writer) > 1
) AS fence
"""


class FencedSink:
    """One connection to it.

    Args:
        control: take every write, whatever its fence: then stale ones must be found, or nothing is proved.
    """

    def __init__(self, url: str, *, control: bool = False) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._write = WRITE.replace(CHECK, "") if control else WRITE

    def create(self, *names: str) -> None:
        self._connection.execute("DROP TABLE IF EXISTS fenced_sink, fenced_writes")
        self._connection.execute(TABLES)
        for name in names:
            self._connection.execute("INSERT INTO fenced_sink VALUES (%s, 0, 0)", (name,))

    def write(self, name: str, fence: int, writer: str) -> bool:
        """One statement, so that a writer that is stopped keeps no row locked. False when it was refused."""
        done = self._connection.execute(
            self._write.encode(), {"name": name, "fence": fence, "writer": writer}, prepare=False
        )
        return done.rowcount == 1

    def last_fence(self, name: str) -> int:
        return self._number("SELECT fence FROM fenced_sink WHERE name = %s", name)

    def writes(self) -> int:
        return self._number("SELECT count(*) FROM fenced_writes")

    def stale(self) -> int:
        """Writes that were taken though one with a newer fence had been."""
        return self._number(STALE)

    def shared(self) -> int:
        """Fences under which more than one writer wrote."""
        return self._number(SHARED)

    def close(self) -> None:
        self._connection.close()

    def _number(self, query: str, *parameters: str) -> int:
        row = self._connection.execute(query.encode(), parameters).fetchone()
        assert row is not None
        return int(row[0])
