"""What both runners do about failures."""

from __future__ import annotations

import logging
from typing import NoReturn

from redis.exceptions import ResponseError

from cache_layer.breaker import Breaker
from cache_layer.errors import Unavailable

log = logging.getLogger("cache_layer")


class Circuit:
    """What both runners do about failures."""

    def __init__(self) -> None:
        self.breaker = Breaker()

    def _start_probing(self) -> None:
        raise AssertionError("a runner says how it probes")

    def _failed(self, error: Exception) -> NoReturn:
        """Count a failure of Redis and raise `Unavailable` for it.

        An error reply is an answer: quick, and no reason to stop asking (a full or read-only Redis still serves hits).
        """
        reason = type(error).__name__
        if not isinstance(error, ResponseError) and self.breaker.failed():
            log.warning("redis circuit opened: %s; caches go straight to the source", reason)
            self._start_probing()
        raise Unavailable(reason) from None

    def _probed(self, *, ok: bool) -> bool:
        if ok:
            self.breaker.close()
            log.info("redis circuit closed: it answers again")
        else:
            self.breaker.probe_failed()
        return ok

    def give_up(self, reason: str) -> None:
        """Open the circuit at once, for one who knows already that Redis is away."""
        if self.breaker.allows:
            log.warning("redis circuit opened: %s; caches go straight to the source", reason)
            self.breaker.open()
            self._start_probing()
