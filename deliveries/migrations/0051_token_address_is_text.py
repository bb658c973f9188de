"""Keep the address of the authorization server as text: what it must be is checked in one place."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0057_tenants"),
    ]

    operations = [
        migrations.AlterField(
            model_name="smarthost",
            name="token_url",
            field=models.CharField(
                blank=True, default="", max_length=500, verbose_name="token URL"
            ),
        ),
    ]
