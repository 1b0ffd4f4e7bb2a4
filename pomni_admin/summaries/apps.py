"""The Django application of the summary jobs."""

from django.apps import AppConfig


class SummariesConfig(AppConfig):
    name = "pomni_admin.summaries"
    label = "summaries"
