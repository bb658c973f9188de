from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Concurrently, since building an index would otherwise hold up all accepting and
    delivering.
    """

    atomic = False
    dependencies = [("deliveries", "0005_what_stops_put_aside")]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["expires_at"],
                condition=Q(state__in=("queued", "deferred")),
                name="delivery_by_deadline",
            ),
        ),
        RemoveIndexConcurrently(model_name="delivery", name="delivery_deadline"),
    ]
