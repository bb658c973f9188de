"""Rotations judged by dkimpy at each of three real name servers, of which one is ahead."""

import asyncio
import base64
from contextlib import ExitStack
from datetime import timedelta

import dkim as judge
import dns.message
import dns.query
import dns.rdatatype
import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from deliveries.backends.database import Database
from deliveries.message.headers import parse, split
from deliveries.message.signing import SigningKeys
from domains.identity import checking, key_watch
from domains.identity.zone_text import quoted
from domains.models import DelegatedSelector, Domain, DomainAlert, Project, SigningKey, UpdateKey
from domains.operations import own_keys
from domains.senders import delegation, dkim, key_states, key_zone, rotation, verification
from domains.senders.keys import make_key
from relay_portal.access import ring_contents
from tests.commands import ekiden
from tests.fakes.knot import PROGRAM, Knot
from tests.ports import free_port

pytestmark = [
    pytest.mark.usefixtures("mail_db"),
    pytest.mark.peer,
    pytest.mark.skipif(PROGRAM is None, reason="knotd is not installed"),
]
START = timezone.now()
SECOND = 100  # messages
ADDRESSES = [f"127.0.0.{n}" for n in (1, 2, 3)]
ZONES = ("shop.test", "keys.test")
MAIL = b"From: Shop <a@shop.test>\r\nTo: b@b.test\r\nSubject: %d\r\n\r\nhello\r\n"


@pytest.fixture
def servers(settings, tmp_path):
    port = free_port()
    settings.EKIDEN_DNS, settings.EKIDEN_ZONE_PORT = [f"{ADDRESSES[0]}:{port}"], port
    settings.EKIDEN_PRIVATE_NETWORKS, settings.EKIDEN_HOSTNAME = ["127.0.0.0/8"], "relay.test"
    settings.EKIDEN_KEY_ZONE, settings.EKIDEN_DATA = "keys.test", tmp_path
    settings.EKIDEN_KEY_ZONE_SERVER = f"{ADDRESSES[0]}:{port}"
    with ExitStack() as stack:
        knots = [stack.enter_context(Knot(*ZONES, place=(each, port))) for each in ADDRESSES]
        for knot in knots:
            for zone in ZONES:
                for n, address in enumerate(ADDRESSES, 1):
                    knot.add(f"ns{n}.{zone}", "A", address)
                    knot.add(zone, "NS", f"ns{n}.{zone}.")
        yield knots


@pytest.fixture
def domain(servers):
    """Make a domain whose key signs from the first delegated selector."""
    project = Project.objects.create(name="shop")
    domain = Domain.objects.create(project=project, name="shop.test", token="t", verified_at=START)
    delegation.delegate(domain)
    make_key(domain)
    for record in verification.required_records(domain):
        value = f"{record.value}." if record.type == "CNAME" else quoted(record.value)
        for knot in servers:
            knot.add(record.name, record.type, value)
    spread(servers, START)
    for minutes in (0, 30, 61):
        look(domain, START + timedelta(minutes=minutes))
    assert signing() == "ekiden1"
    return domain


def spread(servers, now):
    """Tell the first server what is new, and the others what the first one has."""
    key_zone.keep(now=now)
    for row in DelegatedSelector.objects.select_related("domain"):
        for knot in servers[1:]:
            knot.remove(row.target)
            if row.kept_value:
                knot.add(row.target, "TXT", quoted(row.kept_value))


def look(domain, now):
    checking.check([Domain.objects.get(pk=domain.pk)], now=now)


def signing():
    return SigningKey.objects.active().get().selector


def a_second_of_mail(domain):
    """Return as many messages as the app sends in a second, signed as intake signs."""

    async def signers():
        keys = SigningKeys(Database("test"))
        try:
            return await keys.signers(domain.project_id, domain.name)
        finally:
            await keys.close()

    chosen = asyncio.run(signers())
    return [signed(MAIL % number, chosen) for number in range(SECOND)]


def signed(data, signers):
    section, body_at = split(data)
    fields = [(field.name, field.raw) for field in parse(section)]
    hashed = dkim.body_hash(data[body_at:])
    return dkim.sign(fields, hashed, signers=signers, now=int(START.timestamp())) + data


def verify(messages, server):
    """Tell whether dkimpy finds all of them good by what this server says now."""
    known = {}

    def txt(name, timeout=5):
        text = name.decode().rstrip(".")
        if text not in known:
            known[text] = asked(server, text)
        return known[text]

    return all(judge.verify(each, dnsfunc=txt) for each in messages)


def asked(server, name):
    for _ in range(3):
        answer = dns.query.udp(
            dns.message.make_query(name, "TXT"), server.address, port=server.port, timeout=5
        )
        for rrset in answer.answer:
            if rrset.rdtype == dns.rdatatype.TXT:
                return b"".join(rrset[0].strings)
        leads = [each for each in answer.answer if each.rdtype == dns.rdatatype.CNAME]
        if not leads:
            return None
        name = leads[-1][0].target.to_text().rstrip(".")
    return None


def test_every_message_of_a_rotation_verifies_at_every_server_then_and_five_days_later(
    servers, domain
):
    day = START + timedelta(days=181)
    assert rotation.rotate_due(now=day) == 1
    key_zone.keep(now=day)  # one of the three has the new key, for five minutes
    sent, selectors, seen = [], [], []
    for minute in (0, 1, 3, 5, 6, 20, 40, 60, 65, 66, 67, 90):
        now = day + timedelta(minutes=minute)
        if minute == 6:
            spread(servers, now)
        look(domain, now)
        seen.append(SigningKey.objects.get(selector="ekiden2").state)
        messages = a_second_of_mail(domain)
        assert all(verify(messages, server) for server in servers), minute
        sent += messages
        selectors.append(signing())
    assert seen[:4] == ["made"] * 4 and seen[4] == "published" and seen[-1] == "signing"
    assert set(selectors) == {"ekiden1", "ekiden2"}
    later = day + timedelta(days=5)
    key_states.retire_what_is_over(now=later)
    spread(servers, later)
    assert all(verify(sent, server) for server in servers)
    key_states.retire_what_is_over(now=day + timedelta(days=8))
    spread(servers, later)
    assert not verify(sent[:1], servers[0]) and verify(sent[-1:], servers[0])


@pytest.mark.parametrize("gone_at", [[0], [0, 1, 2]], ids=["one server", "all"])
def test_mail_goes_on_with_the_old_key_once_the_new_record_is_gone(servers, domain, gone_at):
    make_key(domain)
    spread(servers, START)
    for minutes in (0, 30, 61):
        look(domain, START + timedelta(days=1, minutes=minutes))
    switched = START + timedelta(days=1, minutes=61)
    assert signing() == "ekiden2"
    assert key_watch.take_turn(now=switched + timedelta(seconds=15)) == 0
    target = DelegatedSelector.objects.get(selector="ekiden2").target
    for place in gone_at:
        servers[place].remove(target)
    assert key_watch.take_turn(now=switched + timedelta(seconds=30)) == 1
    assert signing() == "ekiden1" and DomainAlert.objects.get().kind == "key-gone"
    assert all(verify(a_second_of_mail(domain), server) for server in servers)
    assert key_watch.take_turn(now=switched + timedelta(seconds=45)) == 0


def test_nothing_is_taken_back_where_the_old_record_is_gone_too(servers, domain):
    make_key(domain)
    spread(servers, START)
    for minutes in (0, 30, 61):
        look(domain, START + timedelta(days=1, minutes=minutes))
    for row in DelegatedSelector.objects.all():
        servers[0].remove(row.target)
    assert key_watch.take_turn(now=START + timedelta(days=1, minutes=62)) == 0
    assert signing() == "ekiden2"


SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


@pytest.fixture
def signed_server(settings, tmp_path):
    settings.EKIDEN_KEY_ZONE, settings.EKIDEN_DATA = "keys.test", tmp_path
    with Knot("keys.test", key=("ekiden", "hmac-sha256", SECRET)) as knot:
        settings.EKIDEN_KEY_ZONE_SERVER = knot.url
        domain = Domain.objects.create(
            project=Project.objects.create(name="shop"), name="shop.test", token="t"
        )
        delegation.delegate(domain)
        make_key(domain)
        yield knot


def kept(server):
    row = DelegatedSelector.objects.get(selector="ekiden1")
    return asked(server, row.target), row.trouble


def set_key(folder, secret, name="ekiden"):
    (folder / "secret").write_text(secret)
    return ekiden("key", "update-key", name, str(folder / "secret"))


def test_a_secret_that_is_none_is_refused_and_not_shown(tmp_path):
    for text, said in [("hunter2!", "holds no base64"), (" ", "is empty")]:
        with pytest.raises(CommandError, match=said) as caught:
            set_key(tmp_path, text)
        assert "hunter2" not in str(caught.value) and caught.value.__cause__ is None


def test_a_server_takes_updates_that_our_key_has_signed(signed_server, tmp_path):
    assert key_zone.keep(now=START) == 0
    assert kept(signed_server)[0] is None and "NOTAUTH" in kept(signed_server)[1]
    assert SECRET not in set_key(tmp_path, SECRET)
    assert (key_zone.keep(now=START), key_zone.keep(now=START)) == (1, 0)
    value, trouble = kept(signed_server)
    assert value.decode() == SigningKey.objects.get().public_record and not trouble


@pytest.mark.parametrize(("secret", "name"), [
    (base64.b64encode(b"another").decode(), "ekiden"), (SECRET, "stranger"),
])  # fmt: skip
def test_a_key_that_the_server_does_not_have_is_told(signed_server, tmp_path, secret, name):
    set_key(tmp_path, secret, name)
    assert key_zone.keep(now=START) == 0
    assert "does not take the TSIG key" in kept(signed_server)[1]
    set_key(tmp_path, SECRET)
    assert key_zone.keep(now=START) == 1 and not kept(signed_server)[1]


def test_a_server_that_is_away_is_told_later(signed_server, tmp_path):
    set_key(tmp_path, SECRET)
    signed_server._stop()
    assert key_zone.keep(now=START) == 0
    assert "cannot be reached" in DelegatedSelector.objects.get(selector="ekiden1").trouble
    signed_server.__enter__()
    assert key_zone.keep(now=START) == 1


def test_the_secret_stands_under_the_key_ring_and_follows_it(signed_server, tmp_path):
    set_key(tmp_path, SECRET)
    secret = base64.b64decode(SECRET)
    assert secret not in bytes(UpdateKey.objects.get().secret)
    ring = own_keys.check_ring()
    ring.rotate()
    assert ring_contents.renew(ring)["keys of zone updates"] == (0, 1, 0)
    ring.forget_old()
    assert key_zone.signature_now().secret == secret
    assert "0123" not in repr(key_zone.signature_now())


def test_the_exported_file_serves_the_keys(signed_server, settings):
    settings.EKIDEN_KEY_ZONE_SERVER = ""
    settings.EKIDEN_DNS = [signed_server.url]
    signed_server.load(ekiden("key", "zone"))
    value, _trouble = kept(signed_server)
    assert value.decode() == SigningKey.objects.get().public_record
