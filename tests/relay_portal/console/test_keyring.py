"""`ekiden keyring`: a new key, everything under it, and the old ones forgotten."""

import re
from pathlib import Path

import pytest
from django.core.management import CommandError
from django_otp.plugins.otp_totp.models import TOTPDevice
from rq import Worker

from deliveries.models import SmarthostToken
from deliveries.routing import smarthost_secrets
from domains.foundation.secrets.keyring import KeyRing
from domains.models import AuditEntry, Domain, SigningKey
from domains.operations import own_keys
from domains.senders.keys import make_key
from relay_portal.access import ring_contents
from relay_portal.models import User
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("db", "valkey")


@pytest.fixture
def ring(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    domain = Domain.objects.create(project=make.project(), name="shop.test", token="t")
    make_key(domain)
    user = User.objects.create_user("somebody")
    TOTPDevice.objects.create(user=user, key="0011223344556677889900112233445566778899")
    ring = KeyRing.open(own_keys.ring_place(), create=False)
    smarthost = make.smarthost(password="secret")
    sealed = smarthost_secrets.sealed_token("token", ring)
    SmarthostToken.objects.create(smarthost=smarthost, sealed=sealed)
    return ring


def alive(hostname, valkey):
    """Return a worker of another machine, as RQ writes it down."""
    worker = Worker(["deliveries"], connection=valkey, name=f"w.{hostname}")
    worker.hostname = hostname
    worker.register_birth()


def signing(ring):
    return ring.decrypt(SigningKey.objects.get().private_key)


def test_a_rotation_puts_everything_under_a_new_key_and_the_old_ones_can_go(ring):
    before, seed = signing(ring), TOTPDevice.objects.get().bin_key
    shown = ekiden_json("keyring", "rotate")
    assert len(shown["keys"]) == 2 and shown["contents"] == {
        "DKIM keys": {"newest": 1, "older": 0, "unreadable": 0},
        "seeds of second factors": {"newest": 1, "older": 0, "unreadable": 0},
        "secrets of smarthosts": {"newest": 1, "older": 0, "unreadable": 0},
        "access tokens of smarthosts": {"newest": 1, "older": 0, "unreadable": 0},
        "keys of zone updates": {"newest": 0, "older": 0, "unreadable": 0},
    }
    assert len(ekiden_json("keyring", "forget-old")["keys"]) == 1
    now = KeyRing.open(ring.path)
    assert signing(now) == before
    assert TOTPDevice.objects.get().bin_key == seed
    own_keys.check_ring()
    acts = AuditEntry.objects.filter(object_type="domains.keyfingerprint").order_by("id")
    assert [*acts.values_list("action", flat=True)] == ["rotate", "encrypt_anew", "forget_old_keys"]


def test_old_keys_are_not_forgotten_while_anything_stands_under_them(ring):
    assert "Copy" in ekiden("keyring", "rotate", "--later")
    with pytest.raises(CommandError, match=r"There are DKIM keys and seeds .*keyring renew"):
        ekiden("keyring", "forget-old")
    assert len(KeyRing.open(ring.path)) == 2
    assert "new backup" in ekiden("keyring", "renew")
    ekiden("keyring", "forget-old")


def test_a_renewal_that_was_broken_off_goes_on(ring, monkeypatch):
    ring.rotate()
    broken = [ring_contents.CONTENTS[1]._replace(renewed=lambda stored, ring: 1 / 0)]
    with monkeypatch.context() as patched:
        patched.setattr(ring_contents, "CONTENTS", (ring_contents.CONTENTS[0], *broken))
        with pytest.raises(ZeroDivisionError):
            ring_contents.renew(ring)
    assert [each.older for each in ring_contents.use(ring).values()] == [0, 1, 1, 1, 0]
    ekiden("keyring", "renew")
    assert [each.older for each in ring_contents.use(ring).values()] == [0] * 5


def test_what_no_key_opens_stays_and_is_counted(ring, caplog):
    stranger = KeyRing.open(ring.path.with_name("other"))
    domain = Domain.objects.create(project=make.project(), name="lost.test", token="t")
    lost = make_key(domain)
    SigningKey.objects.filter(pk=lost.pk).update(private_key=stranger.encrypt(b"key"))
    assert ekiden_json("keyring", "rotate")["contents"]["DKIM keys"]["unreadable"] == 1
    assert f"id={lost.pk}" in caplog.text
    lost.refresh_from_db()
    assert stranger.decrypt(lost.private_key) == b"key"


def test_with_workers_on_other_machines_the_ring_is_copied_first(ring, valkey):
    alive("b.relay.test", valkey)
    with pytest.raises(CommandError, match=r"\(b\.relay\.test\).*rotate --later"):
        ekiden("keyring", "rotate")
    assert len(KeyRing.open(ring.path)) == 1
    assert len(ekiden_json("keyring", "rotate", "--later")["keys"]) == 2


def test_whoever_encrypts_by_the_ring_is_known_to_its_rotation():
    """A module that is new here needs a `RingContent` of its own."""
    sealing = re.compile(r"\b(ring|keys|ring\(\))\.(encrypt|seal)\(")
    packages = ("domains", "suppressions", "deliveries", "smtp_listener", "relay_portal")
    files = [file for each in packages for file in (ROOT / each).rglob("*.py")]
    found = {str(file.relative_to(ROOT)) for file in files if sealing.search(file.read_text())}
    assert found == {
        "deliveries/routing/smarthost_secrets.py",
        "domains/senders/key_zone.py",
        "domains/senders/keys.py",
        "relay_portal/access/second_factors.py",
    }
