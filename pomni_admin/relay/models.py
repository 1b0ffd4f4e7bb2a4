"""The outbox: what the triggers have written and the relay has not dropped from Redis yet."""

from __future__ import annotations

from django.db import models
from django.db.models import Func


class Kind(models.TextChoices):
    """What has happened to a person; `triggers.sql` writes these words."""

    ROWS = "rows"
    PRIVACY = "privacy"
    PURGE = "purge"
    DELETE = "delete"


class OutboxRow(models.Model):
    """One change of one person, written in the transaction that made it, gone once Redis has dropped what it touches.

    Ids say nothing of the order of commits: a row with a lower one may appear after a higher one has gone. So the relay
    keeps no cursor; whatever is there is to be done.

    Attributes:
        tg_id: where it cannot be read from `users` any more: that of somebody deleted, or the one they had before.
        level: with `privacy`, what `users.privacy_level` was set to.
        at: when the change was made, by the database's clock; its commit is later.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    user_id = models.BigIntegerField()
    tg_id = models.BigIntegerField(null=True)
    level = models.CharField(max_length=32, null=True)
    at = models.DateTimeField(db_default=Func(function="clock_timestamp"))

    class Meta:
        db_table = "relay_outbox"

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
