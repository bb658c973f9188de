"""Zones as strangers build them, on real name servers: checks end, name what is there, and no
domain is put aside.
"""

from contextlib import ExitStack

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from domains.foundation.text.addresses import BadAddress, canonical_domain
from domains.identity import checking
from domains.identity.zone_text import quoted
from domains.models import Domain, Project, SetAside
from domains.senders.adding import add_domain
from domains.senders.keys import make_key
from domains.senders.verification import required_records
from tests.commands import ekiden, ekiden_json
from tests.fakes.dns import FakeDns
from tests.fakes.knot import PROGRAM, Knot
from tests.ports import free_port

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.peer,
    pytest.mark.skipif(PROGRAM is None, reason="knotd is not installed"),
]
ZONE, OTHER = "shop.test", "other.test"
ADDRESSES = [f"127.0.0.{n}" for n in (1, 2, 3)]
LONG = ".".join(["x" * 50] * 4)  # 203 characters
DMARC = quoted("v=DMARC1; p=none")


@pytest.fixture
def server(settings):
    port = free_port(*ADDRESSES)
    with Knot(ZONE, OTHER, "relay.test", LONG, place=(ADDRESSES[0], port)) as knot:
        settings.EKIDEN_DNS, settings.EKIDEN_ZONE_PORT = [knot.url], port
        settings.EKIDEN_PRIVATE_NETWORKS, settings.EKIDEN_HOSTNAME = ["127.0.0.0/8"], "relay.test"
        yield knot


def new_domain(name=ZONE):
    project = Project.objects.create(name="shop")
    domain = Domain.objects.create(project=project, name=name, token="0a1b2c")
    make_key(domain, "ed25519")
    return domain


def record(domain, purpose):
    return next(each for each in required_records(domain) if each.purpose == purpose)


def looked_at(domain):
    """Return state and slip of each record after a check that put nothing aside."""
    checking.check([domain], now=timezone.now())
    assert not SetAside.objects.exists()
    return {each["purpose"]: (each["state"], each["slip"]) for each in checking.records_of(domain)}


def test_a_loop_of_cnames_ends(server):
    server.put(f"_dmarc.{ZONE}", "CNAME", f"a.{ZONE}.")
    server.add(f"a.{ZONE}", "CNAME", f"_dmarc.{ZONE}.")
    server.put(f"rp.{ZONE}", "CNAME", f"rp.{ZONE}.")
    found = looked_at(new_domain())
    assert found["dmarc"] == ("wrong", "cname-to-nothing")
    assert found["return-path"][0] == "wrong"


def test_a_dname_leads_to_records_elsewhere(server):
    domain = new_domain()
    key = record(domain, "dkim")
    server.add(f"_domainkey.{ZONE}", "DNAME", f"keys.{ZONE}.")
    moved = key.name.replace(f"_domainkey.{ZONE}", f"keys.{ZONE}")
    assert looked_at(domain)["dkim"][0] == "wrong"
    server.add(moved, "TXT", quoted(key.value))
    assert looked_at(domain)["dkim"] == ("found", "")


def test_a_wildcard_cname_is_named_at_every_record(server):
    server.add(f"*.{ZONE}", "CNAME", f"parked.{OTHER}.")
    server.add(f"parked.{OTHER}", "TXT", quoted("v=spf1 -all"))
    found = looked_at(new_domain())
    assert found["dmarc"] == found["ownership"] == found["return-path"] == ("wrong", "wildcard")


def test_all_servers_of_a_delegated_zone_of_keys_are_asked(server, settings):
    domain, keys = new_domain(), f"_domainkey.{ZONE}"
    key = record(domain, "dkim")
    with ExitStack() as stack:
        inner = [stack.enter_context(Knot(keys, place=(a, server.port))) for a in ADDRESSES[1:]]
        hosts = [f"keys{n}.{OTHER}" for n in (2, 3)]
        known = {
            ZONE: {"NS": [f"ns1.{ZONE}."]},
            f"ns1.{ZONE}": {"A": [ADDRESSES[0]]},
            key.name: {"TXT": [key.value]},
        } | {host: {"A": [a]} for host, a in zip(hosts, ADDRESSES[1:], strict=True)}
        settings.EKIDEN_DNS = [stack.enter_context(FakeDns(known)).url]
        server.add(keys, "NS", *(f"{host}." for host in hosts))
        inner[0].add(key.name, "TXT", quoted(key.value))
        assert looked_at(domain)["dkim"] == ("spreading", "spreading")
        [shown] = [each for each in checking.records_of(domain) if each["purpose"] == "dkim"]
        assert [each["host"] for each in shown["servers"]] == hosts
        inner[1].add(key.name, "TXT", quoted(key.value))
        assert looked_at(domain)["dkim"] == ("found", "")


def test_a_name_so_long_that_its_slips_fit_nowhere_is_looked_at(server):
    found = looked_at(new_domain(LONG))
    assert found["dkim"] == found["dmarc"] == ("missing", "")


def test_a_name_too_long_for_its_keys_is_refused_with_a_sentence():
    project = Project.objects.create(name="shop")
    with pytest.raises(ValidationError, match="227 characters fit"):
        add_domain(project, f"{LONG}.{'y' * 24}")
    add_domain(project, f"{LONG}.{'y' * 23}")


def test_our_own_host_name_may_send_as_well(server):
    domain = new_domain("relay.test")
    for each in required_records(domain):
        text = f"{each.value}." if each.type == "CNAME" else quoted(each.value)
        server.add(each.name, each.type, text)
    assert {state for state, _ in looked_at(domain).values()} == {"found"}


def test_names_in_other_letters_are_the_same(server):
    server.put(f"rp.{ZONE}", "CNAME", "RELAY.Test.")
    server.put(f"_DMARC.{ZONE.upper()}", "TXT", DMARC)
    found = looked_at(new_domain())
    assert found["return-path"] == found["dmarc"] == ("found", "")


@pytest.mark.parametrize("written", ["Shop.TEST", "shop.test.", "SHOP.test."])
def test_commands_take_a_name_as_people_write_it(server, written):
    new_domain()
    shown = ekiden_json("domain", "show", written, "--json")
    assert shown["name"] == ZONE
    assert ekiden("domain", "return-path", written, "--none")


def test_an_idn_domain_is_looked_at_by_its_a_labels(server):
    domain = new_domain(f"xn--bcher-kva.{ZONE}")
    server.add(f"_dmarc.{domain.name}", "TXT", DMARC)
    assert looked_at(domain)["dmarc"] == ("found", "")
    assert ekiden_json("domain", "show", f"Bücher.{ZONE}.", "--json")["name"] == domain.name


@pytest.mark.parametrize("written", ["x" * 70 + ".test", "shop..test", ".shop.test", "test."])
def test_what_is_no_domain_name_is_refused(written):
    with pytest.raises(BadAddress):
        canonical_domain(written)
