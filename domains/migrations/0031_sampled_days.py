"""Add up what the sample of mail that leaves shows, by day."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0030_rotation"),
    ]

    operations = [
        migrations.CreateModel(
            name="SampledDay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField(verbose_name="day")),
                ("receiver", models.CharField(blank=True, max_length=253, verbose_name="receiver")),
                ("amount", models.PositiveBigIntegerField(default=0)),
                ("by_tls", models.PositiveBigIntegerField(default=0)),
                ("bulk", models.PositiveBigIntegerField(default=0)),
                ("one_click", models.PositiveBigIntegerField(default=0)),
                ("last_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="signaturecheck",
            name="is_followed",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddIndex(
            model_name="signaturecheck",
            index=models.Index(
                condition=models.Q(("is_followed", False)),
                fields=["checked_at"],
                name="signature_to_follow",
            ),
        ),
        migrations.AddField(
            model_name="sampledday",
            name="domain",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="sampled_days",
                to="domains.domain",
            ),
        ),
        migrations.AddIndex(
            model_name="sampledday",
            index=models.Index(fields=["last_at"], name="sampled_day_by_age"),
        ),
        migrations.AddConstraint(
            model_name="sampledday",
            constraint=models.UniqueConstraint(
                fields=("domain", "day", "receiver"), name="sampled_day_once"
            ),
        ),
    ]
