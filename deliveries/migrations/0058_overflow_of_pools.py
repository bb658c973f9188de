"""Let a pool have a smarthost for what is above, and a source warm up with each new receiver."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0052_rules_lead_to_smarthosts"),
    ]

    operations = [
        migrations.AddField(
            model_name="pool",
            name="overflow",
            field=models.ForeignKey(
                blank=True,
                help_text=(
                    "The smarthost that carries at once what no source of the pool may carry."
                ),
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="pools",
                to="deliveries.smarthost",
                verbose_name="overflow",
            ),
        ),
        migrations.AddField(
            model_name="source",
            name="warms_each",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text=(
                    "A receiver that has had no mail from it gets few messages a day at first. Set "
                    "by a warm-up; without it, the source is warm for all."
                ),
                verbose_name="warms up with each new receiver",
            ),
        ),
        migrations.RunSQL(
            "UPDATE deliveries_source SET warms_each = true WHERE state = 'warming'",
            migrations.RunSQL.noop,
        ),
    ]
