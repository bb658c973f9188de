from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0006_key_fingerprints"),
    ]

    operations = [
        migrations.AddField(
            model_name="project",
            name="takes_foreign_names",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text=(
                    "Else a display name in From or Sender with an address of none of the "
                    "verified domains is refused."
                ),
                verbose_name="take names that show other addresses",
            ),
        ),
    ]
