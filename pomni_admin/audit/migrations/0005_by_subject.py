"""An index for what was done to one job."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_entries")]

    operations = [
        migrations.AddIndex(
            "auditrow",
            models.Index(
                fields=["subject", "act_id"],
                opclasses=["varchar_pattern_ops", "uuid_ops"],
                condition=~models.Q(subject=""),
                name="audit_by_subject",
            ),
        ),
    ]
