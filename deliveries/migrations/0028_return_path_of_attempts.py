"""Let attempts say which return path was used; the old code leaves it empty."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0027_searches_and_exports"),
    ]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="return_path",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=253, verbose_name="return path"
            ),
        ),
    ]
