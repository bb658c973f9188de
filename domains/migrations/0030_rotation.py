"""Let selectors be delegated to a zone of ours, and note since when a key signs.

Of two keys of one selector all but one are retired from now on.
"""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

# The day is not known of keys that sign already: that on which they were seen comes next to it.
FILL = "UPDATE domains_signingkey SET signs_since = coalesce(seen_at, created_at) WHERE is_active"


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0019_erasures"),
    ]

    operations = [
        migrations.CreateModel(
            name="DelegatedSelector",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "selector",
                    models.CharField(
                        max_length=63,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9][a-z0-9-]{0,62}$",
                                "Lower-case letters, digits and hyphens, at most 63, not "
                                "beginning with a hyphen.",
                            )
                        ],
                        verbose_name="selector",
                    ),
                ),
                (
                    "is_found",
                    models.BooleanField(
                        default=False, editable=False, verbose_name="its CNAME was found"
                    ),
                ),
                ("is_ending", models.BooleanField(default=False, editable=False)),
                ("kept_value", models.TextField(blank=True, editable=False)),
                ("kept_at", models.DateTimeField(editable=False, null=True)),
                ("trouble", models.CharField(blank=True, editable=False, max_length=300)),
            ],
            options={
                "verbose_name": "delegated selector",
                "verbose_name_plural": "delegated selectors",
                "ordering": ["domain", "selector"],
            },
        ),
        migrations.CreateModel(
            name="UpdateKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=253, verbose_name="name")),
                (
                    "algorithm",
                    models.CharField(
                        choices=[
                            ("hmac-sha256", "HMAC-SHA256"),
                            ("hmac-sha384", "HMAC-SHA384"),
                            ("hmac-sha512", "HMAC-SHA512"),
                        ],
                        max_length=11,
                        verbose_name="algorithm",
                    ),
                ),
                ("secret", models.BinaryField()),
                (
                    "set_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="set",
                    ),
                ),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="signingkey",
            name="selector_once_per_domain",
        ),
        migrations.AddField(
            model_name="domain",
            name="rotation_days",
            field=models.PositiveSmallIntegerField(
                db_default=180,
                default=180,
                help_text="Where its selectors are delegated to this relay. 0: only when asked.",
                validators=[django.core.validators.MaxValueValidator(3650)],
                verbose_name="days until its next key is made",
            ),
        ),
        migrations.AddField(
            model_name="signingkey",
            name="refusals",
            field=models.PositiveBigIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="signingkey",
            name="signs_since",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="signs since"
            ),
        ),
        migrations.AlterField(
            model_name="domainalert",
            name="kind",
            field=models.CharField(
                choices=[
                    ("return-path", "Return path"),
                    ("ownership", "Ownership"),
                    ("subdomains", "Names below it"),
                    ("key-gone", "Record of the new key"),
                    ("key-refused", "Signatures of the new key"),
                ],
                max_length=20,
                verbose_name="kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="signingkey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "retired"), _negated=True),
                fields=("domain", "selector"),
                name="selector_once_per_domain",
            ),
        ),
        migrations.AddField(
            model_name="delegatedselector",
            name="domain",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="delegated",
                to="domains.domain",
                verbose_name="domain",
            ),
        ),
        migrations.AddConstraint(
            model_name="updatekey",
            constraint=models.CheckConstraint(condition=models.Q(("pk", 1)), name="one_update_key"),
        ),
        migrations.AddConstraint(
            model_name="delegatedselector",
            constraint=models.UniqueConstraint(
                fields=("domain", "selector"), name="delegated_selector_once"
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
