"""A return path of the domain's own: used after two good checks, given up when one finds it
broken.
"""

from datetime import timedelta

import dns.resolver
import pytest
import spf as judge
from django.core.management.base import CommandError
from django.db import IntegrityError, transaction
from django.utils import timezone

from domains.jobs import watch_return_paths
from domains.models import AuditEntry, Domain, DomainAlert, Project, ReturnPath
from domains.senders import domain_alerts, return_paths
from tests.commands import ekiden, ekiden_json
from tests.fakes.dns import Behaviour, FakeDns

pytestmark = pytest.mark.django_db
NOW = timezone.now()
TEN = timedelta(minutes=10)


@pytest.fixture
def domain(settings):
    settings.EKIDEN_HOSTNAME = "relay.test"
    project = Project.objects.create(name="shop")
    return Domain.objects.create(project=project, name="shop.test", token="t", verified_at=NOW)


def look(domain, minutes, state="found"):
    return_paths.note_check(domain, state, now=NOW + timedelta(minutes=minutes))
    return return_paths.in_use(domain)


@pytest.fixture
def used(domain):
    look(domain, 0)
    assert look(domain, 10) == "rp.shop.test"
    return domain


def test_the_second_good_check_ten_minutes_later_puts_it_to_use(domain):
    assert [look(domain, minutes) for minutes in (0, 5, 9)] == [""] * 3
    assert look(domain, 10) == "rp.shop.test"
    assert AuditEntry.objects.get(action="use_return_path").details == {"name": "rp.shop.test"}


@pytest.mark.parametrize("state", ["missing", "wrong", "spreading", "bogus"])
def test_a_bad_check_between_begins_anew(domain, state):
    assert [look(domain, 0), look(domain, 5, state), look(domain, 10)] == [""] * 3
    assert look(domain, 20) == "rp.shop.test"


@pytest.mark.parametrize("state", ["unreachable", "unknown", ""])
def test_dns_that_does_not_answer_decides_nothing(used, state):
    assert look(used, 20, state) == "rp.shop.test"
    assert not DomainAlert.objects.exists()


@pytest.mark.parametrize("state", ["missing", "wrong", "spreading", "bogus"])
def test_a_broken_one_is_used_no_longer_and_an_alert_says_so(used, state, caplog):
    assert look(used, 20, state) == look(used, 30, state) == ""
    [alert] = domain_alerts.open_alerts(used)
    assert "rp.shop.test of shop.test does not lead here" in domain_alerts.english(alert)
    assert AuditEntry.objects.filter(action="alert").count() == 1
    assert "event=domain-alert domain=shop.test kind=return-path" in caplog.text


def test_a_mended_one_is_used_again_after_two_checks_and_the_alert_ends(used):
    look(used, 20, "missing")
    assert look(used, 30) == "" and domain_alerts.open_alerts()
    assert look(used, 40) == "rp.shop.test"
    assert not domain_alerts.open_alerts()


def test_the_database_lets_no_name_be_used_after_one_check(domain):
    look(domain, 0)
    with pytest.raises(IntegrityError, match="two_checks"), transaction.atomic():
        ReturnPath.objects.update(state="used", used_since=NOW + TEN / 2)


def test_another_label_ends_the_use_and_the_old_name_is_taken_for_a_month(used):
    return_paths.choose(used, "bounce", now=NOW)
    assert return_paths.in_use(used) == "" and return_paths.is_taken("RP.shop.test.")
    taken = ReturnPath.objects.taken
    assert taken(now=NOW + timedelta(days=30)) and not taken(now=NOW + timedelta(days=32))


def test_a_name_that_never_was_in_use_is_nobodys_once_it_is_given_up(domain):
    look(domain, 0)
    return_paths.choose(domain, "", now=NOW)
    assert not return_paths.is_taken("rp.shop.test") and not ReturnPath.objects.exists()


def test_the_name_of_a_domain_that_was_removed_is_taken_and_not_used(used):
    used.delete()
    assert return_paths.is_taken("rp.shop.test")
    watch_return_paths()
    assert ReturnPath.objects.get().state == "former"


def test_the_command_chooses_the_label_and_the_audit_log_says_so(domain):
    shown = ekiden_json("domain", "return-path", "shop.test", "--label", "Mail", "--json")
    assert shown["return_path"]["name"] == "mail.shop.test"
    assert ("mail.shop.test", "CNAME", "relay.test") in {
        (each["name"], each["type"], each["value"]) for each in shown["records"]
    }
    assert AuditEntry.objects.get().details == {"changed": {"return_path_label": ["rp", "mail"]}}
    ekiden("domain", "return-path", "shop.test", "--none")
    assert ekiden_json("domain", "show", "shop.test", "--json")["return_path"]["name"] == ""


def test_a_label_that_is_no_label_is_refused(domain):
    with pytest.raises(CommandError, match="return path label"):
        ekiden("domain", "return-path", "shop.test", "--label", "a_b")


def test_a_name_that_would_be_too_long_is_not_asked_for(domain):
    domain.name = "a" * 251
    assert domain.return_path_name == ""


@pytest.fixture
def served(settings):
    with FakeDns(ttl=5) as served:
        settings.EKIDEN_DNS = [served.url]
        yield served


def aged(minutes):
    """Move the row's first good check so far back."""
    ReturnPath.objects.update(found_since=NOW - timedelta(minutes=minutes))


def test_the_watch_finds_the_second_good_look_and_the_break(domain, served):
    served.zones |= {"rp.shop.test": {"CNAME": ["relay.test."]}, "relay.test": {"A": ["127.0.0.1"]}}
    ekiden("domain", "check", "shop.test")
    assert ReturnPath.objects.get().state == "found"
    watch_return_paths()
    assert ReturnPath.objects.get().state == "found"
    aged(11)
    watch_return_paths()
    assert return_paths.in_use(domain) == "rp.shop.test"
    served.behaviours["rp.shop.test"] = Behaviour.SERVFAIL
    watch_return_paths()
    assert return_paths.in_use(domain) == "rp.shop.test"
    served.behaviours.clear()
    del served.zones["rp.shop.test"]
    watch_return_paths()
    assert return_paths.in_use(domain) == "" and domain_alerts.open_alerts(domain)


def test_alignment_is_that_of_the_mail_that_leaves(domain, served):
    served.zones |= {
        "rp.shop.test": {"CNAME": ["relay.test."]},
        "relay.test": {"A": ["127.0.0.1"], "TXT": ["v=spf1 a -all"]},
        "_dmarc.shop.test": {"TXT": ["v=DMARC1; p=reject"]},
    }

    def slips():
        shown = ekiden_json("domain", "check", "shop.test", "--json")
        spf = next(each for each in shown["records"] if each["purpose"] == "spf")
        return spf["state"], {each["slip"] for each in shown["mail"]}

    state, found = slips()
    assert state == "missing" and {"spf-not-aligned", "dmarc-fail"} <= found
    aged(11)
    state, found = slips()
    assert state == "unneeded" and {"spf-aligned", "dmarc-pass", "dkim-none"} <= found


def test_pyspf_passes_what_leaves_with_it_over_the_cname(served, monkeypatch):
    served.zones |= {
        "rp.shop.test": {"CNAME": ["relay.test."]},
        "relay.test": {"A": ["127.0.0.1"], "MX": [(0, "relay.test")], "TXT": ["v=spf1 a -all"]},
    }
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [served.address[0]], served.address[1]

    def look_up(name, kind, strict=True, timeout=20):
        try:
            found = resolver.resolve(name, kind)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        values = {"TXT": lambda each: each.strings, "A": lambda each: each.address}
        return [((name, kind), values[kind](each)) for each in found if kind in values]

    monkeypatch.setattr(judge, "DNSLookup", look_up)
    for address, said in (("127.0.0.1", "pass"), ("192.0.2.1", "fail")):
        assert judge.check2(i=address, s="b-x@rp.shop.test", h="relay.test")[0] == said
