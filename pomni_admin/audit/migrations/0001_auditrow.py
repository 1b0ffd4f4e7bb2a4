"""The table of acts. The trigger that makes it append-only comes with the next migration."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AuditRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("act_id", models.UUIDField()),
                ("phase", models.CharField(choices=[("intent", "Intent"), ("outcome", "Outcome")], max_length=7)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("actor", models.CharField(blank=True, max_length=150)),
                ("role", models.CharField(blank=True, max_length=16)),
                ("act", models.CharField(max_length=64)),
                ("handle", models.CharField(blank=True, max_length=12)),
                ("subject", models.CharField(blank=True, max_length=64)),
                ("reason", models.CharField(blank=True, max_length=32)),
                ("result", models.CharField(blank=True, max_length=128)),
                ("receipt", models.CharField(max_length=16)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("act_id", "phase"), name="audit_one_row_a_phase"),
                    models.CheckConstraint(
                        condition=models.Q(("phase__in", ["intent", "outcome"])), name="audit_phase_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("handle__regex", "^(U-[0-9A-HJKMNP-TV-Z]{10})?$")),
                        name="audit_handle_shape",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("subject__regex", "^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z][a-z_]{0,62})?$")
                        ),
                        name="audit_subject_shape",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason__regex", "^[a-z_]*$")), name="audit_reason_shape"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("phase", "intent"), ("result", "")),
                            models.Q(
                                ("phase", "outcome"),
                                ("result__regex", "^([a-z][a-z_]{0,31}(:[A-Za-z_][A-Za-z0-9_]{0,79})?)$"),
                            ),
                            _connector="OR",
                        ),
                        name="audit_result_of_outcome",
                    ),
                ],
            },
        ),
    ]
