"""A peer as judge: what Postfix delivers to a receiver that breaks one thing, Ekiden delivers."""

import smtplib
from pathlib import Path

import pytest

from tests.journeys import judging, peers
from tests.journeys.receivers import DELIVERED, RECEIVERS, table
from tests.ports import free_port

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

DOCS = Path(__file__).resolve().parents[2] / "docs" / "receivers.md"
SECONDS = 120  # at most, of a busy machine
RULE = """
INSERT INTO deliveries_shapingrule (name, title, mx_suffixes, domains, connect_timeout,
    greeting_timeout, reply_timeout,
    body_timeout, tls, resets_are_throttling, is_shipped, is_edited)
VALUES ('judge', 'judge', ARRAY['ekiden.test'], ARRAY[]::text[], 4, 8, 4, 8, '', false, false, true)
RETURNING name
"""
OURS = "SELECT recipient, state FROM deliveries_delivery WHERE domain LIKE '%%.ekiden.test'"


@pytest.fixture(scope="module")
def judged(rig, port, zones, tmp_path_factory):
    """Yield the ledger of the hosts, and what either client says became of each recipient."""
    peers.need("postfix")
    hosts = judging.Hosts(port, tmp_path_factory.mktemp("judge"))
    zones |= judging.zones()
    rig.query(RULE)
    rig.manage("project", "set", "shop", "--retry-schedule", "1")
    with (
        hosts.running(),
        judging.Postfix("127.0.0.9", free_port("127.0.0.9"), judging.transports(port)) as postfix,
    ):
        postfix.start(rig)
        with rig.client() as session:
            judging.send_all("ekiden", session)
        with smtplib.SMTP(postfix.address, postfix.port, timeout=20) as session:
            judging.send_all("postfix", session)
        fates = judging.wait_for_all(
            lambda: postfix.fates() | dict(rig.query(OURS)), judging.expected(), SECONDS
        )
        yield hosts, fates
    rig.manage("project", "set", "shop", "--retry-schedule")
    rig.query("DELETE FROM deliveries_shapingrule WHERE name = 'judge' RETURNING name")


@pytest.mark.parametrize("client", judging.CLIENTS)
@pytest.mark.parametrize("receiver", RECEIVERS, ids=lambda receiver: receiver.name)
def test_a_receiver_that(receiver, client, judged):
    hosts, fates = judged
    taken = hosts.taken(client, receiver.name)
    for recipient, fate in judging.expected_of(client, receiver).items():
        assert fates.get(recipient) == fate, f"{client}: {receiver.breaks}"
        got = taken.get(recipient, [])
        if fate != DELIVERED:
            assert got == [], f"{client} has not said that {receiver.name} took it"
            continue
        assert len(got) == 1 or (receiver.may_come_twice and len(got) == 2)
        for each in got:
            judging.assert_faithful(each.content, recipient.partition("@")[0])


def test_only_a_difference_has_a_reason_and_each_has_one():
    assert [
        each.name for each in RECEIVERS if (each.postfix != each.ekiden) != bool(each.reason)
    ] == []
    assert len(RECEIVERS) >= 40


def test_ekiden_delivers_what_postfix_delivers_but_for_the_reasons_written_here():
    assert {each.name for each in RECEIVERS if each.postfix == DELIVERED != each.ekiden} == {
        "reply-early"
    }


def test_the_docs_say_where_they_differ():
    assert "\n".join(table()) in DOCS.read_text(encoding="utf-8")
