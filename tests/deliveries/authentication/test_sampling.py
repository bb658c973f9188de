"""A sample of what leaves is verified against the key that DNS serves now."""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.authentication import sampling
from domains.models import AuditEntry, Domain, IdentityAlert, SignatureCheck
from domains.reporting import summary
from domains.senders import dkim
from domains.senders.keys import make_key
from tests.deliveries import make
from tests.domains.identity.test_signatures import MAIL, signed
from tests.fakes.dns import Behaviour, FakeDns

pytestmark = pytest.mark.usefixtures("mail_db")
KEY = dkim.generate()
RECORD = "s._domainkey.shop.test"


@pytest.fixture
def zones():
    return {RECORD: {"TXT": [dkim.txt_value(KEY)]}}


@pytest.fixture(autouse=True)
def server(settings, zones):
    settings.EKIDEN_SIGNATURE_SAMPLE = 1
    with FakeDns(zones) as dns:
        settings.EKIDEN_DNS = [dns.url]
        yield dns


@pytest.fixture
def domain(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    domain = Domain.objects.create(
        project=make.project(), name="shop.test", token="t", verified_at=timezone.now()
    )
    make_key(domain)
    domain.keys.update(selector="s")
    return domain


def leaves(data=None):
    return make.message(content=data or signed(key=KEY))


def turn():
    return sampling.take_turn(now=timezone.now() + timedelta(minutes=5))


def alerts():
    return [
        (each.subject, each.slip, each.ended_at is None) for each in IdentityAlert.objects.all()
    ]


def test_a_good_message_is_verified_once_and_raises_nothing(domain):
    leaves()
    assert (turn(), turn()) == (1, 0)
    assert SignatureCheck.objects.get().result == "pass" and alerts() == []


def test_a_key_that_is_gone_raises_one_alert_and_its_return_ends_it(domain, zones):
    record = zones.pop(RECORD)
    leaves(), leaves()
    turn()
    assert alerts() == [("shop.test", "sig-no-key", True)]
    assert AuditEntry.objects.filter(action="alert").count() == 1
    assert summary.summary(domain)["verified"]["failed"] == 2
    zones[RECORD] = record
    leaves()
    turn()
    assert alerts() == [("shop.test", "sig-no-key", False)]


def test_the_alert_of_a_removed_domain_ends(domain, zones):
    zones.pop(RECORD)
    leaves()
    turn()
    Domain.objects.all().delete()
    turn()
    assert alerts() == [("shop.test", "sig-no-key", False)]


def test_another_key_in_dns_is_told_from_none(domain, zones):
    zones[RECORD] = {"TXT": [dkim.txt_value(dkim.generate())]}
    leaves()
    turn()
    assert alerts() == [("shop.test", "sig-wrong", True)]


def test_silence_of_dns_is_no_failure(domain, server):
    server.behaviours[RECORD] = Behaviour.SERVFAIL
    leaves()
    turn()
    assert SignatureCheck.objects.get().result == "unknown" and alerts() == []


def test_signatures_of_others_and_unsigned_mail_are_not_judged(domain):
    leaves(MAIL)
    leaves(signed(domain="esp.test"))
    turn()
    assert {each.result for each in SignatureCheck.objects.all()} == {"none"} and alerts() == []


def test_a_domain_on_an_operators_word_raises_no_alert(domain, zones):
    Domain.objects.update(is_assumed=True)
    zones.pop(RECORD)
    leaves()
    turn()
    assert SignatureCheck.objects.get().result == "fail" and alerts() == []


def test_one_of_so_many_is_taken(domain, settings):
    settings.EKIDEN_SIGNATURE_SAMPLE = 4
    for _ in range(40):
        leaves()
    assert 0 < turn() < 30
    settings.EKIDEN_SIGNATURE_SAMPLE = 0
    leaves()
    assert turn() == 0


def test_content_that_is_damaged_stops_nobody(domain):
    message = leaves()
    type(message.content).objects.update(data=b"not zstd")
    leaves()
    assert turn() == 2
