"""Names below a domain send by choice, where DMARC lets the domain sign for them."""

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from domains.foundation.dns.resolver import TemporaryFailure
from domains.identity import subdomains
from domains.models import AuditEntry, Domain, Project
from domains.senders import domain_alerts
from tests.commands import ekiden, ekiden_json
from tests.fakes.dns import Behaviour, FakeDns

pytestmark = pytest.mark.django_db
STRICT = {"TXT": ["v=DMARC1; p=none; adkim=s"]}


@pytest.fixture
def dns(settings):
    zones = {
        "_dmarc.shop.test": {"TXT": ["v=DMARC1; p=reject"]},
        "_ekiden.shop.test": {"TXT": ["ekiden-verification=t"]},
    }
    with FakeDns(zones, ttl=5) as dns:
        settings.EKIDEN_DNS, settings.EKIDEN_HOSTNAME = [dns.url], "relay.test"
        yield dns


@pytest.fixture
def domain(dns):
    project = Project.objects.create(name="shop")
    return Domain.objects.create(
        project=project, name="shop.test", token="t", verified_at=timezone.now()
    )


def test_a_person_lets_them_send_and_takes_it_back(domain):
    shown = ekiden_json("domain", "subdomains", "shop.test", "--allow", "--json")
    assert shown["covers_subdomains"] and shown["lets_names_below_send"]
    assert "Names below it may send" in ekiden("domain", "show", "shop.test")
    assert not ekiden_json("domain", "subdomains", "shop.test", "--forbid", "--json")[
        "covers_subdomains"
    ]
    noted = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(noted) == ["allow_subdomains", "forbid_subdomains"]


@pytest.mark.parametrize("name", ["_dmarc.shop.test", "_dmarc.test"])
def test_not_where_its_own_or_an_inherited_policy_is_strict(dns, domain, name):
    dns.zones.pop("_dmarc.shop.test")
    dns.zones[name] = STRICT
    with pytest.raises(CommandError, match=rf"{name} has adkim=s"):
        ekiden("domain", "subdomains", "shop.test", "--allow")
    assert not AuditEntry.objects.exists()


def test_not_while_dns_gives_no_answer(dns, domain):
    dns.behaviours["_dmarc.shop.test"] = Behaviour.SERVFAIL
    with pytest.raises(TemporaryFailure):
        subdomains.allow(domain)
    with pytest.raises(CommandError, match="DNS gave no answer"):
        ekiden("domain", "subdomains", "shop.test", "--allow")


def test_a_policy_that_becomes_strict_stops_them_with_an_alert_until_it_is_not(dns, domain):
    subdomains.allow(domain)

    def look():
        shown = ekiden_json("domain", "check", "shop.test", "--json")
        return shown["lets_names_below_send"], [each["kind"] for each in shown["alerts"]]

    assert look() == (True, [])
    dns.zones["_dmarc.shop.test"] = STRICT
    assert look() == (False, ["subdomains"])
    dns.behaviours["_dmarc.shop.test"] = Behaviour.SERVFAIL
    assert look() == (False, ["subdomains"])
    dns.behaviours.clear()
    dns.zones["_dmarc.shop.test"] = {"TXT": ["v=DMARC1; p=none"]}
    assert look() == (True, [])


def test_the_alert_ends_when_they_may_not_send_any_more(dns, domain):
    subdomains.allow(domain)
    dns.zones["_dmarc.shop.test"] = STRICT
    ekiden_json("domain", "check", "shop.test", "--json")
    ekiden("domain", "subdomains", "shop.test", "--forbid")
    assert not domain_alerts.open_alerts()
