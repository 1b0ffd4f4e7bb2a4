"""Static files are looked for once a process: each test client makes the middleware anew, which looked for all again.

That took 20 ms a client, and there is one at each sign-in.
"""

from __future__ import annotations

from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware

_find = WhiteNoiseMiddleware.add_files_from_finders
_found: dict[str, Any] = {}


def _find_once(self: WhiteNoiseMiddleware) -> None:
    if not _found:
        _find(self)
        _found.update(self.files)
    self.files.update(_found)


def look_for_them_once() -> None:
    WhiteNoiseMiddleware.add_files_from_finders = _find_once
