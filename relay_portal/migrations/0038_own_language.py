from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("relay_portal", "0037_own_time_zone"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=10,
                verbose_name="language",
            ),
        ),
    ]
