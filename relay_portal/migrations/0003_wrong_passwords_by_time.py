from django.db import migrations


class Migration(migrations.Migration):
    """Old wrong passwords are found by when they were tried; axes has no index for that."""

    atomic = False

    dependencies = [
        ("relay_portal", "0002_remember_when_a_second_factor_was_enrolled"),
        ("axes", "0010_accessattemptexpiration"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS access_attempt_by_time ON "
            "axes_accessattempt (attempt_time)",
            "DROP INDEX IF EXISTS access_attempt_by_time",
        )
    ]
