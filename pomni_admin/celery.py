"""The Celery application. Its messages carry ids of jobs and nothing about people (G6)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pomni_admin.settings")

app = Celery("pomni_admin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
