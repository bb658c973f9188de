"""Four machines with two addresses each, every one a network namespace: mail leaves by all of them,
and by the living where one dies. The receiver counts, which is a process of its own.
"""

import os
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from tests.journeys.namespaces import HUB, CannotJoin, inside, joined
from tests.journeys.rig import ROOT, SENDER, Process, Rig, wait_until

DNS_PORT, MX_PORT = 5353, 2525
NODES = {f"n{number}": [f"10.93.{number}.1", f"10.93.{number}.2"] for number in (1, 2, 3, 4)}
ADDRESSES = sorted(address for addresses in NODES.values() for address in addresses)
MANAGE = str(ROOT / "manage.py")


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nodes")
    ledger = folder / "ledger"
    settings = {"EKIDEN_DNS": f"{HUB}:{DNS_PORT}", "EKIDEN_WORKERS": "1"}
    settings |= {"EKIDEN_PRIVATE_NETWORKS": "10.93.0.0/16"}
    try:
        with (
            joined(NODES) as spaces,
            Rig(settings.pop("EKIDEN_DNS"), MX_PORT, workers=0, **settings) as rig,
        ):
            hub = [sys.executable, "-m", "tests.journeys.hub", HUB, str(DNS_PORT), str(MX_PORT)]
            far = Process(inside(spaces["hub"], *hub, str(ledger)), env=rig.env,
                          log=folder / "hub.log")  # fmt: skip
            workers = {
                name: Process(
                    inside(spaces[name], sys.executable, MANAGE, "rqworker", "deliveries"),
                    env=rig.env | {"EKIDEN_NODE": f"{name}.relay.test"},
                    log=folder / f"{name}.log",
                )
                for name in NODES
            }
            for name, addresses in NODES.items():
                for letter, address in zip("ab", addresses, strict=True):
                    rig.manage("source", "add", f"{name}{letter}", address)
            try:
                for process in (far, *workers.values()):
                    process.start()
                yield SimpleNamespace(rig=rig, workers=workers, ledger=ledger)
            finally:
                for process in (*workers.values(), far):
                    process.stop()
    except CannotJoin as reason:
        must = os.environ.get("CI") == "true" and os.geteuid() == 0
        (pytest.fail if must else pytest.skip)(str(reason))


def send(net, recipients):
    with net.rig.client() as app:
        for to in recipients:
            head = f"From: app@{SENDER}\r\nTo: {to}\r\nSubject: hello\r\n\r\n"
            app.sendmail(f"app@{SENDER}", [to], f"{head}hello\r\n")


def received(net, recipients):
    """Return (address of ours, recipient) of each message to these recipients, as the receiver
    says.
    """
    if not net.ledger.exists():
        return []
    pairs = [tuple(line.split()) for line in net.ledger.read_text().splitlines()]
    return [pair for pair in pairs if pair[1] in recipients]


def live(net):
    return net.rig.query("SELECT count(*) FROM deliveries_delivery WHERE ended_at IS NULL")[0][0]


@pytest.mark.timeout(600)
def test_mail_leaves_by_every_address_of_every_machine(net):
    nodes = "SELECT count(*) FROM deliveries_node WHERE cardinality(sources) = 2"
    wait_until(lambda: net.rig.query(nodes) == [(4,)], "each node has its two sources", 120)
    recipients = {f"a{number}@far.test" for number in range(400)}
    send(net, sorted(recipients))
    wait_until(lambda: len(received(net, recipients)) >= 400, "all mail has come", 120)
    by_source = Counter(source for source, _ in received(net, recipients))
    assert sorted(by_source) == ADDRESSES
    assert min(by_source.values()) >= 20
    assert {to for _, to in received(net, recipients)} == recipients
    assert len(received(net, recipients)) == 400


@pytest.mark.timeout(600)
def test_the_mail_of_a_machine_that_dies_leaves_by_the_others(net):
    recipients = {f"b{number}@far.test" for number in range(400)}
    send(net, sorted(recipients))
    wait_until(lambda: len(received(net, recipients)) >= 40, "some mail has come", 60)
    net.workers["n2"].kill()
    # five minutes without a word of it, as its row says
    gone = "UPDATE deliveries_node SET seen_at = now() - interval '301 seconds' WHERE name = %s"
    wait_until(lambda: live(net) <= 120, "the living have sent theirs", 60)
    with_psycopg(net, gone, "n2.relay.test")
    doubtful = "UPDATE deliveries_delivery SET due_at = now() WHERE is_in_doubt AND due_at > now()"
    wait_until(lambda: {to for _, to in received(net, recipients)} == recipients
               or with_psycopg(net, doubtful), "all mail has come", 120)  # fmt: skip
    twice = [to for to, times in Counter(to for _, to in received(net, recipients)).items()
             if times > 1]  # fmt: skip
    asked_twice = "SELECT recipient FROM deliveries_delivery WHERE recipient = ANY(%s) AND \
        EXISTS (SELECT FROM deliveries_attempt WHERE delivery_id = deliveries_delivery.id \
        AND outcome = 'in_doubt')"
    in_doubt = {to for (to,) in net.rig.query(asked_twice, sorted(recipients))}
    assert set(twice) <= in_doubt
    assert len(in_doubt) <= 40


def with_psycopg(net, sql, *values):
    """Do it, and be true to nobody."""
    net.rig.query(f"{sql} RETURNING 1", *values)
