"""When a batch's vector was last brought: a job that has only vectors left waits for as long as they come."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("summaries", "0002_kinds_and_control")]

    operations = [migrations.AddField("batch", "vector_at", models.DateTimeField(null=True))]
