from django.db import migrations, models


class Migration(migrations.Migration):
    """What is counted from now on names no project; rows of an older version still may."""

    dependencies = [
        ("deliveries", "0058_overflow_of_pools"),
    ]

    operations = [
        migrations.AlterField(
            model_name="trafficcount",
            name="project",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=models.deletion.DO_NOTHING,
                to="domains.project",
                verbose_name="project",
            ),
        ),
    ]
