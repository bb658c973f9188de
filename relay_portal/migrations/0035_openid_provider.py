import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

ROLES = [
    ("owner", "Owner"),
    ("operator", "Operator"),
    ("support", "Support staff"),
    ("auditor", "Auditor"),
    ("developer", "Developer"),
]
ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")
KNOWN = models.Q(("role__in", ["owner", "operator", "support", "auditor", "developer"]))


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0019_erasures"),
        ("relay_portal", "0006_invitations"),
    ]

    operations = [
        migrations.CreateModel(
            name="GroupRole",
            fields=[
                ("id", ID),
                (
                    "group",
                    models.TextField(
                        help_text="As the provider writes it, letter by letter.",
                        unique=True,
                        verbose_name="group",
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=ROLES, default="support", max_length=10, verbose_name="role"
                    ),
                ),
                (
                    "is_limited",
                    models.BooleanField(
                        default=True,
                        help_text="Sees the projects chosen here and no others, "
                        "nor what concerns all of them.",
                        verbose_name="limited to projects",
                    ),
                ),
                (
                    "projects",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Of a person who is limited to projects; "
                        "without one they see no mail.",
                        to="domains.project",
                        verbose_name="projects",
                    ),
                ),
            ],
            options={
                "verbose_name": "group at the provider",
                "verbose_name_plural": "groups at the provider",
                "constraints": [
                    models.CheckConstraint(condition=KNOWN, name="group_has_a_known_role")
                ],
            },
        ),
        migrations.CreateModel(
            name="ProviderIdentity",
            fields=[
                ("id", ID),
                (
                    "name",
                    models.CharField(
                        help_text="The human-readable name of this device.", max_length=64
                    ),
                ),
                (
                    "confirmed",
                    models.BooleanField(default=True, help_text="Is this device ready for use?"),
                ),
                ("issuer", models.TextField(verbose_name="issuer")),
                ("subject", models.TextField(verbose_name="subject")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="at")),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "identity at the provider",
                "verbose_name_plural": "identities at the provider",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("issuer", "subject"), name="one_person_for_a_subject"
                    )
                ],
            },
        ),
    ]
