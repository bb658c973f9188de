"""The lane in which deliveries wait that a person holds back."""

from django.db import migrations


def make_parked_lane(apps, schema_editor):
    apps.get_model("deliveries", "Lane").objects.create(id=0, site="(held)")


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0003_pace_pauses_and_orders")]

    operations = [migrations.RunPython(make_parked_lane, migrations.RunPython.noop)]
