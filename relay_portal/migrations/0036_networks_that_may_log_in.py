from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("relay_portal", "0035_openid_provider"),
    ]

    operations = [
        migrations.CreateModel(
            name="LogInNetwork",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "network",
                    models.CharField(
                        help_text="Such as 192.0.2.0/24, 2001:db8::/32, or one address.",
                        max_length=43,
                        verbose_name="network",
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("owner", "Owner"),
                            ("operator", "Operator"),
                            ("support", "Support staff"),
                            ("auditor", "Auditor"),
                            ("developer", "Developer"),
                        ],
                        help_text="Empty: for all roles that have no network of their own.",
                        max_length=10,
                        verbose_name="role",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=200, verbose_name="note")),
            ],
            options={
                "verbose_name": "network",
                "verbose_name_plural": "networks that may log in",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("network", "role"),
                        name="log_in_network_once",
                        violation_error_message="This network is there already.",
                    )
                ],
            },
        ),
    ]
