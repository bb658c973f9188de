from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("relay_portal", "0036_networks_that_may_log_in"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="time_zone",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=64,
                verbose_name="time zone",
            ),
        ),
    ]
