"""The lane that every fresh install needs, and how PostgreSQL stores the rows of the hot path."""

from django.db import migrations

# Room on each page lets the claim (no indexed column changes) be a heap-only update; zstd's output
# cannot be compressed again; and a queue wants its dead rows gone early, since every claim steps
# over them.
STORAGE = """
ALTER TABLE deliveries_delivery SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE deliveries_lane SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 500);
ALTER TABLE deliveries_content ALTER COLUMN data SET STORAGE EXTERNAL;
"""
UNDO = """
ALTER TABLE deliveries_delivery RESET (fillfactor, autovacuum_vacuum_scale_factor,
    autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor);
ALTER TABLE deliveries_lane RESET (fillfactor, autovacuum_vacuum_scale_factor,
    autovacuum_vacuum_threshold);
ALTER TABLE deliveries_content ALTER COLUMN data SET STORAGE EXTENDED;
"""


def make_routing_lane(apps, schema_editor):
    lane = apps.get_model("deliveries", "Lane")
    lane.objects.create(id=1, site="(routing)")
    schema_editor.execute("SELECT setval(pg_get_serial_sequence('deliveries_lane', 'id'), 1)")


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0001_initial")]

    operations = [
        migrations.RunPython(make_routing_lane, migrations.RunPython.noop),
        migrations.RunSQL(STORAGE, UNDO),
    ]
