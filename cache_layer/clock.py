"""The time of day, for what ends at a certain moment (G1), in a process whose clock may be set while it runs.

What only measures how long something takes asks `time.monotonic` instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def never_back() -> Callable[[], float]:
    """A clock that tells seconds since 1970: the machine's, but never less than what has gone by since it was made.

    A machine whose clock is set back by hours would go on granting what has ended. One whose clock was ahead when the
    process began, and is put right, takes grants for ended early, which costs a look at the source.
    """
    ahead = time.time() - time.monotonic()
    return lambda: max(time.time(), ahead + time.monotonic())


now = never_back()
