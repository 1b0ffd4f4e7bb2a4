"""Admins may look people up by handle, have Redis forget them, and export the audit."""

from typing import Any

from django.db import migrations

ADDED = {
    "look_up_handles": "May look a person up by handle",
    "forget_people": "May have Redis forget a person",
    "export_audit": "May export the audit",
}


def grant(apps: Any, schema_editor: Any) -> None:
    content_type = apps.get_model("contenttypes", "ContentType").objects.get(app_label="accounts", model="user")
    admins = apps.get_model("auth", "Group").objects.get(name="Admin")
    for codename, name in ADDED.items():
        permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        admins.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_keep_a_superuser")]

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
                    *ADDED.items(),
                ],
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
        migrations.RunPython(grant, migrations.RunPython.noop),
    ]
