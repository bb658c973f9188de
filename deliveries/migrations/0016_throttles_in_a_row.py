from django.db import migrations, models


class Migration(migrations.Migration):
    """A delivery counts the answers in a row that wanted less of us, so that each makes it wait
    longer.
    """

    dependencies = [("deliveries", "0015_refusals")]

    operations = [
        migrations.AddField(
            "delivery",
            "throttle_count",
            models.PositiveSmallIntegerField("held back for the pace", default=0, db_default=0),
        ),
    ]
