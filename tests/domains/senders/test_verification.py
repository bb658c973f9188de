from datetime import timedelta

import pytest
from django.utils import timezone

from domains import jobs
from domains.identity.checking import check
from domains.models import Domain, Project
from domains.senders.keys import make_key
from domains.senders.verification import our_spf, required_records
from tests.fakes.dns import Behaviour, FakeDns

pytestmark = pytest.mark.django_db


@pytest.fixture
def zones(settings):
    with FakeDns() as dns:
        settings.EKIDEN_DNS = [dns.url]
        settings.EKIDEN_HOSTNAME = "relay.test"
        yield dns


@pytest.fixture
def domain():
    return new_domain("shop")


def new_domain(project, name="shop.test"):
    domain = Domain.objects.create(
        project=Project.objects.create(name=project), name=name, token=f"token-of-{project}"
    )
    make_key(domain, "ed25519")
    return domain


def publish(dns, domain, *purposes):
    for record in required_records(domain):
        if record.purpose in purposes:
            dns.zones.setdefault(record.name, {}).setdefault("TXT", []).append(record.value)


def look(domain):
    check([domain], now=timezone.now())
    domain.refresh_from_db()
    return {finding["purpose"]: finding["state"] for finding in domain.findings}


def test_nothing_published_is_all_missing_and_not_verified(zones, domain):
    assert set(look(domain).values()) == {"missing"}
    assert not domain.is_verified
    assert domain.checked_at


@pytest.mark.parametrize("proof", ["ownership", "dkim"])
def test_either_proof_verifies(zones, domain, proof):
    publish(zones, domain, proof)
    assert look(domain)[proof] == "found"
    assert domain.is_verified


def test_spf_and_dmarc_prove_nothing(zones, domain):
    publish(zones, domain, "spf", "dmarc")
    states = look(domain)
    assert (states["spf"], states["dmarc"]) == ("found", "found")
    assert not domain.is_verified


def test_another_token_is_wrong(zones, domain):
    zones.zones["_ekiden.shop.test"] = {"TXT": ["ekiden-verification=another"]}
    assert look(domain)["ownership"] == "wrong"
    assert not domain.is_verified


def test_dns_that_does_not_answer_decides_nothing(zones, domain):
    domain.verify(now=timezone.now())
    zones.behaviours["_ekiden.shop.test"] = Behaviour.SERVFAIL
    assert look(domain)["ownership"] == "unknown"
    assert domain.is_verified


def test_a_verified_domain_stays_so_for_a_while_when_its_records_go(zones, domain):
    publish(zones, domain, "ownership")
    look(domain)
    zones.zones.clear()
    assert look(domain)["ownership"] == "missing"
    assert domain.is_verified


def test_a_domain_taken_on_an_operators_word_is_confirmed_by_its_zone(zones, domain):
    domain.verify(now=timezone.now(), assumed=True)
    look(domain)
    assert domain.is_assumed
    publish(zones, domain, "dkim")
    look(domain)
    assert not domain.is_assumed


def test_one_project_alone_verifies_a_domain(zones, domain):
    other = new_domain("other")
    publish(zones, domain, "ownership")
    publish(zones, other, "ownership")
    look(domain)
    assert look(other)["ownership"] == "wrong"
    assert "Another project" in other.findings[0]["text"]
    assert domain.is_verified
    assert not other.is_verified


def test_our_hosts_in_spf_are_the_source_address_or_the_host_name(settings):
    settings.EKIDEN_HOSTNAME, settings.EKIDEN_SOURCE = "relay.test", ""
    assert our_spf() == "a:relay.test"
    settings.EKIDEN_SOURCE = "2001:db8::1"
    assert our_spf() == "ip6:2001:db8::1"


def test_keys_are_made_once_however_often_it_rings(domain):
    domain.keys.all().delete()
    jobs.make_keys(domain.pk)
    jobs.make_keys(domain.pk)
    assert [key.algorithm for key in domain.keys.all()] == ["rsa"]


def test_a_ring_for_a_domain_that_is_gone_is_harmless(zones):
    jobs.make_keys(0)
    jobs.verify_domain(0)


def test_a_ring_checks_one_domain(zones, domain):
    publish(zones, domain, "ownership")
    jobs.verify_domain(domain.pk)
    domain.refresh_from_db()
    assert domain.is_verified


def test_the_regular_ring_leaves_out_what_was_seen_today(zones, domain):
    fresh, stale = new_domain("fresh", "fresh.test"), new_domain("stale", "stale.test")
    for each, days in ((fresh, 0), (stale, 2)):
        each.verify(now=timezone.now())
        each.checked_at = timezone.now() - timedelta(days=days)
        each.save()
    jobs.verify_domains()
    asked = {name for name, _ in zones.queries}
    assert asked >= {record.name for each in (domain, stale) for record in required_records(each)}
    assert not any("fresh.test" in name for name in asked)
