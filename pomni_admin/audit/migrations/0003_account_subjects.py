"""An act may be about one of the staff's accounts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0002_append_only"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="auditrow",
            name="audit_subject_shape",
        ),
        migrations.AddConstraint(
            model_name="auditrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "subject__regex",
                        "^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z][a-z_]{0,62}|account:[1-9][0-9]{0,8}(:(viewer|support|admin|superuser))?)?$",
                    )
                ),
                name="audit_subject_shape",
            ),
        ),
    ]
