"""Weekly, monthly and rebuild; pausing, retrying, schedules, and totals of what is no longer kept."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models
from django.db.models import Q

KINDS = [("daily", "Daily"), ("weekly", "Weekly"), ("monthly", "Monthly"), ("rebuild", "Rebuild")]
STATES = [
    ("queued", "Queued"),
    ("running", "Running"),
    ("paused", "Paused"),
    ("canceling", "Canceling"),
    ("ok", "Ok"),
    ("partial", "Partial"),
    ("failed", "Failed"),
    ("canceled", "Canceled"),
]
COUNTERS = ("attempts", "processed", "written", "embedding_ok", "embedding_429", "skipped", "errors", "retries")


class Migration(migrations.Migration):
    dependencies = [("summaries", "0001_jobs")]

    operations = [
        migrations.RemoveConstraint("job", "summaries_one_active_job_a_kind"),
        migrations.AlterField("job", "kind", models.CharField(choices=KINDS, max_length=16)),
        migrations.AlterField("job", "state", models.CharField(choices=STATES, default="queued", max_length=16)),
        migrations.AddConstraint(
            "job",
            models.UniqueConstraint(
                fields=["kind"],
                condition=Q(state__in=("queued", "running", "paused", "canceling")),
                name="summaries_one_active_job_a_kind",
            ),
        ),
        migrations.RemoveField("job", "planned_user_id"),
        migrations.RemoveField("job", "found"),
        migrations.AddField("job", "priority", models.SmallIntegerField(default=0)),
        migrations.AddField(
            "job",
            "retry_of",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="retries",
                to="summaries.job",
            ),
        ),
        migrations.AddField("job", "paused_at", models.DateTimeField(null=True)),
        migrations.AddField("job", "idle_s", models.FloatField(default=0)),
        migrations.RenameField("batch", "users", "units"),
        migrations.AlterField(
            "batch",
            "state",
            models.CharField(
                choices=[("waiting", "Waiting"), ("running", "Running"), ("done", "Done")],
                db_default="waiting",
                max_length=8,
            ),
        ),
        migrations.AlterField("batch", "cursor", models.BigIntegerField(db_default=0)),
        migrations.AlterField("batch", "claim", models.BigIntegerField(db_default=0)),
        migrations.AlterField("batch", "claimed_by", models.CharField(db_default="", max_length=150)),
        *(migrations.AlterField("batch", counter, models.IntegerField(db_default=0)) for counter in COUNTERS),
        migrations.AddField("batch", "tokens_in", models.BigIntegerField(db_default=0)),
        migrations.AddField("batch", "tokens_out", models.BigIntegerField(db_default=0)),
        migrations.RemoveConstraint("failure", "summaries_one_failure_a_person"),
        migrations.RenameField("failure", "user_id", "unit"),
        migrations.AddConstraint(
            "failure", models.UniqueConstraint(fields=["job", "unit"], name="summaries_one_failure_a_unit")
        ),
        migrations.CreateModel(
            name="Schedule",
            fields=[
                ("kind", models.CharField(choices=KINDS, max_length=16, primary_key=True, serialize=False)),
                ("on", models.BooleanField(default=True)),
                ("since", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="DailyTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("kind", models.CharField(choices=KINDS, max_length=16)),
                *((name, models.IntegerField()) for name in ("jobs", "ok", "partial", "failed", "canceled")),
                *(
                    (name, models.BigIntegerField())
                    for name in ("units", "written", "skipped", "errors", "retries", "tokens_in", "tokens_out")
                ),
                ("seconds", models.FloatField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("day", "kind"), name="summaries_one_total_a_day")],
            },
        ),
    ]
