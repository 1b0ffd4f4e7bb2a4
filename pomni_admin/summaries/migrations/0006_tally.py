"""Batches of a job added up as they move, for those of before as well."""

import django.db.models.deletion
from django.db import migrations, models

from pomni_admin.summaries import tally

COUNTERS = (
    *("processed", "written", "embedding_ok", "embedding_429", "skipped", "errors", "retries"),
    *("batches", "done", "failed", "vectors_pending"),
)
TOKENS = ("tokens_in", "tokens_out", "tokens_embedded")
TIMES = ("written_at", "vectors_at", "heartbeat_at")


class Migration(migrations.Migration):
    dependencies = [("summaries", "0005_tokens_embedded")]

    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first", models.IntegerField()),
                ("last", models.IntegerField()),
                *((name, models.IntegerField()) for name in COUNTERS),
                *((name, models.BigIntegerField()) for name in TOKENS),
                *((name, models.DateTimeField(null=True)) for name in TIMES),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tallies",
                        to="summaries.job",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            "tally", models.UniqueConstraint(fields=("job", "first"), name="summaries_tally_place")
        ),
        migrations.AddIndex(
            "batch",
            models.Index(fields=["job", "number"], condition=models.Q(state="running"), name="summaries_batch_running"),
        ),
        migrations.RunSQL(tally.CREATE, tally.REMOVE),
        migrations.RunSQL(tally.ADD_UP_WHAT_THERE_IS, migrations.RunSQL.noop),
    ]
