"""A second node of one installation: refused without the first's `keys`; with them, what it sends
comes back to either as its own.
"""

import shutil
import smtplib
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx
from tests.journeys.rig import ROOT, SENDER, Process, Rig, answers, wait_until
from tests.outside.service import careless
from tests.ports import free_port

FAR = "far.test"
REPORT = """\
From: MAILER-DAEMON@mx.far.test
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x

sorry
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.far.test

Final-Recipient: rfc822; {to}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--x--
"""


@pytest.fixture(scope="module")
def far():
    with FakeMx(host="127.0.0.4", port=free_port("127.0.0.4")) as mx:
        yield mx


@pytest.fixture(scope="module")
def first(far):
    """Yield the first node, whose mail another has to deliver: it runs no delivery worker."""
    zones = {FAR: {"MX": [(10, f"mx.{FAR}")]}, f"mx.{FAR}": {"A": ["127.0.0.4"]}}
    with FakeDns(zones) as dns, Rig(dns.url, far.port, workers=0, EKIDEN_WORKERS="1") as rig:
        yield rig


@pytest.fixture
def node(first, tmp_path):
    """Return another node with the same servers and settings, but a data folder and ports of its
    own.
    """
    ports = {name: free_port() for name in ("SUBMISSION", "SUBMISSIONS", "MX")}
    data = tmp_path / "data"
    data.mkdir()
    env = (
        first.env
        | {"EKIDEN_DATA": str(data)}
        | {f"EKIDEN_{name}_PORT": str(port) for name, port in ports.items()}
    )
    return SimpleNamespace(data=data, env=env, submission=ports["SUBMISSION"], folder=tmp_path)


@pytest.fixture
def second(first, node):
    """Yield the node with `keys` copied, as docs/scaling.md says: a listener and a delivery
    worker.
    """
    shutil.copytree(first.data / "keys", node.data / "keys")
    named = {"listener": "smtp_listener", "worker": "rqworker deliveries"}
    started = [
        Process(
            [sys.executable, str(ROOT / "manage.py"), *words.split()],
            env=node.env,
            log=node.folder / f"{name}.log",
        )
        for name, words in named.items()
    ]
    try:
        for process in started:
            process.start()
        wait_until(
            lambda: answers("127.0.0.1", node.submission), "the second node's listener answers", 120
        )
        yield node
    finally:
        for process in started:
            process.stop()


def send(rig, port, to):
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as app:
        app.starttls(context=careless())
        app.login(*rig.login)
        app.sendmail(
            f"app@{SENDER}",
            [to],
            f"From: app@{SENDER}\r\nTo: {to}\r\nSubject: two nodes\r\n\r\nhello\r\n",
        )


def state(rig, to):
    return rig.query("SELECT state FROM deliveries_delivery WHERE recipient = %s", to)


def test_a_node_without_keys_is_refused_in_a_line_and_makes_none(first, node):
    for words in (
        "smtp_listener",
        "rqworker deliveries",
        "rqworker maintenance",
        "scheduler",
        "setup",
    ):
        ended = subprocess.run(
            [sys.executable, "manage.py", *words.split()],
            env=node.env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), (words, ended.stderr)
        assert "copy the folder keys" in ended.stderr
        assert list(node.data.iterdir()) == []


@pytest.mark.parametrize("taken_by", ["first", "second"])
def test_what_the_second_node_delivers_comes_back_to_the_first_as_its_own(
    first, second, far, taken_by
):
    to = f"{taken_by}@{FAR}"
    send(first, first.submission if taken_by == "first" else second.submission, to)
    wait_until(lambda: state(first, to) == [("delivered",)], "the second node has delivered", 120)
    [arrived] = [each for each in far.messages if each.recipients == [to]]
    assert b"DKIM-Signature:" in arrived.content
    with smtplib.SMTP("127.0.0.1", first.mx, timeout=60) as stranger:
        stranger.sendmail("", [arrived.reverse_path], REPORT.format(to=to).replace("\n", "\r\n"))
    wait_until(lambda: state(first, to) == [("bounced",)], "the report is believed", 120)
    assert "forged" not in "".join(log.read_text() for log in first.folder.glob("*.log"))
