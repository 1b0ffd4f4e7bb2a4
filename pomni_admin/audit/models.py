"""The table of acts. Its trigger, which refuses all but INSERT, is in `append_only.sql`."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from pomni_admin.audit.vocabulary import HANDLE, REQUEST_ID, RESULT, SUBJECT


class Phase(models.TextChoices):
    """Which half of an act a row is."""

    INTENT = "intent"
    OUTCOME = "outcome"


INTENT = models.Q(phase=Phase.INTENT)


class AuditRow(models.Model):
    """One half of an act. Rows are inserted by `acts` and never changed."""

    act_id = models.UUIDField()
    phase = models.CharField(max_length=7, choices=Phase.choices)
    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=16, blank=True)
    act = models.CharField(max_length=64)
    handle = models.CharField(max_length=12, blank=True)
    subject = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=32, blank=True)
    result = models.CharField(max_length=128, blank=True)
    receipt = models.CharField(max_length=16)
    request_id = models.CharField(max_length=64, blank=True, default="", db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["at", "id"], condition=INTENT, name="audit_by_time"),
            models.Index(fields=["actor", "at", "id"], condition=INTENT, name="audit_by_actor"),
            models.Index(fields=["act", "at", "id"], condition=INTENT, name="audit_by_act"),
            models.Index(fields=["receipt"], condition=INTENT, name="audit_by_receipt"),
            models.Index(fields=["handle", "act_id"], condition=~models.Q(handle=""), name="audit_by_handle"),
            models.Index(
                # The class of operators lets the beginning of an id use it, whatever the database's collation.
                fields=["subject", "act_id"],
                opclasses=["varchar_pattern_ops", "uuid_ops"],
                condition=~models.Q(subject=""),
                name="audit_by_subject",
            ),
            models.Index(
                # The class of operators lets `result LIKE 'error:%'` use it, whatever the database's collation.
                fields=["result", "act_id"],
                opclasses=["varchar_pattern_ops", "uuid_ops"],
                condition=models.Q(phase=Phase.OUTCOME),
                name="audit_by_result",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["act_id", "phase"], name="audit_one_row_a_phase"),
            models.CheckConstraint(condition=models.Q(phase__in=Phase.values), name="audit_phase_known"),
            models.CheckConstraint(condition=models.Q(handle__regex=f"^({HANDLE})?$"), name="audit_handle_shape"),
            models.CheckConstraint(condition=models.Q(subject__regex=f"^({SUBJECT})?$"), name="audit_subject_shape"),
            models.CheckConstraint(condition=models.Q(reason__regex="^[a-z_]*$"), name="audit_reason_shape"),
            models.CheckConstraint(
                condition=models.Q(request_id__regex=f"^({REQUEST_ID})?$"), name="audit_request_id_shape"
            ),
            models.CheckConstraint(
                condition=models.Q(phase=Phase.INTENT, result="")
                | models.Q(phase=Phase.OUTCOME, result__regex=f"^({RESULT})$"),
                name="audit_result_of_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.phase} of {self.act} {self.receipt}"


class OpenAct(models.Model):
    """An act without an outcome on record: it is under way, or its process died. Written by `open_acts.sql` alone.

    Attributes:
        intent_id: of the row of its intent.
    """

    act_id = models.UUIDField(primary_key=True)
    intent_id = models.BigIntegerField()

    def __str__(self) -> str:
        return f"open act {self.act_id}"
