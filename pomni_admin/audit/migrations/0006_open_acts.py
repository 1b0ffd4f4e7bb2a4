"""Which acts have no outcome yet."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).parent.parent / "open_acts.sql"


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_by_subject")]

    operations = [
        migrations.CreateModel(
            "OpenAct",
            [
                ("act_id", models.UUIDField(primary_key=True, serialize=False)),
                ("intent_id", models.BigIntegerField()),
            ],
        ),
        migrations.RunSQL(
            SQL.read_text("utf-8"), "DROP TRIGGER audit_open_acts ON audit_auditrow; DROP FUNCTION audit_open_acts();"
        ),
    ]
