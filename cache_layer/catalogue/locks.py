"""Who may run a job now: `locks:{name}`"""

from __future__ import annotations

from datetime import timedelta

from cache_layer.keys import Keys
from cache_layer.settings import Settings
from cache_layer.shapes.lock import SILENCE, Lock
from cache_layer.switches import Switches


def locks(keys: Keys, settings: Settings, switches: Switches, silence: timedelta = SILENCE) -> Lock:
    return Lock(keys, ttl=settings.ttls["lock"], switch=switches.of("lock"), silence=silence)
