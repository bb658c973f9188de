from django.contrib.postgres.indexes import HashIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    """What a row was called, for rows that are gone."""

    atomic = False

    dependencies = [("domains", "0002_audit_log_and_highest_priority")]

    operations = [
        AddIndexConcurrently("auditentry", HashIndex(fields=["object_name"], name="audit_by_name")),
    ]
