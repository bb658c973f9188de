from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """What has ended is found by when, so that retention reads no more than it removes."""

    atomic = False

    dependencies = [("deliveries", "0010_second_looks")]

    operations = [
        migrations.AddField("lane", "idle_since", models.DateTimeField(null=True, editable=False)),
        AddIndexConcurrently(
            "lane",
            models.Index(
                fields=["idle_since"], condition=Q(idle_since__isnull=False), name="lane_idle"
            ),
        ),
        AddIndexConcurrently(
            "destination", models.Index(fields=["expires_at"], name="destination_by_time")
        ),
        AddIndexConcurrently(
            "alert",
            models.Index(
                fields=["ended_at"], condition=Q(ended_at__isnull=False), name="alert_by_end"
            ),
        ),
        AddIndexConcurrently(
            "order",
            models.Index(
                fields=["finished_at"], condition=Q(finished_at__isnull=False), name="order_by_end"
            ),
        ),
        AddIndexConcurrently(
            "reclassification", models.Index(fields=["created_at"], name="second_look_by_time")
        ),
    ]
