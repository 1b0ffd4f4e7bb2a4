"""Give the Jobs page something finished to show: one daily job, through the same code as any other.

Run as `python -m pomni_admin.demo.first_job` once workers are up. It starts the job for the day before yesterday, so
that yesterday's is left for whoever opens the page to start, and returns when it has ended.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta

import django

ENDED = {"ok", "partial", "failed", "canceled"}
PATIENCE_S = 300


def main() -> None:
    from pomni_admin.summaries import jobs
    from pomni_admin.summaries.models import Kind
    from pomni_admin.summaries.periods import day_of

    day = datetime.now(UTC).date() - timedelta(days=2)
    try:
        job_id = str(jobs.start(Kind.DAILY, day_of(day), started_by="demo", once="the first of the demo").pk)
    except jobs.AlreadyStarted:
        return
    except jobs.AlreadyRunning as running:
        job_id = str(running.job_id)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        snapshot = jobs.snapshot(job_id)
        if snapshot is not None and snapshot.state in ENDED:
            print(f"the daily job of {day} ended {snapshot.state}")
            return
        time.sleep(0.3)
    sys.exit(f"the daily job of {day} has not ended after {PATIENCE_S} s")


if __name__ == "__main__":
    django.setup()
    main()
