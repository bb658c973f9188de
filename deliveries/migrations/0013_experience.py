from django.db import migrations, models


class Migration(migrations.Migration):
    """A lane's row keeps what its hosts did lately."""

    dependencies = [("deliveries", "0012_inbound_mail_that_proves_nothing")]

    operations = [
        migrations.AddField(
            "lane",
            "experience",
            models.JSONField("experience", default=dict, db_default={}, editable=False),
        ),
    ]
