"""Note since when nothing in DNS proves a domain, and whether names below it may send.

What is verified has a new grace: whatever its zone says today, the time begins with the first look
after the upgrade that finds no proof.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0023_return_paths_of_domains"),
    ]

    operations = [
        migrations.AddField(
            model_name="domain",
            name="claims_since",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="domain",
            name="covers_subdomains",
            field=models.BooleanField(
                db_default=False,
                default=False,
                editable=False,
                help_text="Any name below the domain may stand in From; the domain signs.",
                verbose_name="names below it may send",
            ),
        ),
        migrations.AddField(
            model_name="domain",
            name="is_strict",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name="domain",
            name="lapsed_at",
            field=models.DateTimeField(
                editable=False, null=True, verbose_name="no longer verified since"
            ),
        ),
        migrations.AddField(
            model_name="domain",
            name="lost_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="without a proof in DNS since"
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
                ],
                max_length=20,
                verbose_name="kind",
            ),
        ),
    ]
