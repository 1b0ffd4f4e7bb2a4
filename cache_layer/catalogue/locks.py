"""Who may run a job now: `locks:{name}`"""

from __future__ import annotations

from cache_layer.keys import Keys
from cache_layer.settings import Settings
from cache_layer.shapes.lock import Lock


def locks(keys: Keys, settings: Settings) -> Lock:
    return Lock(keys, ttl=settings.ttls["lock"], on=settings.is_on("lock"))
