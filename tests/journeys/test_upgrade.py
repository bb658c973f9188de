"""An installation of an earlier commit, with waiting mail, suppressions and keys, moves to this
one by the documented steps and loses nothing.
"""

import subprocess

import dkim
import pytest

from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx
from tests.journeys.rig import ROOT, SENDER, Rig, wait_until

pytestmark = pytest.mark.timeout(600)

# Of 28 November 2026: the last one before each module moved into its room.
EARLIER = "2b8b98439f4158191b9eaa398d6e54278f6ee018"
WAITING = [f"waiting{number}@later.test" for number in range(5)]
DEAD = "dead@mx.test"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """Return the tree of that commit."""
    packed = subprocess.run(["git", "archive", EARLIER], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"the history does not reach back to {EARLIER[:7]} here (a shallow clone)")
    folder = tmp_path_factory.mktemp("earlier")
    subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)
    return folder


@pytest.fixture
def world(earlier):
    """Yield the earlier installation, and the receiver of all its mail."""
    zones: dict = {
        "mx.test": {"MX": [(10, "in.mx.test")]},
        "later.test": {"MX": [(10, "in.mx.test")]},
        "in.mx.test": {"A": ["127.0.0.1"]},
    }
    with FakeMx() as mx, FakeDns(zones) as dns, Rig(dns.url, mx.port, root=earlier) as rig:
        yield rig, mx


def hand_in(rig, *recipients):
    """Hand in one message to each."""
    with rig.client() as client:
        for number, recipient in enumerate(recipients):
            text = f"From: shop@{SENDER}\r\nTo: {recipient}\r\nSubject: {number}\r\n\r\nhello\r\n"
            client.sendmail(f"shop@{SENDER}", [recipient], text)


def reply_to_dead(rig):
    with rig.client() as client:
        client.docmd("MAIL", f"FROM:<shop@{SENDER}>")
        return client.docmd("RCPT", f"TO:<{DEAD}>")[0]


def kept(rig):
    """Return what must be the same afterwards: the keys and whom nobody writes to."""
    keys = {path.name: path.read_bytes() for path in (rig.data / "keys").iterdir()}
    suppressed = rig.query("SELECT address_key, reason FROM suppressions_suppression ORDER BY 1")
    secrets = rig.query("SELECT id, username, secret_hash FROM domains_credential ORDER BY 1")
    public = rig.query(
        "SELECT selector, private_key, public_record FROM domains_signingkey ORDER BY 1"
    )
    return keys, suppressed, secrets, public, rig.dkim_record


def states(rig):
    return dict(rig.query("SELECT recipient, state FROM deliveries_delivery"))


def test_an_earlier_installation_moves_here_and_loses_nothing(world):
    rig, mx = world
    is_away = True
    mx.on("RCPT", lambda argument: "451 4.2.0 later" if is_away and "later" in argument else None)
    rig.manage("suppression", "add", DEAD, "--reason", "gone")
    hand_in(rig, "early@mx.test", *WAITING)
    wait_until(
        lambda: states(rig) == {"early@mx.test": "delivered", **dict.fromkeys(WAITING, "deferred")},
        "one is delivered, the others wait",
    )
    # Listeners look for new suppressions every 0.7 s.
    wait_until(lambda: reply_to_dead(rig) == 550, "the dead address is refused")
    before = kept(rig)

    rig.upgrade(ROOT)

    del rig.dkim_record
    assert kept(rig) == before
    assert reply_to_dead(rig) == 550
    counted = rig.manage_json("conservation")
    assert (counted["delivered"], counted["missing"]) == (1, 0)
    is_away = False
    rig.manage("queue", "retry", "--all", "--reason", "the receiver is back")
    hand_in(rig, "after@mx.test")
    everybody = ["early@mx.test", *WAITING, "after@mx.test"]
    wait_until(lambda: states(rig) == dict.fromkeys(everybody, "delivered"), "all arrive", 60)
    assert sorted(to for each in mx.messages for to in each.recipients) == sorted(everybody)
    record = rig.dkim_record[1].encode()
    assert all(dkim.verify(each.content, dnsfunc=lambda name, **_: record) for each in mx.messages)
    counted = rig.manage_json("conservation")
    assert (counted["delivered"], counted["missing"]) == (7, 0)
