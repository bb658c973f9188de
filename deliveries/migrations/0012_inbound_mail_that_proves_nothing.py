from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Mail that proves nothing is found by its age, and its bytes by the quotas of a day."""

    atomic = False

    dependencies = [("deliveries", "0011_ends")]

    operations = [
        AddIndexConcurrently(
            "inboundmail",
            models.Index(
                fields=["id"], condition=Q(delivery_id__isnull=True), name="inbound_mail_unproven"
            ),
        ),
    ]
