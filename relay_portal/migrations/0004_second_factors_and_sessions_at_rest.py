from django.db import migrations


def protect(apps, schema_editor):
    """Encrypt the seeds, hash the recovery codes, and end the sessions, whose keys stand in
    clear.
    """
    from relay_portal.access.second_factors import HASHED, SEALED, hashed_code, ring, sealed_seed

    seeds = apps.get_model("otp_totp", "TOTPDevice").objects.exclude(key__startswith=SEALED)
    keys = ring() if seeds.exists() else None
    for device in seeds:
        device.key = sealed_seed(device.key, keys)
        device.save(update_fields=["key"])
    for code in apps.get_model("otp_static", "StaticToken").objects.all():
        if len(code.token) < HASHED:
            code.token = hashed_code(code.token)
            code.save(update_fields=["token"])
    apps.get_model("sessions", "Session").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("relay_portal", "0003_wrong_passwords_by_time"),
        ("otp_totp", "0003_add_timestamps"),
        ("otp_static", "0003_add_timestamps"),
        ("sessions", "0001_initial"),
        ("domains", "0006_key_fingerprints"),
    ]
    operations = [migrations.RunPython(protect, migrations.RunPython.noop)]
