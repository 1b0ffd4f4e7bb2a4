"""A job that changes while somebody looks at the list."""

from __future__ import annotations

from datetime import date

import redis

from pomni_admin.demo.servers import Valkey
from pomni_admin.summaries.models import Job
from tests.browser.aside import aside


def running_job() -> Job:
    return Job.objects.create(
        kind="daily",
        period_start=date(2026, 11, 1),
        period_end=date(2026, 11, 2),
        started_by="ada",
        state="running",
        total=700,
    )


def change(job: Job, total: int, server: Valkey | None) -> None:
    aside(lambda: Job.objects.filter(pk=job.pk).update(total=total))
    if server is not None:
        with redis.Redis.from_url(server.url) as client:
            client.publish("changed", "jobs")
