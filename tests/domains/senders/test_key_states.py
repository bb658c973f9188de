"""No key signs before its record was seen; what it replaces retires."""

import threading
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from django.core.management.base import CommandError
from django.db import IntegrityError, transaction
from django.utils import timezone

from domains.jobs import watch_keys
from domains.models import AuditEntry, Domain, Project, SigningKey
from domains.senders import adding, key_states
from domains.senders.keys import make_key
from tests.commands import ekiden, ekiden_json
from tests.deliveries.stage import in_thread
from tests.deliveries.steering.test_two_workers import is_held_up

pytestmark = pytest.mark.django_db
NOW = timezone.now()
HOUR = timedelta(hours=1)


@pytest.fixture
def domain():
    project = Project.objects.create(name="shop")
    return Domain.objects.create(project=project, name="shop.test", token="t", verified_at=NOW)


@pytest.fixture
def key(domain):
    return make_key(domain, "ed25519")


def look(key, minutes, state="found", watch=HOUR):
    now = NOW + timedelta(minutes=minutes)
    key_states.note_check(key.domain, {key.record_name: state}, watch=watch, now=now)
    key.refresh_from_db()
    return key.state


def seen(key):
    for minutes in (0, 30, 60):
        look(key, minutes)
    return key


@pytest.mark.parametrize("values", [
    {"is_active": True}, {"is_active": True, "state": "signing"}, {"state": "signing"},
    {"is_active": True, "state": "retired", "signs_unseen": True}, {"seen_at": NOW},
    {"seen_at": NOW, "found_since": NOW - HOUR, "sightings": 2}, {"state": "retiring"},
    {"seen_at": NOW, "found_since": NOW - HOUR / 2, "sightings": 9},
])  # fmt: skip
def test_the_database_lets_no_key_sign_that_was_not_seen(key, values):
    with pytest.raises(IntegrityError, match="key_"), transaction.atomic():
        SigningKey.objects.filter(pk=key.pk).update(**values)


def test_a_key_signs_after_three_checks_over_an_hour(key):
    assert [look(key, minutes) for minutes in (0, 20, 40)] == ["published"] * 3
    assert look(key, 60) == "signing" and key.seen_at and not key.signs_unseen
    assert AuditEntry.objects.get(action="start_signing").object_name == key.record_name


def test_checks_in_a_row_are_one(key):
    assert [look(key, minutes) for minutes in (0, 1, 2, 60)] == ["published"] * 4
    assert look(key, 61) == "signing"


def test_a_long_negative_ttl_makes_the_watch_longer(key):
    minutes = (0, 60, 120, 180)
    assert [look(key, each, watch=3 * HOUR) for each in minutes] == ["published"] * 3 + ["signing"]


@pytest.mark.parametrize("state", ["missing", "wrong", "spreading", "bogus"])
def test_a_record_that_goes_is_watched_anew(key, state):
    look(key, 0), look(key, 30)
    assert look(key, 50, state) == "made"
    assert [look(key, minutes) for minutes in (60, 90)] == ["published"] * 2


def test_dns_that_does_not_answer_decides_nothing(key):
    look(key, 0), look(key, 30)
    assert look(key, 50, "unreachable") == "published"
    assert look(key, 60) == "signing"


def test_the_next_key_takes_over_and_the_last_retires(domain, key):
    seen(key)
    other = seen(make_key(domain))  # RSA signs beside it
    second = make_key(domain, "ed25519")
    assert set(domain.keys.active()) == {key, other}
    seen(second)
    key.refresh_from_db()
    assert set(domain.keys.active()) == {second, other}
    assert key.state == "retiring" and key.retires_at == NOW + HOUR + timedelta(days=7)


def test_a_retiring_key_may_be_taken_back(domain, key):
    second = seen(make_key(seen(key).domain, "ed25519"))
    key_states.sign_alone(SigningKey.objects.get(pk=key.pk), now=NOW)
    assert list(domain.keys.active()) == [key]
    second.refresh_from_db()
    assert second.state == "retiring"


def test_a_retiring_key_is_retired_when_no_mail_is_under_way(key):
    seen(key).retire(now=NOW)
    watch_keys()
    assert SigningKey.objects.get().state == "retiring"
    SigningKey.objects.update(retires_at=NOW)
    watch_keys()
    assert SigningKey.objects.get().state == "retired"
    assert AuditEntry.objects.filter(action="retired").count() == 1


def test_an_operators_word_lets_only_the_first_keys_sign(domain):
    shop = adding.add_domain(domain.project, "word.test", is_assumed=True)
    (first,) = shop.keys.active()
    assert first.signs_unseen
    second = make_key(shop)
    adding.assume(shop)
    assert list(shop.keys.active()) == [first] and list(shop.keys.waiting()) == [second]


def pem(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def small(bits):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def test_a_key_of_others_is_imported_and_waits(domain, tmp_path):
    file = tmp_path / "key.pem"
    file.write_bytes(pem(small(1024)))
    printed = ekiden("key", "import", "shop.test", "s1", str(file))
    assert "s1._domainkey.shop.test" in printed
    (facts,) = ekiden_json("key", "list", "shop.test")
    assert (facts["selector"], facts["state"], facts["seen_at"]) == ("s1", "made", None)


@pytest.mark.parametrize(("data", "why"), [
    (pem(small(1024), BestAvailableEncryption(b"x")), "is encrypted"),
    (pem(ec.generate_private_key(ec.SECP256R1())), "neither RSA nor Ed25519"),
    (b"-----BEGIN PRIVATE KEY-----\nbm8=\n-----END PRIVATE KEY-----\n", "no private key"),
])  # fmt: skip
def test_what_may_not_sign_is_not_imported(domain, tmp_path, data, why):
    file = tmp_path / "key.pem"
    file.write_bytes(data)
    with pytest.raises(CommandError, match=why):
        ekiden("key", "import", "shop.test", "s1", str(file))
    assert not SigningKey.objects.exists()


def test_keys_are_rotated_and_retired_by_command(domain, key):
    seen(key)
    made = ekiden_json("key", "rotate", "shop.test", "--ed25519")
    assert (made["state"], made["algorithm"]) == ("made", "ed25519")
    assert ekiden_json("key", "retire", "shop.test", made["selector"])["state"] == "retired"
    assert "leave its record in DNS until" in ekiden("key", "retire", "shop.test", key.selector)
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True))[-3:] == [
        "rotate", "stop_signing", "stop_signing",
    ]  # fmt: skip


def test_a_switch_and_a_person_at_once_leave_one_key_that_signs(mail_db, domain, key):
    seen(key)
    following = seen(make_key(domain, "ed25519"))
    last = make_key(domain, "ed25519")
    SigningKey.objects.filter(pk=last.pk).update(
        state="seen", seen_at=NOW + HOUR, found_since=NOW, sightings=9
    )
    assert following.is_active
    key.refresh_from_db()
    other = threading.Thread(target=in_thread, args=[lambda: key_states.sign_alone(key, now=NOW)])
    with transaction.atomic():
        key_states.switch(domain, now=NOW)
        other.start()
        while other.is_alive() and not is_held_up():
            pass
    other.join()
    assert SigningKey.objects.active().get() == key


def test_a_key_that_has_begun_to_sign_meanwhile_retires_with_the_mail_under_way(domain, key):
    as_it_was_read = SigningKey.objects.get(pk=key.pk)
    seen(key)
    key_states.retire(as_it_was_read, now=NOW + 2 * HOUR)
    key.refresh_from_db()
    assert (key.state, key.retires_at is not None) == ("retiring", True)
