from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Old imports are found by when they were given."""

    atomic = False

    dependencies = [("suppressions", "0004_packed_imports")]

    operations = [
        AddIndexConcurrently("import", models.Index(fields=["created_at"], name="import_by_time"))
    ]
