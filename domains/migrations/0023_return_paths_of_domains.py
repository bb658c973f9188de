"""Give domains a return path of their own, and alerts.

While the old code still runs, it uses none.
"""

import datetime

import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0016_ourselves"),
    ]

    operations = [
        migrations.AddField(
            model_name="domain",
            name="return_path_label",
            field=models.CharField(
                blank=True,
                db_default="rp",
                default="rp",
                help_text="Failures of the domain's mail come back at this name below it, once its "
                "CNAME leads here. Empty: at the installation's own name.",
                max_length=63,
                validators=[
                    django.core.validators.RegexValidator(
                        "^[a-z0-9][a-z0-9-]{0,62}$",
                        "Lower-case letters, digits and hyphens, at most 63, not "
                        "beginning with a hyphen.",
                    )
                ],
                verbose_name="label of the return path",
            ),
        ),
        migrations.CreateModel(
            name="DomainAlert",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("return-path", "Return path"), ("ownership", "Ownership")],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                ("given", models.JSONField(default=dict)),
                ("opened_at", models.DateTimeField(verbose_name="since")),
                ("repeated_at", models.DateTimeField(null=True, verbose_name="said again")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
                (
                    "domain",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alerts",
                        to="domains.domain",
                        verbose_name="domain",
                    ),
                ),
            ],
            options={
                "verbose_name": "alert of a domain",
                "verbose_name_plural": "alerts of domains",
                "ordering": ["-opened_at"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("ended_at__isnull", False)),
                        fields=["ended_at"],
                        name="domain_alert_by_end",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("domain", "kind"),
                        name="domain_alert_open_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReturnPath",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=253, verbose_name="name")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("found", "Found"),
                            ("used", "In use"),
                            ("broken", "Broken"),
                            ("former", "Given up"),
                        ],
                        default="found",
                        editable=False,
                        max_length=6,
                        verbose_name="state",
                    ),
                ),
                (
                    "found_since",
                    models.DateTimeField(editable=False, verbose_name="found in DNS since"),
                ),
                (
                    "used_since",
                    models.DateTimeField(editable=False, null=True, verbose_name="in use since"),
                ),
                (
                    "stopped_at",
                    models.DateTimeField(
                        editable=False, null=True, verbose_name="no longer in use since"
                    ),
                ),
                ("changed_at", models.DateTimeField(db_index=True, editable=False)),
                (
                    "domain",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="return_paths",
                        to="domains.domain",
                        verbose_name="domain",
                    ),
                ),
            ],
            options={
                "verbose_name": "return path",
                "verbose_name_plural": "return paths",
                "ordering": ["name"],
                "indexes": [
                    models.Index(fields=["name"], name="return_path_by_name"),
                    models.Index(
                        condition=models.Q(("state", "former")),
                        fields=["stopped_at"],
                        name="return_path_by_end",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("domain", "name"), name="return_path_once_per_domain"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "former"), _negated=True),
                        fields=("domain",),
                        name="return_path_one_is_chosen",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "used"), _negated=True),
                            models.Q(
                                ("stopped_at__isnull", True),
                                (
                                    "used_since__gte",
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("found_since"),
                                        "+",
                                        models.Value(datetime.timedelta(seconds=600)),
                                    ),
                                ),
                                ("used_since__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="return_path_is_used_after_two_checks",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ("broken", "former")), _negated=True),
                            ("stopped_at__isnull", False),
                            _connector="OR",
                        ),
                        name="return_path_stops_at_a_time",
                    ),
                ],
            },
        ),
    ]
