from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Built beside the running service: the table is the largest."""

    atomic = False

    dependencies = [("deliveries", "0017_subjects_and_their_index")]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(
                    ("state__in", ("bounced", "expired", "suppressed", "cancelled"))
                ),
                fields=["state", "id"],
                name="delivery_failed",
            ),
        ),
    ]
