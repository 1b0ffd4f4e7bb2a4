"""Indexes for the list of jobs, when a plan was made, and the line of retries that wait for their turn."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

KINDS = [("daily", "Daily"), ("weekly", "Weekly"), ("monthly", "Monthly"), ("rebuild", "Rebuild")]


class Migration(migrations.Migration):
    dependencies = [("summaries", "0003_vector_at")]

    operations = [
        migrations.RemoveIndex("job", "summaries_job_newest"),
        migrations.AddIndex(
            "job", models.Index(fields=["kind", "state", "created_at", "id"], name="summaries_job_by_state")
        ),
        migrations.AddIndex(
            "job",
            models.Index(fields=["started_by", "kind", "state", "created_at", "id"], name="summaries_job_by_starter"),
        ),
        migrations.AddIndex(
            "job",
            models.Index(
                fields=["kind", "period_start"],
                condition=models.Q(user_id=None),
                name="summaries_job_by_period",
            ),
        ),
        migrations.AddField("job", "planned_at", models.DateTimeField(null=True)),
        migrations.CreateModel(
            name="RetryInLine",
            fields=[
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="retry_in_line",
                        serialize=False,
                        to="summaries.job",
                    ),
                ),
                ("kind", models.CharField(choices=KINDS, max_length=16)),
                ("by", models.CharField(max_length=150)),
                ("since", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
    ]
