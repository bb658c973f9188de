"""Our own addresses are looked at as receivers do, and lists that say nothing are not believed."""

import asyncio
import re

import pytest
from django.utils import timezone

from deliveries.models import Source
from domains.foundation.dns.resolver import Resolver
from domains.identity import block_lists, own_lights
from domains.identity.block_lists import LISTS, BlockList
from domains.identity.own_addresses import known_now
from domains.identity.sentences import SENTENCES
from domains.models import AuditEntry, IdentityAlert, OwnLight
from domains.senders.source_addresses import of_sources
from domains.senders.verification import our_spf
from tests.commands import ekiden, ekiden_json
from tests.fakes.dns import Behaviour, FakeDns

ADDRESS = "192.0.2.25"
PTR, CONTROL, CLEAR = "25.2.0.192.in-addr.arpa", "2.0.0.127", "1.0.0.127"
LISTED = "25.2.0.192"


def lists(answer="127.0.0.2"):
    """Return all lists in good order, none with our address."""
    return {f"{CONTROL}.{each.zone}": {"A": [answer]} for each in LISTS}


@pytest.fixture
def zones():
    return {
        PTR: {"PTR": ["relay.test."]}, "relay.test": {"A": [ADDRESS]}, **lists(),
    }  # fmt: skip


@pytest.fixture
def server(settings, zones):
    settings.EKIDEN_HOSTNAME, settings.EKIDEN_SOURCE = "relay.test", ADDRESS
    settings.EKIDEN_PRIVATE_NETWORKS = ["192.0.2.0/24"]
    with FakeDns(zones) as dns:
        settings.EKIDEN_DNS = [dns.url]
        yield dns


def seen():
    own_lights.refresh(now=timezone.now())
    return {each["check"]: (each["state"], each["slip"]) for each in own_lights.lights()}


def alerts():
    return {each.slip for each in IdentityAlert.objects.filter(ended_at=None)}


@pytest.mark.django_db
def test_a_relay_in_good_order_has_only_good_lights(server):
    assert {state for state, _ in seen().values()} == {"good"}
    assert set(seen()) == {"ptr", "forward", "ehlo", *(each.zone for each in LISTS)}
    assert alerts() == set()


@pytest.mark.django_db
def test_a_list_that_refuses_our_resolver_cannot_tell_and_raises_no_alert(server, zones):
    zen = LISTS[0].zone
    for name in (CONTROL, CLEAR, LISTED):
        zones[f"{name}.{zen}"] = {"A": ["127.255.255.254"]}
    assert seen()[zen] == ("unknown", "list-refuses") and alerts() == set()
    assert "Ask by a resolver of your own" in ekiden("identity")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("records", "code"),
    [
        ({CONTROL: []}, "list-silent"),
        ({CLEAR: ["127.0.0.2"], LISTED: ["127.0.0.2"]}, "list-lists-all"),
        ({LISTED: ["127.255.255.255"]}, "list-refuses"),
        ({CONTROL: ["198.51.100.7"]}, "list-refuses"),
        ({LISTED: ["198.51.100.7"]}, "list-refuses"),
    ],
)
def test_an_answer_about_anything_but_the_address_tells_nothing(server, zones, records, code):
    zone = LISTS[1].zone
    for name, answers in records.items():
        zones[f"{name}.{zone}"] = {"A": answers} if answers else {}
    assert seen()[zone] == ("unknown", code) and alerts() == set()


@pytest.mark.django_db
def test_a_listing_raises_one_alert_with_what_it_means_and_ends(server, zones):
    name = f"{LISTED}.{LISTS[0].zone}"
    zones[name] = {"A": ["127.0.0.3", "127.0.0.99"]}
    assert seen()[LISTS[0].zone] == ("bad", "list-listed")
    with pytest.raises(SystemExit):
        ekiden("identity", "--now")
    [alert] = IdentityAlert.objects.all()
    assert "CSS (127.0.0.3), 127.0.0.99" in alert.text and "check.spamhaus.org" in alert.text
    assert AuditEntry.objects.filter(action="alert").count() == 1
    OwnLight.objects.update(changed_at=timezone.now())
    zones[name] = {"A": ["127.255.255.254"]}
    seen()
    assert alerts() == {"list-listed"}
    del zones[name]
    seen()
    assert alerts() == set()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("records", "check", "code"),
    [
        ({PTR: {}}, "ptr", "own-ptr-missing"),
        ({PTR: {}}, "forward", "own-forward-missing"),
        ({PTR: {"PTR": ["host.isp.test."]}}, "forward", "own-forward-missing"),
        ({"relay.test": {"A": ["192.0.2.99"]}}, "ehlo", "own-ehlo-missing"),
    ],
)
def test_what_receivers_refuse_mail_for_is_bad(server, zones, records, check, code):
    zones.update(records)
    assert seen()[check] == ("bad", code) and code in alerts()


@pytest.mark.django_db
def test_silence_of_dns_is_told_from_an_absence(server):
    server.behaviours[PTR] = Behaviour.SERVFAIL
    assert seen()["ptr"] == ("unknown", "own-no-answer") and alerts() == set()


@pytest.mark.django_db
def test_a_private_address_is_looked_up_nowhere(server, settings):
    settings.EKIDEN_PRIVATE_NETWORKS = []
    assert seen() == {"ptr": ("unknown", "own-private")}
    assert not any("spamhaus" in name for name, _ in server.queries)


@pytest.mark.django_db
def test_an_address_that_is_ours_no_more_takes_its_alerts_along(server, settings, zones):
    zones[PTR] = {}
    seen()
    settings.EKIDEN_SOURCE = "192.0.2.26"
    zones["26.2.0.192.in-addr.arpa"] = {"PTR": ["relay.test."]}
    zones["relay.test"] = {"A": ["192.0.2.26"]}
    assert {each["address"] for each in own_lights.lights()} == {ADDRESS}
    seen()
    assert {each["address"] for each in own_lights.lights()} == {"192.0.2.26"}
    assert alerts() == set()


@pytest.mark.django_db
def test_the_command_prints_one_line_for_each_light(server):
    shown = ekiden("identity", "--now")
    assert f"✓ The PTR record of {ADDRESS} is relay.test." in shown
    assert {each["state"] for each in ekiden_json("identity")} == {"good"}


@pytest.mark.django_db
def test_before_the_first_look_the_command_says_how_to_look():
    assert "./ekiden identity --now" in ekiden("identity")


def test_an_ipv6_address_is_asked_nibble_by_nibble():
    six = BlockList("Six", "six.test", "https://six.test/", {"127.0.0.2": "X"}, has_ipv6=True)
    name = "1" + ".0" * 23 + ".8.b.d.0.1.0.0.2.six.test"
    zones = {f"{CONTROL}.six.test": {"A": ["127.0.0.2"]}, name: {"A": ["127.0.0.2"]}}

    async def main():
        async with FakeDns(zones) as dns:
            address = block_lists.ip_address("2001:db8::1")
            return await block_lists.ask(six, address, Resolver([dns.address]))

    assert asyncio.run(main()).detail == "X (127.0.0.2)"


def test_each_list_has_codes_within_the_block_that_lists_use():
    for each in LISTS:
        assert each.codes and each.page.startswith("https://")
        assert all(re.fullmatch(r"127\.0\.0\.\d+", code) for code in each.codes)


def test_each_code_has_a_sentence():
    codes = {"list-clear", "list-listed", "list-refuses", "list-silent", "list-lists-all",
        "list-no-answer"}  # fmt: skip
    assert codes <= SENTENCES.keys()


@pytest.mark.django_db
def test_the_addresses_of_our_sources_are_ours_each_with_its_own_name(settings):
    settings.EKIDEN_HOSTNAME = "relay.test"
    Source.objects.create(name="east", ipv4="192.0.2.25", ehlo_name="east.relay.test")
    Source.objects.create(name="west", ipv6="2001:db8::25")
    Source.objects.create(name="old", ipv4="192.0.2.26", state="out")
    assert of_sources() == {"192.0.2.25": "east.relay.test", "2001:db8::25": "relay.test"}
    assert known_now() == {"192.0.2.25", "2001:db8::25"}
    assert our_spf() == "ip4:192.0.2.25 ip6:2001:db8::25"
