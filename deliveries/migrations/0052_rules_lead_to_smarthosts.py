"""Let an egress rule lead to a smarthost in place of a pool."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0030_demands"),
    ]

    operations = [
        migrations.AlterField(
            model_name="egressrule",
            name="pool",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rules",
                to="deliveries.pool",
                verbose_name="pool",
            ),
        ),
        migrations.AddField(
            model_name="egressrule",
            name="smarthost",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rules",
                to="deliveries.smarthost",
                verbose_name="smarthost",
            ),
        ),
        migrations.AddConstraint(
            model_name="egressrule",
            constraint=models.CheckConstraint(
                condition=Q(pool__isnull=False, smarthost__isnull=True)
                | Q(pool__isnull=True, smarthost__isnull=False),
                name="egressrule_leads_to_one_of_both",
                violation_error_message="A rule leads either to a pool or to a smarthost.",
            ),
        ),
    ]
