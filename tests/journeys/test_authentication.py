"""Mail that Postfix received, judged as receivers do (npm's mailauth) by what a real name server
says.
"""

import json
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from domains.identity.zone_text import quoted
from tests.fakes.knot import PROGRAM, Knot
from tests.journeys import peers
from tests.journeys.rig import HOSTNAME, KEPT, SENDER, Rig
from tests.ports import free_port

pytestmark = [
    pytest.mark.peer,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(PROGRAM is None, reason="knotd is not installed"),
]
SOURCE, POSTFIX = "127.0.0.7", "127.0.0.2"
PLAIN = "plain.test"  # its mail leaves under the installation's return path
ZONES = ("test", HOSTNAME, SENDER, PLAIN, "postfix.test")
JUDGE = Path(__file__).with_name("receiving_judge.mjs")
MAILAUTH = peers.FOLDER / "mailauth"
STRANGER = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


@pytest.fixture(scope="module")
def names():
    with Knot(*ZONES) as knot:
        knot.add(HOSTNAME, "A", SOURCE)
        knot.add(HOSTNAME, "TXT", quoted(f"v=spf1 ip4:{SOURCE} -all"))
        knot.add("postfix.test", "MX", "10 mx.postfix.test.")
        knot.add("mx.postfix.test", "A", POSTFIX)
        yield knot


@pytest.fixture(scope="module")
def rig(names):
    """Publish what `domain show` says of both domains, and check the first twice."""
    peers.need("postfix", "node")
    peers.need_files(MAILAUTH / "node_modules" / "mailauth")
    asked = {"EKIDEN_SOURCE": SOURCE, "EKIDEN_ZONE_PORT": str(names.port)}
    with Rig(names.url, free_port(POSTFIX), **asked) as rig:
        rig.manage("domain", "add", PLAIN, "--project", "shop", "--assume-verified")
        rig.manage("domain", "return-path", PLAIN, "--none")
        for domain in (SENDER, PLAIN):
            for record in rig.manage_json("domain", "show", domain)["records"]:
                value = f"{record['value']}." if record["type"] == "CNAME" else record["value"]
                text = value if record["type"] == "CNAME" else quoted(value)
                names.add(record["name"], record["type"], text)
        rig.manage("domain", "check", SENDER)
        rig.query(
            "UPDATE domains_returnpath SET found_since = found_since - interval '10 minutes' "
            "RETURNING name"
        )
        rig.manage("domain", "check", SENDER)
        time.sleep(KEPT)  # workers read such names once a second
        yield rig


@pytest.fixture(scope="module")
def postfix(rig):
    port = int(rig.env["EKIDEN_DELIVERY_PORT"])
    with peers.Postfix(POSTFIX, port, "postfix.test") as server:
        server.start(rig)
        yield server


def received(rig, postfix, author):
    """Return the message of this author as it lies in Postfix's mailbox."""
    token = uuid.uuid4().hex
    content = f"From: {author}\r\nTo: box@postfix.test\r\nSubject: {token}\r\n\r\nhello\r\n"
    with rig.client() as client:
        client.sendmail(author, ["box-judged@postfix.test"], content)
    return postfix.wait_for(token.encode())[0]


def judged(names, message):
    command = ["node", str(JUDGE), str(MAILAUTH), names.url]
    done = subprocess.run(command, input=message, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_spf_and_dkim_pass_and_align_under_a_return_path_of_the_domains_own(rig, postfix, names):
    message = received(rig, postfix, f"shop@{SENDER}")
    assert f"[{SOURCE}]".encode() in message
    assert judged(names, message) == {
        "spf": "pass",
        "spf_domain": f"rp.{SENDER}",
        "dkim": [["pass", SENDER]],
        "dmarc": "pass",
        "aligned": {"spf": True, "dkim": True},
    }


def test_dkim_alone_aligns_under_the_return_path_of_the_installation(rig, postfix, names):
    assert judged(names, received(rig, postfix, f"shop@{PLAIN}")) == {
        "spf": "pass",
        "spf_domain": HOSTNAME,
        "dkim": [["pass", PLAIN]],
        "dmarc": "pass",
        "aligned": {"spf": False, "dkim": True},
    }


def test_the_judge_finds_what_is_wrong(rig, postfix, names):
    """Another key than ours in DNS: SPF of its own name still carries the one domain."""
    found = {}
    for domain in (SENDER, PLAIN):
        message = received(rig, postfix, f"shop@{domain}")
        [key] = [
            each
            for each in rig.manage_json("domain", "show", domain)["records"]
            if each["purpose"] == "dkim"
        ]
        names.put(key["name"], "TXT", quoted(STRANGER))
        verdict = judged(names, message)
        names.put(key["name"], "TXT", quoted(key["value"]))
        found[domain] = (verdict["dkim"][0][0], verdict["dmarc"])
    assert found[SENDER][1] == "pass" and found[PLAIN][1] == "fail"
    assert "pass" not in (found[SENDER][0], found[PLAIN][0])
