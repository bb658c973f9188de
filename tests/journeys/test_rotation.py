"""Keys that change while an app sends 100 messages a second: what arrived is judged by dkimpy, by
what each of three real name servers said at that time, and five days later.
"""

from __future__ import annotations

import os
import re
import smtplib
import threading
import time
from bisect import bisect_right
from contextlib import ExitStack

import dkim
import dns.message
import dns.query
import dns.rdatatype
import pytest

from domains.identity.zone_text import quoted
from tests.fakes.knot import PROGRAM, Knot
from tests.fakes.mx import FakeMx
from tests.journeys.rig import HOSTNAME, SENDER, Rig, wait_until
from tests.ports import free_port

pytestmark = [
    pytest.mark.peer,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(PROGRAM is None, reason="knotd is not installed"),
]
RATE = int(os.environ.get("EKIDEN_ROTATION_RATE", "100"))  # messages a second
SESSIONS = 10
STRETCH = 3.0  # seconds of mail between two looks at DNS
PATIENCE = 300.0  # seconds, of a busy machine
SINK = "127.0.0.4"
ADDRESSES = [f"127.0.0.{n}" for n in (1, 2, 3)]
ZONES = ("test", HOSTNAME, SENDER, "sink.test")
SELECTOR = re.compile(rb"DKIM-Signature:[^;]*;.*?\bs=([^;\s]+)", re.DOTALL)
LATER = """
UPDATE domains_signingkey SET found_since = found_since - interval '{0}',
    seen_at = seen_at - interval '{0}', signs_since = signs_since - interval '{0}',
    retires_at = retires_at - interval '{0}', created_at = created_at - interval '{0}'
RETURNING id
"""


@pytest.fixture(scope="module")
def servers():
    port = free_port(*ADDRESSES)
    with ExitStack() as stack:
        knots = [stack.enter_context(Knot(*ZONES, place=(each, port))) for each in ADDRESSES]
        for knot in knots:
            for n, address in enumerate(ADDRESSES, 1):
                knot.add(f"ns{n}.{SENDER}", "A", address)
                knot.add(SENDER, "NS", f"ns{n}.{SENDER}.")
            knot.add(HOSTNAME, "A", ADDRESSES[0])
            knot.add("sink.test", "MX", "10 mx.sink.test.")
            knot.add("mx.sink.test", "A", SINK)
        yield knots


@pytest.fixture(scope="module")
def sink(servers):
    with FakeMx(host=SINK, port=free_port(SINK)) as mx:
        yield mx


@pytest.fixture(scope="module")
def rig(servers, sink):
    with Rig(servers[0].url, sink.port, EKIDEN_ZONE_PORT=str(servers[0].port)) as rig:
        for name, value in keys(rig).items():
            publish(servers, name, value)
        yield rig


def keys(rig):
    """Return the records of its keys that the domain has to publish now."""
    shown = rig.manage_json("domain", "show", SENDER)["records"]
    return {each["name"]: each["value"] for each in shown if each["purpose"] == "dkim"}


def publish(servers, name, value):
    for server in servers:
        server.add(name, "TXT", quoted(value))


def make_key(rig):
    """Make the domain's next key; return the name and value of its record."""
    before = keys(rig)
    rig.manage("key", "rotate", SENDER)
    [new] = keys(rig).items() - before.items()
    return new


def look(rig):
    rig.manage("domain", "check", SENDER)


def pass_time(rig, words):
    rig.query(LATER.format(words))


def states(rig):
    rows = rig.query("SELECT selector, state FROM domains_signingkey")
    return dict(rows)


class App:
    """Sends at the rate for as long as it is open."""

    def __init__(self, rig):
        self._rig, self._stop, self.failures = rig, threading.Event(), []
        self.sent = [0] * SESSIONS
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(SESSIONS)]

    def __enter__(self):
        self.began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.seconds = time.monotonic() - self.began

    def _run(self, number):
        try:
            with self._rig.client(timeout=PATIENCE) as client:
                while not self._stop.is_set():
                    due = self.began + (self.sent[number] + number / SESSIONS) * SESSIONS / RATE
                    self._stop.wait(max(0.0, due - time.monotonic()))
                    self._send(client, number)
        except (OSError, smtplib.SMTPException) as error:
            self.failures.append(error)

    def _send(self, client, number):
        head = f"From: shop@{SENDER}\r\nTo: you@sink.test\r\nSubject: {number}\r\n\r\n"
        client.sendmail(f"shop@{SENDER}", ["you@sink.test"], f"{head}{self.sent[number]}\r\n")
        self.sent[number] += 1


class Zone:
    """What each server said of the domain's keys, and from when on."""

    def __init__(self, servers):
        self._servers, self._since, self._known = servers, [], []
        self.names = set()
        self._verdicts = {}

    def note(self, names):
        """Write it down once a change is there, while the mail of before is no longer under way."""
        self.names |= set(names)
        known = [{name: asked(each, name) for name in self.names} for each in self._servers]
        self._since.append(time.monotonic())
        self._known.append(known)

    def bad(self, messages, *, at=None):
        """Return those that dkimpy refuses by what a server said when they came, or at the `at`-th
        time.
        """
        return [each for each in messages if not self._is_good(each, at)]

    def _is_good(self, message, at):
        place = at if at is not None else max(0, bisect_right(self._since, message.at) - 1)
        name = f"{selector(message)}._domainkey.{SENDER}"
        said = {server.get(name) for server in self._known[place]}
        return all(self._verify(message, text) for text in said)

    def _verify(self, message, text):
        key = (id(message), text)
        if key not in self._verdicts:
            self._verdicts[key] = dkim.verify(message.content, dnsfunc=lambda *_, **__: text)
        return self._verdicts[key]


def asked(server, name):
    question = dns.message.make_query(name, "TXT", use_edns=0, payload=1232)
    answer = dns.query.udp(question, server.address, port=server.port, timeout=5)
    for rrset in answer.answer:
        if rrset.rdtype == dns.rdatatype.TXT:
            return b"".join(rrset[0].strings)
    return None


def selector(message):
    return SELECTOR.search(message.content)[1].decode()


def mail_for(sink, seconds=STRETCH):
    """Let the app send for a while."""
    before = len(sink.messages)
    wait_until(
        lambda: len(sink.messages) >= before + seconds * RATE, "the mail of a stretch", PATIENCE
    )


def test_every_message_of_a_rotation_verifies_then_and_five_days_later(rig, servers, sink):
    zone = Zone(servers)
    [old] = keys(rig)
    zone.note([old])
    with App(rig) as app:
        mail_for(sink)
        name, value = make_key(rig)
        servers[0].add(name, "TXT", quoted(value))  # the others are five minutes behind
        zone.note([old, name])
        for _ in range(5):
            look(rig)
            pass_time(rig, "1 minute")
            assert states(rig)[name.partition(".")[0]] == "made"
            mail_for(sink, 1)
        publish(servers[1:], name, value)
        zone.note([old, name])
        for _ in range(3):
            look(rig)
            pass_time(rig, "35 minutes")
            mail_for(sink, 1)
        assert states(rig) == {old.partition(".")[0]: "retiring", name.partition(".")[0]: "signing"}
        wait_until(lambda: selector(sink.messages[-1]) == name.partition(".")[0], "it signs")
        mail_for(sink)
    assert not app.failures
    wait_until(lambda: len(sink.messages) == sum(app.sent), "all has come", PATIENCE)
    taken = sink.messages
    print(
        f"\n{len(taken)} messages in {app.seconds:.0f} s, {len(taken) / app.seconds:.0f} a second"
    )
    signed = [selector(each) for each in taken]
    assert set(signed) == {name.partition(".")[0], old.partition(".")[0]}
    assert zone.bad(taken) == []
    pass_time(rig, "5 days")
    rig.manage("shell", "-c", "from domains.jobs import watch_keys; watch_keys()")
    forget(servers, zone, rig)
    assert zone.bad(taken, at=-1) == []
    pass_time(rig, "3 days")
    rig.manage("shell", "-c", "from domains.jobs import watch_keys; watch_keys()")
    forget(servers, zone, rig)
    assert len(zone.bad(taken, at=-1)) == signed.count(old.partition(".")[0])


def test_once_a_record_is_gone_mail_goes_on_with_the_old_key_within_a_minute(rig, servers, sink):
    """The jobs come by themselves, at their own pace."""
    began, zone = len(sink.messages), Zone(servers)
    [old] = keys(rig)
    with App(rig) as app:
        name, value = make_key(rig)
        publish(servers, name, value)
        zone.note([old, name])
        for _ in range(3):
            look(rig)
            pass_time(rig, "35 minutes")
        wait_until(lambda: last_selector(sink) == name.partition(".")[0], "it signs", PATIENCE)
        mail_for(sink)
        for server in servers:
            server.remove(name)
        zone.note([old, name])
        gone_at = time.monotonic()
        wait_until(lambda: last_selector(sink) == old.partition(".")[0], "the old one", PATIENCE)
        print(f"\nthe old key signs again after {time.monotonic() - gone_at:.0f} s")
        mail_for(sink)
    wait_until(lambda: len(sink.messages) == began + sum(app.sent), "all has come", PATIENCE)
    bad = zone.bad(sink.messages[began:])
    print(f"{len(bad)} of {sum(app.sent)} messages bear the key that was gone")
    assert not app.failures
    assert {selector(each) for each in bad} <= {name.partition(".")[0]}
    assert len(bad) <= 60 * RATE
    assert states(rig)[old.partition(".")[0]] == "signing"
    shown = rig.manage_json("domain", "show", SENDER)
    assert [each["kind"] for each in shown["alerts"]] == ["key-gone"]


def last_selector(sink):
    return selector(sink.messages[-1])


def forget(servers, zone, rig):
    """Leave in DNS what the domain has to publish, and nothing else."""
    for gone in zone.names - set(keys(rig)):
        for server in servers:
            server.remove(gone)
    zone.note(zone.names)
