"""The plain Celery way, to compare with: a task a user, sent as a group, with Celery's own defaults.

`python -m benchmarks.plain_celery` sends the group; `celery -A benchmarks.plain_celery worker` does the work. Provider,
rows and vectors are the same as ours; what is left out is everything that keeps a job alive.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import django
from celery import Celery, group

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pomni_admin.settings")
django.setup()

from django.db import connection  # noqa: E402  (after Django is set up)

from pomni_admin.summaries import periods, sources  # noqa: E402  (as above)
from pomni_admin.summaries.providers import provider  # noqa: E402  (as above)
from pomni_admin.summaries.vectors import Point, vectors  # noqa: E402  (as above)

WRITE_ROW = """
INSERT INTO dialog_summaries
    (user_id, kind, period_start, period_end, text, tokens, source_count, created_at, updated_at)
VALUES (%(user)s, %(kind)s, %(start)s, %(end)s, %(text)s, %(tokens)s, %(source_count)s, now(), now())
ON CONFLICT ON CONSTRAINT uq_dialog_summaries_span DO UPDATE
SET text = EXCLUDED.text, tokens = EXCLUDED.tokens, source_count = EXCLUDED.source_count,
    updated_at = EXCLUDED.updated_at
RETURNING id, updated_at
"""

app = Celery("plain", broker=os.environ["REDIS_URL"])
app.conf.task_default_queue = "plain"


@app.task(name="plain.summarise", ignore_result=True)
def summarise(user_id: int) -> None:
    period = periods.day_of(datetime.now(UTC).date() - timedelta(days=1))
    material = sources.SOURCES["daily"].read(user_id, period)
    if material is None:
        return
    text = provider().summarise("daily", material.messages)
    span: dict[str, Any] = {"user": user_id, "kind": "daily", "start": period.starts_at, "end": period.ends_at}
    with connection.cursor() as cursor:
        cursor.execute(WRITE_ROW, span | {"text": text.text, "tokens": text.tokens_in, "source_count": 1})
        summary_id, updated_at = cursor.fetchone()
    point = Point(summary_id, user_id, "daily", period.starts_at, period.ends_at, len(text.text), updated_at)
    vectors().upsert(point, provider().embed(text.text).vector)


def send() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM users ORDER BY id")
        group(summarise.s(user_id) for (user_id,) in cursor.fetchall()).apply_async()


if __name__ == "__main__":
    send()
