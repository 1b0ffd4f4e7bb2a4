"""Pomni Admin: live operations of the Pomni bot."""

from pomni_admin.celery import app as celery_app

__all__ = ["celery_app"]
