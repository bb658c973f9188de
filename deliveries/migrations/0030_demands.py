"""Keep what receivers ask for as rows."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0051_token_address_is_text"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReceiverDemand",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        max_length=63,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9][a-z0-9-]{0,62}$",
                                "Lower-case letters, digits and hyphens, at most 63, not "
                                "beginning with a hyphen.",
                            )
                        ],
                        verbose_name="name",
                    ),
                ),
                (
                    "receiver",
                    models.CharField(
                        help_text="The name of its rule for receivers.",
                        max_length=63,
                        verbose_name="receiver",
                    ),
                ),
                (
                    "measure",
                    models.CharField(
                        choices=[
                            ("spf-or-dkim", "SPF or DKIM passes"),
                            ("spf", "SPF passes"),
                            ("spf-and-dkim", "SPF and DKIM pass"),
                            ("dmarc", "A DMARC policy is published"),
                            ("aligned", "SPF or DKIM aligns with From"),
                            ("ptr", "Source addresses have forward-confirmed reverse DNS"),
                            ("tls", "Mail is handed over by TLS"),
                            ("complaints", "Complaints stay below the limit"),
                            ("one-click", "Bulk mail unsubscribes with one click"),
                        ],
                        max_length=12,
                        verbose_name="what it asks for",
                    ),
                ),
                (
                    "limit",
                    models.FloatField(
                        blank=True,
                        help_text="Per cent, for complaints and TLS.",
                        null=True,
                        verbose_name="limit",
                    ),
                ),
                (
                    "asked_from",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Asked of who sends as many to this receiver. 0: of everybody.",
                        verbose_name="messages a day",
                    ),
                ),
                ("since", models.DateField(blank=True, null=True, verbose_name="asked since")),
                (
                    "source",
                    models.CharField(
                        max_length=300,
                        validators=[django.core.validators.URLValidator(["https", "http"])],
                        verbose_name="source",
                    ),
                ),
                ("read_on", models.DateField(verbose_name="source read on")),
                ("is_asked", models.BooleanField(default=True, verbose_name="is looked at")),
                (
                    "is_shipped",
                    models.BooleanField(default=False, editable=False, verbose_name="shipped"),
                ),
                (
                    "is_edited",
                    models.BooleanField(default=False, editable=False, verbose_name="changed here"),
                ),
            ],
            options={
                "verbose_name": "demand of a receiver",
                "verbose_name_plural": "demands of receivers",
                "ordering": ["receiver", "name"],
            },
        ),
    ]
