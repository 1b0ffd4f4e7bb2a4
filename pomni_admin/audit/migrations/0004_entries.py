"""The id of the request in every row, and an index for each filter of the Audit page."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0003_account_subjects"),
    ]

    operations = [
        migrations.AddField(
            model_name="auditrow",
            name="request_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddIndex(
            model_name="auditrow",
            index=models.Index(condition=models.Q(("phase", "intent")), fields=["at", "id"], name="audit_by_time"),
        ),
        migrations.AddIndex(
            model_name="auditrow",
            index=models.Index(
                condition=models.Q(("phase", "intent")), fields=["actor", "at", "id"], name="audit_by_actor"
            ),
        ),
        migrations.AddIndex(
            model_name="auditrow",
            index=models.Index(
                condition=models.Q(("phase", "intent")), fields=["act", "at", "id"], name="audit_by_act"
            ),
        ),
        migrations.AddIndex(
            model_name="auditrow",
            index=models.Index(condition=models.Q(("phase", "intent")), fields=["receipt"], name="audit_by_receipt"),
        ),
        migrations.AddIndex(
            model_name="auditrow",
            index=models.Index(
                condition=models.Q(("handle", ""), _negated=True), fields=["handle", "act_id"], name="audit_by_handle"
            ),
        ),
        migrations.AddIndex(
            model_name="auditrow",
            index=models.Index(
                condition=models.Q(("phase", "outcome")),
                fields=["result", "act_id"],
                name="audit_by_result",
                opclasses=["varchar_pattern_ops", "uuid_ops"],
            ),
        ),
        migrations.AddConstraint(
            model_name="auditrow",
            constraint=models.CheckConstraint(
                condition=models.Q(("request_id__regex", "^([0-9a-f][0-9a-f-]{15,63})?$")),
                name="audit_request_id_shape",
            ),
        ),
    ]
