"""The Celery application. Its messages carry ids of jobs and nothing about people (G6)."""

import os
import time
from typing import Any, Final

from celery import Celery, signals

from pomni_admin import cache
from pomni_admin.logs import last_words

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pomni_admin.settings")

SENT_AT: Final = "sent_at"
"""The header that says when a message was sent, in seconds since 1970: how long it waits, only that tells."""

app = Celery("pomni_admin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def _log_as_all_processes_do(**_: Any) -> None:
    """Instead of Celery's own set-up: Django's is in force. What is printed, such as a traceback, goes there too."""
    last_words.into_the_log()
    app.log.redirect_stdouts("WARNING")  # type: ignore[arg-type]  # a name, which is handed to children as text


@signals.before_task_publish.connect
def _note_when(headers: dict[str, Any] | None = None, **_: Any) -> None:
    if headers is not None:
        headers[SENT_AT] = time.time()


@signals.worker_process_init.connect
@signals.beat_init.connect
def _be_seen(**_: Any) -> None:
    """From its start on, not from its first task: a process says every second that it is there."""
    cache.layer()


@signals.worker_process_shutdown.connect
def _take_leave(**_: Any) -> None:
    """The children of a worker end past `atexit`."""
    cache.close()
