"""The trigger that makes the record append-only."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "append_only.sql"


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_auditrow")]

    operations = [
        migrations.RunSQL(
            SQL.read_text("utf-8"),
            "DROP TRIGGER audit_append_only ON audit_auditrow; DROP FUNCTION audit_refuse_change();",
        )
    ]
