from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Concurrently, since building an index would otherwise hold up all accepting and
    delivering.
    """

    atomic = False
    dependencies = [("deliveries", "0004_parked_lane")]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["domain", "project", "flow"],
                condition=Q(ended_at__isnull=True, lane=0) & ~Q(hold=1),
                name="delivery_put_aside",
            ),
        ),
    ]
