import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0005_set_aside_by_time"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeyFingerprint",
            fields=[
                (
                    "kind",
                    models.CharField(
                        choices=[("secret-key", "secret key"), ("ring", "key ring")],
                        max_length=10,
                        primary_key=True,
                        serialize=False,
                        verbose_name="kind",
                    ),
                ),
                (
                    "fingerprints",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32),
                        size=None,
                        verbose_name="fingerprints, newest first",
                    ),
                ),
                (
                    "noted_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="noted"
                    ),
                ),
            ],
            options={
                "verbose_name": "fingerprint of a key",
                "verbose_name_plural": "fingerprints of keys",
            },
        ),
    ]
