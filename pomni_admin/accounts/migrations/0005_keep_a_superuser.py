"""The trigger that keeps the last superuser, and the table of Django's default cache."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "last_superuser.sql"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_sign_in")]

    operations = [
        migrations.RunSQL(
            SQL.read_text("utf-8"),
            "DROP TRIGGER accounts_superuser_changed ON accounts_user;"
            "DROP TRIGGER accounts_superuser_deleted ON accounts_user;"
            "DROP FUNCTION accounts_keep_a_superuser();",
        ),
        # As `createcachetable` makes it, which nobody then has to remember.
        migrations.RunSQL(
            "CREATE TABLE IF NOT EXISTS django_cache"
            " (cache_key varchar(255) PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL);"
            "CREATE INDEX IF NOT EXISTS django_cache_expires ON django_cache (expires);",
            "DROP TABLE IF EXISTS django_cache;",
        ),
    ]
