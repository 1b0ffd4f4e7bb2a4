"""`manage.py summaries_reaper`: keeps jobs going; run one, or several, beside the workers."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from pomni_admin import cache
from pomni_admin.summaries import reaper


class Command(BaseCommand):
    help = "Keep summary jobs going: end what has ended, wake workers for what waits. Runs until SIGTERM or Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()

        def end(_signal: int, _frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        cache.layer()  # from now on it says every second that it is there
        reaper.run(stop)
