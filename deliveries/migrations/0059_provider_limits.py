"""Limits over all lanes of a provider."""

import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0062_traffic_of_all_projects"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProviderLimit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.SlugField(max_length=40, unique=True, verbose_name="name")),
                (
                    "receivers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SlugField(max_length=40),
                        help_text="Names of their rules, separated by commas.",
                        size=None,
                        verbose_name="receivers",
                    ),
                ),
                (
                    "connections",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Empty: no limit.",
                        null=True,
                        verbose_name="connections at once",
                    ),
                ),
                (
                    "messages",
                    models.PositiveIntegerField(
                        blank=True, help_text="Empty: no limit.", null=True, verbose_name="messages"
                    ),
                ),
                (
                    "period",
                    models.CharField(
                        choices=[("minute", "a minute"), ("hour", "an hour"), ("day", "a day")],
                        default="minute",
                        max_length=6,
                        verbose_name="in",
                    ),
                ),
                ("state", models.JSONField(db_default={}, default=dict, editable=False)),
                ("version", models.BigIntegerField(db_default=0, default=0, editable=False)),
                (
                    "changed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="changed",
                    ),
                ),
            ],
            options={
                "verbose_name": "limit over a provider",
                "verbose_name_plural": "limits over providers",
                "ordering": ["name"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("connections__isnull", False),
                            ("messages__isnull", False),
                            _connector="OR",
                        ),
                        name="provider_limit_limits_something",
                        violation_error_message=(
                            "Give a number of connections, of messages, or both."
                        ),
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("connections", 0), _negated=True),
                            models.Q(("messages", 0), _negated=True),
                        ),
                        name="provider_limit_of_one_or_more",
                        violation_error_message="A limit is one or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("receivers__len__gte", 1)),
                        name="provider_limit_has_a_receiver",
                        violation_error_message="Name a receiver.",
                    ),
                ],
            },
        ),
    ]
