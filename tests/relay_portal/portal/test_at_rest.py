"""What a stolen dump of the database holds of people's log-ins: nothing that opens the portal."""

import base64
from importlib import import_module

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from domains.foundation.secrets.keyring import KeyRing, KeyRingError
from relay_portal.access import ring_contents, second_factors
from tests.deliveries.test_secrets import dump_of_postgresql
from tests.relay_portal.portal.conftest import code, code_of, invited, person, verified
from tests.relay_portal.portal.test_login import SETUP, enrol, give_password, give_token

MIGRATION = import_module("relay_portal.migrations.0004_second_factors_and_sessions_at_rest")


@pytest.fixture(autouse=True)
def ring(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    return second_factors.ring


def spellings(seed):
    return {
        seed.hex(),
        base64.b32encode(seed).decode(),
        base64.b64encode(seed).decode(),
        repr(seed)[2:-1],
    }


@pytest.mark.django_db(transaction=True)
def test_a_dump_holds_no_session_no_seed_and_no_recovery_code(client):
    user = person(enrolled=False)
    client = invited(user)
    enrol(client)
    codes = client.post("/account/security/codes/").context["codes"]
    user.refresh_from_db()
    half_way = verified(user)
    half_way.get(SETUP)
    seed_half_way = (
        half_way.post(SETUP, {"method-method": "generator", "set_up-current_step": "method"})
        .context["wizard"]["form"]
        .key
    )
    cookies = [each.cookies[settings.SESSION_COOKIE_NAME].value for each in (client, half_way)]
    assert client.get("/").status_code == half_way.get("/").status_code == 200
    stolen = dump_of_postgresql().decode()
    assert "otto" in stolen and second_factors.SEALED in stolen  # the thief did get something
    seeds = spellings(TOTPDevice.objects.get().bin_key) | spellings(bytes.fromhex(seed_half_way))
    assert not [secret for secret in {*seeds, *codes, *cookies} if secret in stolen]
    for session in Session.objects.all():
        thief = Client()
        thief.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
        assert thief.get("/").status_code == 302
        assert not session.get_decoded()


@pytest.mark.django_db
def test_what_is_stored_serves_its_owner(client):
    user = person()
    device = user.totpdevice_set.get()
    give_password(client)
    assert give_token(client, code(device)).headers["Location"] == "/"
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert client.session.exists(key)
    client.post("/account/logout/")
    assert not client.session.exists(key)
    assert not Session.objects.filter(session_key=key).exists()


@pytest.mark.django_db
def test_seeds_go_on_under_a_new_ring_key_and_not_without_their_own():
    device = person().totpdevice_set.get()
    seed, ring = device.bin_key, second_factors.ring()
    ring.rotate()
    assert TOTPDevice.objects.get().bin_key == seed
    ring_contents.renew(ring)
    ring.forget_old()
    assert TOTPDevice.objects.get().bin_key == seed
    ring.rotate()
    ring.forget_old()
    assert TOTPDevice.objects.get().bin_key != seed


@pytest.mark.django_db
def test_a_lost_ring_lets_nobody_in_and_breaks_no_page(tmp_path, client, caplog):
    user = person()
    token = code(user.totpdevice_set.get())
    (tmp_path / "keys" / "ring").unlink()
    give_password(client)
    assert give_token(client, token).status_code == 200
    assert client.get("/").status_code == 302
    assert (
        "event=second-factor-unreadable" in caplog.text
        and not (tmp_path / "keys" / "ring").exists()
    )


@pytest.mark.django_db
def test_the_migration_protects_what_stands_in_clear(client):
    user = person()
    seed, stored = "00112233445566778899aabbccddeeff00112233", TOTPDevice.objects.filter(user=user)
    stored.update(key=seed)
    # A process of the version before may still have written it.
    assert stored.get().bin_key.hex() == seed
    device = StaticDevice.objects.create(user=user, name="backup")
    StaticToken.objects.bulk_create([StaticToken(device=device, token="abcdefgh")])
    verified(user)
    for _ in range(2):  # the second time changes nothing
        MIGRATION.protect(apps, None)
    assert stored.get().key.startswith(second_factors.SEALED) and len(stored.get().key) <= 80
    assert stored.get().bin_key.hex() == seed
    assert not Session.objects.exists()
    give_password(client)
    assert give_token(client, code_of(seed)).headers["Location"] == "/"
    assert device.verify_token("abcdefgh") and not device.verify_token("abcdefgh")


def test_what_was_sealed_for_one_purpose_serves_no_other(tmp_path):
    ring = KeyRing.open(tmp_path / "ring")
    sealed = ring.seal(b"seed", purpose=b"totp")
    assert ring.unseal(sealed, purpose=b"totp") == b"seed"
    for wrong in (sealed[:-1], b"", sealed[:12]):
        with pytest.raises(KeyRingError):
            ring.unseal(wrong, purpose=b"totp")
    with pytest.raises(KeyRingError):
        ring.unseal(sealed, purpose=b"other")
