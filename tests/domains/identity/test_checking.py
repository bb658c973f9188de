"""Whole checks of a domain against a real name server, into which slips are put one by one."""

import base64
import shutil
import subprocess

import pytest
from django.utils import timezone

from domains.identity import checking
from domains.models import Domain, DomainChange, Project
from domains.senders.keys import make_key
from domains.senders.verification import required_records
from tests.commands import ekiden, ekiden_json
from tests.fakes.knot import PROGRAM, Knot

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.peer,
    pytest.mark.skipif(PROGRAM is None, reason="knotd is not installed"),
]
ZONE = "shop.test"


@pytest.fixture(scope="module")
def server():
    with Knot(ZONE) as knot:
        yield knot


@pytest.fixture
def domain(server, settings):
    settings.EKIDEN_DNS, settings.EKIDEN_ZONE_PORT = [server.url], server.port
    settings.EKIDEN_PRIVATE_NETWORKS, settings.EKIDEN_HOSTNAME = ["127.0.0.0/8"], "relay.test"
    domain = Domain.objects.create(
        project=Project.objects.create(name="shop"), name=ZONE, token="0a1b2c"
    )
    make_key(domain)
    server.load(checking.zone_of(domain))
    return domain


def named(domain, purpose):
    """Return state and slip of one record after a check."""
    checking.check([domain], now=timezone.now())
    found = {each["purpose"]: each for each in checking.records_of(domain)}[purpose]
    return found["state"], found["slip"]


def record(domain, purpose):
    return next(each for each in required_records(domain) if each.purpose == purpose)


def test_the_zone_file_makes_an_empty_server_right(domain, tmp_path):
    assert ekiden("domain", "check", ZONE)
    shown = ekiden_json("domain", "show", ZONE, "--json")
    assert {each["state"] for each in shown["records"]} == {"found"}
    assert {(each["have"], each["of"]) for each in shown["records"]} == {(1, 1)}


@pytest.mark.skipif(shutil.which("named-checkzone") is None, reason="it is not installed")
def test_bind_takes_the_zone_file_as_it_is(domain, tmp_path):
    place = tmp_path / "zone"
    place.write_text(ekiden("domain", "show", ZONE, "--zone"), encoding="utf-8")
    done = subprocess.run(["named-checkzone", ZONE, place], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def quoted(value):
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


SPF, DMARC = "v=spf1 a:relay.test ~all", "v=DMARC1; p=none"
SLIPS = {  # the slip: whose record, and the TXT records that stand there in its place
    "quotes": ("dmarc", ['"v=DMARC1; p=none"']),
    "trailing-dot": ("spf", [SPF + "."]),
    "backslash": ("dmarc", ["v=DMARC1\\; p=none"]),
    "typographic": ("ownership", ["ekiden\N{EN DASH}verification=0a1b2c"]),
    "pasted-line": ("spf", [f"{ZONE}. IN TXT {SPF}"]),
    "no-prefix": ("ownership", ["0a1b2c"]),
    "spf-version": ("spf", ["v=spf a:relay.test ~all"]),
    "spf-after-all": ("spf", ["v=spf1 ~all a:relay.test"]),
    "spf-passes-all": ("spf", ["v=spf1 a:relay.test +all"]),
    "spf-glued": ("spf", ["v=spf1 include:mail.testa:relay.test~all"]),
    "dmarc-version": ("dmarc", ["v=dmarc1; p=none"]),
    "dmarc-commas": ("dmarc", ["v=DMARC1, p=none"]),
    "dmarc-mailto": ("dmarc", ["v=DMARC1; p=none; rua=d@shop.test"]),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_a_value_is_named(server, domain, slip):
    purpose, values = SLIPS[slip]
    server.put(record(domain, purpose).name, "TXT", *map(quoted, values))
    if purpose == "spf":  # the apex lost its other records with it
        server.add(ZONE, "NS", "ns1.shop.test.")
    assert named(domain, purpose) == ("wrong", slip)


MOVED = {  # the slip: whose record, and the name where it stands in place of its own
    "doubled-zone": ("dmarc", "_dmarc.shop.test.shop.test"),
    "no-underscore": ("dmarc", "dmarc.shop.test"),
    "at-domain": ("ownership", ZONE),
    "no-domainkey": ("dkim", None),
}


@pytest.mark.parametrize("slip", MOVED)
def test_a_record_at_another_name_is_named(server, domain, slip):
    purpose, place = MOVED[slip]
    wanted = record(domain, purpose)
    server.remove(wanted.name)
    server.add(place or wanted.name.replace("._domainkey", ""), "TXT", *strings(wanted.value))
    assert named(domain, purpose) == ("wrong", slip)


def strings(value):
    return [" ".join(quoted(value[at : at + 255]) for at in range(0, len(value), 255))]


KEYS = {
    "key-cut": lambda value: value[:255],
    "lower-case": lambda value: value.lower(),
    "key-pem": lambda value: value.replace("p=", "p=-----BEGIN PUBLIC KEY-----"),
}


@pytest.mark.parametrize("slip", KEYS)
def test_a_key_that_was_spoilt_is_named(server, domain, slip):
    wanted = record(domain, "dkim")
    server.put(wanted.name, "TXT", *strings(KEYS[slip](wanted.value)))
    assert named(domain, "dkim") == ("wrong", slip)


def test_a_cname_in_place_of_the_record_is_named(server, domain):
    wanted = record(domain, "dmarc")
    server.put(wanted.name, "CNAME", "elsewhere.shop.test.")
    assert named(domain, "dmarc") == ("wrong", "cname-to-nothing")
    server.add("elsewhere.shop.test", "TXT", quoted("hello"))
    assert named(domain, "dmarc") == ("wrong", "cname-in-place")


def test_a_cname_to_the_record_is_as_good(server, domain):
    wanted = record(domain, "dmarc")
    server.put(wanted.name, "CNAME", "elsewhere.shop.test.")
    server.add("elsewhere.shop.test", "TXT", quoted(DMARC))
    assert named(domain, "dmarc")[0] == "found"


def test_the_return_path_is_one_cname_and_its_slips_are_named(server, domain):
    name = record(domain, "return-path").name
    assert named(domain, "return-path") == ("found", "")
    server.put(name, "CNAME", "elsewhere.test.")
    assert named(domain, "return-path") == ("wrong", "")
    server.remove(name)
    assert named(domain, "return-path") == ("missing", "")
    server.add(f"{name}.{ZONE}", "CNAME", "relay.test.")
    assert named(domain, "return-path") == ("wrong", "doubled-zone")
    server.remove(f"{name}.{ZONE}")
    server.put(name, "A", "192.0.2.1")
    assert named(domain, "return-path") == ("wrong", "address-in-place")


def test_a_wildcard_in_the_way_is_named(server, domain):
    server.remove(record(domain, "dmarc").name)
    server.add(f"*.{ZONE}", "TXT", quoted("v=spf1 -all"))
    assert named(domain, "dmarc") == ("wrong", "wildcard")


def test_a_cname_at_the_domain_is_named(server, domain):
    inner = Domain.objects.create(project=domain.project, name=f"mail.{ZONE}", token="3d4e5f")
    server.add(inner.name, "CNAME", "www.shop.test.")
    assert named(inner, "spf") == ("wrong", "cname-at-domain")


def test_spf_in_a_record_of_its_old_type_is_named(server, domain):
    server.put(ZONE, "SPF", quoted(SPF))
    assert named(domain, "spf") == ("wrong", "type-spf")


def test_nothing_there_is_missing_and_no_slip(server, domain):
    server.remove(record(domain, "dmarc").name)
    assert named(domain, "dmarc") == ("missing", "")


BY_TEXT = {
    "another token": ("ownership", ["ekiden-verification=zz"]),
    "several keys": ("dkim", ["v=DKIM1; p=" + base64.b64encode(b"a" * 30).decode()]),
    "revoked": ("dkim", ["v=DKIM1; p="]),
    "several SPF": ("spf", [SPF, "v=spf1 -all"]),
    "several DMARC": ("dmarc", [DMARC, "v=DMARC1; p=reject"]),
    "does not let our hosts": ("spf", ["v=spf1 mx ~all"]),
}


@pytest.mark.parametrize("words", BY_TEXT)
def test_the_other_slips_have_their_sentence_too(server, domain, words):
    purpose, values = BY_TEXT[words]
    wanted = record(domain, purpose)
    server.put(wanted.name, "TXT", *map(quoted, values))
    if words == "several keys":
        server.add(wanted.name, "TXT", *strings(wanted.value))
    checking.check([domain], now=timezone.now())
    found = {each["purpose"]: each for each in checking.records_of(domain)}[purpose]
    assert found["state"] == "wrong" and words.split()[0] in found["text"]


def test_what_differs_from_the_last_check_is_kept(server, domain):
    checking.check([domain], now=timezone.now())
    server.remove(record(domain, "dmarc").name)
    checking.check([domain], now=timezone.now())
    checking.check([domain], now=timezone.now())
    (change,) = DomainChange.objects.filter(domain=domain)
    assert (change.before["state"], change.after["state"]) == ("found", "missing")


def test_the_command_has_the_history_with_before_and_after(server, domain):
    checking.check([domain], now=timezone.now())
    assert "No check has seen" in ekiden("domain", "history", ZONE)
    server.put(record(domain, "dmarc").name, "TXT", quoted("v=DMARC1; p=reject"))
    checking.check([domain], now=timezone.now())
    [change] = [
        each
        for each in ekiden_json("domain", "history", ZONE, "--json")
        if each["record"].startswith("dmarc ")
    ]
    assert change["record"] == f"dmarc _dmarc.{ZONE}"
    assert change["after"]["found"] == ["v=DMARC1; p=reject"] != change["before"]["found"]
    said = ekiden("domain", "history", ZONE, "--limit", "9")
    assert "before: found: v=DMARC1; p=none" in said and "after:  found: v=DMARC1; p=rej" in said
    assert ekiden_json("domain", "history", ZONE, "--limit", "0", "--json") == []
