"""A key that is missing or another is never made up: each case is one line, and no file."""

import pytest
from django.contrib.sessions.backends.db import SessionStore

from domains.foundation.secrets.keyring import KeyRing
from domains.models import Domain, KeyFingerprint, SigningKey
from domains.operations import starting
from domains.operations.own_keys import KeyMismatch
from domains.senders.keys import make_key
from relay_portal.models import User
from relay_portal.setup import first_keys
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("db")


def made(data):
    return sorted(str(path.relative_to(data)) for path in data.rglob("*"))


def copied(from_, to):
    (to / "keys").mkdir()
    for file in (from_ / "keys").iterdir():
        (to / "keys" / file.name).write_bytes(file.read_bytes())


def signing_key():
    return make_key(
        Domain.objects.create(
            project=make.project(), name=f"d{SigningKey.objects.count()}.test", token="t"
        )
    )


def refused(text):
    return pytest.raises(KeyMismatch, match=text)


def test_an_empty_database_gets_a_key_and_its_fingerprint_once(machine, settings):
    data = machine("a")
    first_keys.settle()
    assert made(data) == ["keys", "keys/secret-key"]
    [row] = KeyFingerprint.objects.all()
    assert settings.SECRET_KEY and settings.SECRET_KEY not in str(row.fingerprints)
    first_keys.settle()
    starting.admit()


def test_a_process_before_the_first_setup_is_told_to_wait_for_it(machine):
    with refused("./ekiden setup$"):
        starting.examine()
    assert made(machine("a")) == []


def test_a_second_machine_without_keys_is_refused_and_makes_none(machine):
    first_keys.settle()
    data = machine("b")
    for act in (first_keys.settle, starting.examine):
        with refused("There is no secret key in .*copy the folder keys"):
            act()
    assert made(data) == []


def test_a_second_machine_with_another_secret_key_is_refused(machine):
    first_keys.settle()
    data = machine("b")
    (data / "keys").mkdir()
    (data / "keys" / "secret-key").write_text("made up here")
    machine("b")
    for act in (first_keys.settle, starting.examine):
        with refused("is not that of the installation"):
            act()


def test_a_second_machine_needs_the_ring_too(machine):
    first = machine("a")
    first_keys.settle()
    signing_key()
    second = machine("b")
    copied(first, second)
    machine("b")
    starting.examine()
    (second / "keys" / "ring").unlink()
    with refused("ring .*is missing"):
        starting.examine()
    with refused("ring .*is missing"):
        signing_key()
    assert made(second) == ["keys", "keys/secret-key"]
    KeyRing.open(second / "keys" / "ring")
    with refused("ring .* is not that of the installation"):
        starting.examine()


def test_a_lost_ring_is_not_made_anew_though_no_signing_key_is_left(machine):
    data = machine("a")
    first_keys.settle()
    signing_key().delete()
    (data / "keys" / "ring").unlink()
    with refused("ring .*is missing"):
        signing_key()


def test_a_rotated_ring_goes_on_here_and_is_asked_for_elsewhere(machine):
    first = machine("a")
    first_keys.settle()
    key = signing_key()
    second = machine("b")
    copied(first, second)
    machine("a")
    ring = KeyRing.open(first / "keys" / "ring")
    ring.rotate()
    starting.examine()
    machine("b")
    with refused("lacks the newest key"):
        starting.examine()
    (second / "keys" / "ring").write_bytes((first / "keys" / "ring").read_bytes())
    starting.examine()
    key.private_key = ring.reencrypt(key.private_key)
    key.save()
    ring.forget_old()
    starting.examine()
    machine("a")
    starting.examine()


def test_a_ring_that_was_rotated_and_forgotten_between_two_starts_proves_itself(machine):
    data = machine("a")
    first_keys.settle()
    key = signing_key()
    ring = KeyRing.open(data / "keys" / "ring")
    ring.rotate()
    key.private_key = ring.reencrypt(key.private_key)
    key.save()
    ring.forget_old()
    starting.examine()


def test_one_damaged_signing_key_stops_nothing(machine):
    first_keys.settle()
    signing_key()
    SigningKey.objects.filter(pk=signing_key().pk).update(private_key=b"damaged")
    starting.examine()


def older_version(machine, *, secret="as the older version made it"):
    data = machine("a")
    (data / "keys").mkdir()
    (data / "keys" / "secret-key").write_text(secret)
    machine("a")
    User.objects.create_superuser("otto", password="x")
    return data


def session():
    store = SessionStore()
    store["portal_seen"] = 1
    store.save()


def test_an_installation_of_an_older_version_keeps_its_keys(machine):
    older_version(machine)
    session()
    make.message()
    signing_key()
    KeyFingerprint.objects.all().delete()
    first_keys.settle()
    starting.examine()


def test_a_second_machine_cannot_make_its_own_keys_the_installations(machine):
    older_version(machine)
    signing_key()
    KeyFingerprint.objects.all().delete()
    data = machine("b")
    with refused("There is no secret key"):
        first_keys.settle()
    assert made(data) == []
    (data / "keys").mkdir()
    (data / "keys" / "secret-key").write_text("made up here by the older version")
    machine("b")
    with refused("ring .*is missing"):
        first_keys.settle()
    assert not KeyFingerprint.objects.exists()


def test_a_second_machine_with_the_ring_alone_is_told_by_the_sessions(machine):
    first = older_version(machine)
    session()
    signing_key()
    KeyFingerprint.objects.all().delete()
    second = machine("b")
    copied(first, second)
    (second / "keys" / "secret-key").write_text("made up here by the older version")
    machine("b")
    with refused("sessions in the database are signed by another"):
        first_keys.settle()


def test_a_restored_database_without_keys_says_so(machine):
    first_keys.settle()
    User.objects.create_superuser("otto", password="x")
    signing_key()
    data = machine("restored")
    with refused("or from your backup, into EKIDEN_DATA"):
        first_keys.settle()
    assert made(data) == []
