"""Jobs, their batches, who failed in them, and the vectors that are still to be written."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        # Before the table, whose column `fence` takes its default from it.
        migrations.RunSQL("CREATE SEQUENCE summaries_job_fence", "DROP SEQUENCE summaries_job_fence"),
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=[("daily", "Daily")], max_length=16)),
                ("period_start", models.DateField()),
                ("period_end", models.DateField()),
                ("user_id", models.BigIntegerField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("canceling", "Canceling"),
                            ("ok", "Ok"),
                            ("partial", "Partial"),
                            ("failed", "Failed"),
                            ("canceled", "Canceled"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                (
                    "fence",
                    models.BigIntegerField(
                        db_default=models.Func(models.Value("summaries_job_fence"), function="nextval"), editable=False
                    ),
                ),
                ("started_by", models.CharField(max_length=150)),
                ("once", models.CharField(max_length=64, null=True, unique=True)),
                ("planned", models.BooleanField(default=False)),
                ("planned_user_id", models.BigIntegerField(default=0)),
                ("found", models.IntegerField(default=0)),
                ("plan_claim", models.IntegerField(default=0)),
                ("plan_lease_until", models.DateTimeField(null=True)),
                ("plan_attempts", models.IntegerField(default=0)),
                ("total", models.IntegerField(null=True)),
                ("note", models.CharField(default="", max_length=64)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("started_at", models.DateTimeField(null=True)),
                ("deadline_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["-created_at"], name="summaries_job_newest")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("queued", "running", "canceling"))),
                        fields=("kind",),
                        name="summaries_one_active_job_a_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("period_end__gt", models.F("period_start"))),
                        name="summaries_period_not_empty",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField()),
                ("users", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("running", "Running"), ("done", "Done")],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("cursor", models.BigIntegerField(default=0)),
                ("claim", models.BigIntegerField(default=0)),
                ("claimed_by", models.CharField(default="", max_length=150)),
                ("claimed_at", models.DateTimeField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("attempts", models.IntegerField(default=0)),
                ("processed", models.IntegerField(default=0)),
                ("written", models.IntegerField(default=0)),
                ("embedding_ok", models.IntegerField(default=0)),
                ("embedding_429", models.IntegerField(default=0)),
                ("skipped", models.IntegerField(default=0)),
                ("errors", models.IntegerField(default=0)),
                ("retries", models.IntegerField(default=0)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="batches", to="summaries.job"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PendingVector",
            fields=[
                ("summary_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                ("written_at", models.DateTimeField()),
                ("attempts", models.IntegerField(default=0)),
                ("not_before", models.DateTimeField(db_index=True)),
                ("reason", models.CharField(default="", max_length=64)),
                (
                    "batch",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="pending_vectors",
                        to="summaries.batch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Failure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("code", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="failures", to="summaries.batch"
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="failures", to="summaries.job"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("job", "user_id"), name="summaries_one_failure_a_person")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(
                condition=models.Q(("state", "done"), _negated=True),
                fields=["job", "number"],
                name="summaries_batch_unfinished",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.UniqueConstraint(fields=("job", "number"), name="summaries_batch_number"),
        ),
    ]
