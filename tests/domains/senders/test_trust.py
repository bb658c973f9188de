"""A project sends as a domain for 72 hours after nothing in its DNS proves it any more."""

from datetime import timedelta

import pytest
from django.utils import timezone

from domains import jobs
from domains.identity.checking import check
from domains.models import AuditEntry, Domain, DomainAlert, Project
from domains.senders import adding, domain_alerts
from tests.commands import ekiden, ekiden_json
from tests.domains.senders.test_verification import new_domain, publish
from tests.fakes.dns import Behaviour, FakeDns

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def dns(settings):
    with FakeDns(ttl=5) as dns:
        settings.EKIDEN_DNS, settings.EKIDEN_HOSTNAME = [dns.url], "relay.test"
        yield dns


@pytest.fixture
def domain(dns):
    """Make a domain that was verified once, and that nothing in DNS proves any more."""
    domain = new_domain("shop")
    domain.verify(now=NOW)
    return domain


def look(domain, hours):
    check([domain], now=NOW + timedelta(hours=hours))
    domain.refresh_from_db()
    return domain.is_verified


def warnings():
    return AuditEntry.objects.filter(action="alert").count()


def test_an_alert_comes_at_once_and_after_a_day_and_mail_is_refused_after_three(domain, caplog):
    told = []
    for hours in (0, 23, 25, 48, 71):
        assert look(domain, hours)
        told.append(warnings())
    assert told == [1, 1, 2, 2, 2]
    assert caplog.text.count("event=domain-alert domain=shop.test kind=ownership") == 2
    assert not look(domain, 72)
    assert AuditEntry.objects.get(action="lapsed").object_name == "shop.test"


def test_a_proof_that_is_found_again_ends_it(dns, domain):
    look(domain, 0)
    publish(dns, domain, "ownership")
    assert look(domain, 60) and domain.lost_at is None
    assert not domain_alerts.open_alerts()
    dns.zones.clear()
    assert look(domain, 100) and look(domain, 171) and not look(domain, 172)


def test_who_proves_it_after_the_end_has_it_again(dns, domain):
    look(domain, 0)
    look(domain, 80)
    assert DomainAlert.objects.filter(ended_at=None).count() == 1
    publish(dns, domain, "dkim")
    assert look(domain, 90) and domain.lapsed_at is None
    assert not domain_alerts.open_alerts()


@pytest.mark.parametrize("name", ["_ekiden.shop.test", "dkim"])
def test_dns_that_does_not_answer_for_a_proof_ends_nothing(dns, domain, name):
    look(domain, 0)
    name = domain.keys.get().record_name if name == "dkim" else name
    dns.behaviours[name] = Behaviour.SERVFAIL
    assert look(domain, 80)
    dns.behaviours.clear()
    assert not look(domain, 81)


def test_an_operators_word_is_not_taken_back(dns, domain):
    domain.verify(now=NOW, assumed=True)
    assert all(look(domain, hours) for hours in (0, 80, 200))
    assert not DomainAlert.objects.exists()


def test_an_operator_may_take_it_on_their_word_meanwhile(domain):
    look(domain, 0)
    adding.assume(domain)
    assert not domain_alerts.open_alerts() and look(domain, 80)


def test_it_passes_to_the_project_that_proves_it_in_both_audit_logs(dns, domain):
    other = new_domain("other")
    publish(dns, other, "ownership")
    for hours in (0, 71):
        assert look(domain, hours) and not look(other, hours)
    assert not look(domain, 72)
    other.refresh_from_db()
    assert other.is_verified and other.claims_since is None
    noted = AuditEntry.objects.exclude(action="alert").values_list("project__name", "action")
    assert set(noted) == {("shop", "lapsed"), ("shop", "passed_on"), ("other", "took_over")}


def test_of_two_that_prove_it_the_first_has_it_and_who_proves_it_no_more_has_not(dns, domain):
    first, second, gone = (new_domain(name) for name in ("first", "second", "gone"))
    for hours, claimant in enumerate((gone, first, second)):
        publish(dns, claimant, "ownership")
        look(claimant, hours)
    dns.zones["_ekiden.shop.test"]["TXT"].pop(0)
    for hours in (3, 75):
        for each in (gone, first, second, domain):
            look(each, hours)
    assert list(Domain.objects.verified()) == [first]


def test_a_claim_that_nobody_has_looked_at_lately_is_none(dns, domain):
    other = new_domain("other")
    publish(dns, other, "ownership")
    look(domain, 0)
    look(other, 0)
    look(domain, 72)
    assert not Domain.objects.verified().exists()


def test_what_is_lost_is_looked_at_every_hour(domain):
    look(domain, 0)
    assert domain in Domain.objects.due_for_check(before=NOW - jobs.AGAIN)


def test_the_command_says_until_when_and_since_when(domain):
    look(domain, 0)
    assert "shop.test is verified until" in ekiden("domain", "show", "shop.test")
    shown = ekiden_json("domain", "show", "shop.test", "--json")
    assert shown["refused_from"] == (NOW + timedelta(hours=72)).isoformat()
    assert "proves that it is the project's any more" in shown["alerts"][0]["text"]
    look(domain, 72)
    assert "not verified any more, since" in ekiden("domain", "show", "shop.test")
    assert ekiden_json("domain", "show", "shop.test", "--json")["lapsed_at"]


def test_what_was_verified_before_the_upgrade_has_a_grace_of_its_own(dns):
    """As the migration leaves it: verified long ago, and nothing noted since."""
    project = Project.objects.create(name="old")
    long_ago = NOW - timedelta(days=400)
    row = Domain.objects.create(project=project, name="old.test", token="t", verified_at=long_ago)
    assert look(row, 0) and look(row, 71) and not look(row, 72)
