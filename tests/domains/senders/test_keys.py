import re

import pytest
from django.utils import timezone

from domains.foundation.secrets.keyring import KeyRing, KeyRingError
from domains.models import Domain, Project
from domains.senders import dkim, keys

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    return tmp_path


@pytest.fixture
def domain():
    return Domain.objects.create(
        project=Project.objects.create(name="shop"), name="shop.test", token="t"
    )


@pytest.mark.parametrize("algorithm", ["rsa", "ed25519"])
def test_a_key_is_kept_encrypted_and_fits_its_record(domain, data, algorithm):
    key = keys.make_key(domain, algorithm)
    private_key = dkim.load_private_key(
        KeyRing.open(data / "keys" / "ring").decrypt(key.private_key)
    )
    assert key.public_record == dkim.txt_value(private_key)
    assert f"k={algorithm};" in key.public_record
    assert dkim.private_bytes(private_key) not in bytes(key.private_key)


def test_a_selector_shows_its_month_and_is_new_each_time(domain):
    assert re.fullmatch(rf"ek{timezone.now():%Y%m}[0-9a-f]{{6}}", keys.new_selector())
    assert keys.new_selector() != keys.new_selector()


def test_a_new_key_waits_until_it_was_seen(domain):
    key = keys.make_key(domain, "ed25519")
    assert list(domain.keys.waiting()) == [key] and not domain.keys.active()
    assert key.record_name == f"{key.selector}._domainkey.shop.test"


def test_a_lost_ring_is_not_replaced_while_there_are_keys(domain, data):
    keys.make_key(domain, "ed25519")
    (data / "keys" / "ring").unlink()
    with pytest.raises(KeyRingError, match="missing"):
        keys.make_key(domain, "ed25519")
