from django.contrib.postgres.indexes import OpClass
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Reverse


class Migration(migrations.Migration):
    """Addresses are found by how they begin, and by their domain."""

    atomic = False

    dependencies = [("suppressions", "0002_what_is_known")]

    operations = [
        AddIndexConcurrently(
            "suppression",
            models.Index(
                OpClass("address_key", "varchar_pattern_ops"), name="suppression_by_beginning"
            ),
        ),
        AddIndexConcurrently(
            "suppression",
            models.Index(
                OpClass(Reverse("address_key"), "text_pattern_ops"), name="suppression_by_domain"
            ),
        ),
    ]
