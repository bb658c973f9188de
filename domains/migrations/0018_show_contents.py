from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0024_trust_and_subdomains"),
    ]

    operations = [
        migrations.AddField(
            model_name="project",
            name="shows_content",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="To owners and operators, each look written down; else to nobody.",
                verbose_name="show contents in the portal",
            ),
        ),
    ]
