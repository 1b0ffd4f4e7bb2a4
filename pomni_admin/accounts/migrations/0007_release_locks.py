"""Admins may release locks."""

from typing import Any

from django.db import migrations

CODENAME, NAME = "release_locks", "May release locks that others hold"


def grant(apps: Any, schema_editor: Any) -> None:
    content_type = apps.get_model("contenttypes", "ContentType").objects.get(app_label="accounts", model="user")
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=CODENAME, defaults={"name": NAME}
    )
    apps.get_model("auth", "Group").objects.get(name="Admin").permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_support")]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("view_site", "May look at the site"),
                    ("look_up_people", "May look a person up"),
                    ("invalidate_access", "May invalidate a person's access cache"),
                    ("run_jobs", "May start summary jobs"),
                    ("cancel_jobs", "May cancel summary jobs"),
                    ("switch_caches", "May switch caches off and on"),
                    ("manage_people", "May invite people and give them roles"),
                    ("look_up_handles", "May look a person up by handle"),
                    ("forget_people", "May have Redis forget a person"),
                    ("export_audit", "May export the audit"),
                    (CODENAME, NAME),
                ],
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
        migrations.RunPython(grant, migrations.RunPython.noop),
    ]
