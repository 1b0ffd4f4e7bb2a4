"""Unmanaged models over the bot's tables, column for column as in `schema.sql`.

The bot's own migrations own these tables: nothing here may ask Django to create or change one, so this app has no
migrations. Pomni Admin writes only `dialog_summaries`.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class BotUser(models.Model):
    """A person who talks with the bot. `tg_id` is personal data and never leaves the forms of the Users page (G6)."""

    tg_id = models.BigIntegerField(unique=True)
    privacy_level = models.TextField(default="ask")
    style_profile = models.TextField(default="default")
    trial_until = models.DateTimeField(null=True)
    trial_started_at = models.DateTimeField(null=True)
    trial_expires_at = models.DateTimeField(null=True)
    policy_accepted_at = models.DateTimeField(null=True)
    subscription_status = models.CharField(max_length=16, null=True)
    tg_is_blocked = models.BooleanField(default=False)
    tg_blocked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "users"

    def __str__(self) -> str:
        return f"users row {self.pk}"


class Subscription(models.Model):
    """The one subscription row of a person; whether it gives access is for `cache_layer`'s rule to say."""

    user = models.OneToOneField(BotUser, models.CASCADE, related_name="subscription")
    is_premium = models.BooleanField(default=False)
    tier = models.CharField(max_length=32, default="basic")
    renewed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    plan = models.TextField(null=True)
    status = models.TextField(null=True)
    is_auto_renew = models.BooleanField(null=True)
    subscription_until = models.DateTimeField(null=True)
    yk_payment_method_id = models.TextField(null=True)
    yk_customer_id = models.TextField(null=True)
    created_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "subscriptions"

    def __str__(self) -> str:
        return f"subscriptions row {self.pk}"


class PlainJSONField(models.JSONField):
    """A column of type `json`, which psycopg decodes before Django sees it (of `jsonb` it hands over the text)."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "json"

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        return value


class PaymentManager(models.Manager["Payment"]):
    """Leaves `raw` in the database: it is the provider's whole callback, and nothing here needs it."""

    def get_queryset(self) -> models.QuerySet[Payment]:
        return super().get_queryset().defer("raw")


class Payment(models.Model):
    """One payment. `amount` is in minor units (kopecks; stars for XTR)."""

    user = models.ForeignKey(BotUser, models.CASCADE, related_name="payments")
    provider = models.TextField(default="yookassa")
    provider_payment_id = models.TextField(unique=True, null=True)
    amount = models.IntegerField()
    currency = models.TextField(default="RUB")
    status = models.TextField()
    is_recurring = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    raw = PlainJSONField(default=dict)

    objects = PaymentManager()

    class Meta:
        managed = False
        db_table = "payments"

    def __str__(self) -> str:
        return f"payments row {self.pk}"


class BotMessage(models.Model):
    """One message of a conversation; `role` is 'user' or 'bot'."""

    user = models.ForeignKey(BotUser, models.CASCADE, related_name="messages")
    role = models.TextField()
    text = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "bot_messages"

    def __str__(self) -> str:
        return f"bot_messages row {self.pk}"


class DialogSummary(models.Model):
    """A summary of one person's period, half-open: `period_start` is in it, `period_end` is not."""

    user = models.ForeignKey(BotUser, models.CASCADE, related_name="summaries")
    kind = models.CharField(max_length=16)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    text = models.TextField()
    tokens = models.IntegerField(null=True)
    source_count = models.IntegerField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "dialog_summaries"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "kind", "period_start", "period_end"], name="uq_dialog_summaries_span"
            )
        ]

    def __str__(self) -> str:
        return f"dialog_summaries row {self.pk}"
