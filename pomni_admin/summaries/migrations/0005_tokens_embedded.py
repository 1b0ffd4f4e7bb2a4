"""What the embeddings have read, a batch and in the totals of a day."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("summaries", "0004_listing")]

    operations = [
        migrations.AddField("batch", "tokens_embedded", models.BigIntegerField(db_default=0)),
        migrations.AddField("dailytotal", "tokens_embedded", models.BigIntegerField(db_default=0)),
    ]
