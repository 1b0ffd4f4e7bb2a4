"""What a Celery worker imports before it forks: its pool processes share it, and each new one is ready at once."""

from importlib import import_module

from celery.signals import worker_init
from django.conf import settings


@worker_init.connect(weak=False)
def _import_clients(**_kwargs: object) -> None:
    """Only imported, not made: a connection must not be shared across a fork."""
    import_module(settings.ENV.provider.rpartition(".")[0])
    import_module("pomni_admin.summaries.qdrant")
