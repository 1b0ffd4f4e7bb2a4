"""The groups Viewer, Support and Admin with their permissions.

Django creates permissions only after all migrations have run, so this one creates those that it needs.
"""

from typing import Any

from django.db import migrations

NAMES = {
    "view_site": "May look at the site",
    "look_up_people": "May look a person up",
    "invalidate_access": "May invalidate a person's access cache",
    "run_jobs": "May start summary jobs",
    "cancel_jobs": "May cancel summary jobs",
}
GROUPS = {
    "Viewer": ["view_site"],
    "Support": ["view_site", "look_up_people", "invalidate_access"],
    "Admin": ["view_site", "look_up_people", "invalidate_access", "run_jobs", "cancel_jobs"],
}


def create(apps: Any, schema_editor: Any) -> None:
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="accounts", model="user"
    )
    permission = apps.get_model("auth", "Permission").objects
    held = {
        codename: permission.get_or_create(content_type=content_type, codename=codename, defaults={"name": name})[0]
        for codename, name in NAMES.items()
    }
    for name, codenames in GROUPS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*(held[codename] for codename in codenames))


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_user"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
