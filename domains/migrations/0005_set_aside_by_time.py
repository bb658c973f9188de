from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """What was put aside long ago is found by when it failed last."""

    atomic = False

    dependencies = [("domains", "0004_set_aside")]

    operations = [
        AddIndexConcurrently(
            "setaside", models.Index(fields=["last_failed_at"], name="set_aside_by_time")
        )
    ]
