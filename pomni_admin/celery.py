"""The Celery application. Its messages carry ids of jobs and nothing about people (G6)."""

import os
from typing import Any

from celery import Celery, signals

from pomni_admin.logs import last_words

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pomni_admin.settings")

app = Celery("pomni_admin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def _log_as_all_processes_do(**_: Any) -> None:
    """Instead of Celery's own set-up: Django's is in force. What is printed, such as a traceback, goes there too."""
    last_words.into_the_log()
    app.log.redirect_stdouts("WARNING")  # type: ignore[arg-type]  # a name, which is handed to children as text
