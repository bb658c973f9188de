"""What real mail servers write about a message that they could not deliver, and how we read it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import pytest

from deliveries.bounces.parser import ReportKind, read
from suppressions.classes import Class
from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx
from tests.journeys import peers
from tests.journeys.machine import Machine
from tests.journeys.reporters import REPORTERS, STORE, Reporter
from tests.journeys.rig import wait_until

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

SENDER = "box@sender.test"
SMALL = 10_000  # octets that the host of `large` says it takes
OFFERS = ("PIPELINING", "8BITMIME")


@dataclass(frozen=True)
class Trouble:
    """What the receiving host answers at RCPT, and what the report has to tell us.

    Without an answer there is no such host, but for a smarthost, which says so itself.
    """

    name: str
    answer: str
    class_: Class
    is_hard: bool = False

    @property
    def domain(self) -> str:
        return f"{self.name}.test"

    @property
    def recipient(self) -> str:
        return f"someone@{self.domain}"

    @property
    def message(self) -> str:
        body = ("x" * 70 + "\n") * (SMALL // 40 if self.class_ is Class.TOO_LARGE else 1)
        return (
            f"From: {SENDER}\nTo: {self.recipient}\nSubject: {self.name}\n"
            f"Message-ID: <{self.name}@sender.test>\nDate: Sun, 1 Nov 2026 10:00:00 +0000\n\n"
            f"{body}"
        )


NO_HOST = Trouble("nohost", "550 5.1.2 Host unknown", Class.UNKNOWN_DOMAIN, is_hard=True)
# Each with an enhanced code and without.
TROUBLES = (
    NO_HOST,
    Trouble("unknown", "550 5.1.1 No such user here", Class.UNKNOWN_USER, is_hard=True),
    Trouble(
        "bare-unknown", "550 Sorry, there is no such account", Class.UNKNOWN_USER, is_hard=True
    ),
    Trouble("full", "552 5.2.2 Mailbox is full", Class.MAILBOX_FULL),
    Trouble("bare-full", "552 User is over quota", Class.MAILBOX_FULL),
    Trouble("large", "552 5.3.4 Message is too big", Class.TOO_LARGE),
    Trouble("bare-large", "552 Message size exceeds fixed limit", Class.TOO_LARGE),
    Trouble("policy", "550 5.7.1 Message refused by policy", Class.POLICY),
    Trouble("bare-policy", "554 Transaction refused: not allowed by local policy", Class.POLICY),
)
# Their reports name no command that was refused: "no such account" may be a filter's word then.
NAME_NO_STAGE = {"opensmtpd", "haraka", "nullmailer"}


@pytest.fixture(scope="module")
def network():
    """Return three octets of loopback addresses that nobody else uses."""
    return f"127.{64 + secrets.randbelow(64)}.{secrets.randbelow(256)}"


@pytest.fixture(scope="module")
def far(network):
    """Yield the host of all domains, also the sender's; on port 25, as mail servers expect it."""
    peers.need("unshare")
    with (
        FakeMx(host=f"{network}.1", port=25, extensions=(*OFFERS, "SIZE 1000000")) as host,
        FakeMx(host=f"{network}.2", port=25, extensions=(*OFFERS, f"SIZE {SMALL}")) as small,
        FakeDns(zones(network), place=(f"{network}.53", 53)),
    ):
        for each in (host, small):
            each.on("RCPT", answer)
        yield host


def zones(network):
    hosts = {"mx.test": {"A": [f"{network}.1"]}, "small.test": {"A": [f"{network}.2"]}}
    exchangers = {each.domain: "mx.test" for each in TROUBLES if each is not NO_HOST}
    exchangers |= {"large.test": "small.test", "bare-large.test": "small.test"}
    exchangers |= {"sender.test": "mx.test"}
    return hosts | {domain: {"MX": [(10, host)]} for domain, host in exchangers.items()}


def answer(argument):
    return next((each.answer for each in TROUBLES if f"@{each.domain}>" in argument), None)


@pytest.fixture(scope="module", params=REPORTERS, ids=lambda each: each.name)
def reports(request, network, far):
    """Return the program's reports by the name of the trouble, as they came to the sender."""
    written = written_by(request.param, network, far, most=len(TROUBLES))
    return request.param.name, {about(each): each for each in written}


def written_by(reporter: Reporter, network: str, far: FakeMx, *, most: int) -> list[bytes]:
    """Return so many reports of the program."""
    peers.need_files(reporter.needs)
    files = {f"/messages/{each.recipient}": each.message for each in TROUBLES}
    given = f"export LC_ALL=C SENDER={SENDER} OWN={network}.100 SMARTHOST={network}.1\n"
    before = len(far.messages)
    with Machine(
        reporter.name,
        {**files, **reporter.files},
        given + reporter.script,
        name_server=f"{network}.53",
    ) as machine:
        try:
            came = wait_until(
                lambda: len(found := far.messages[before:]) >= most and found,
                f"{most} reports of {reporter.name}",
                seconds=90,
            )
        except AssertionError as error:
            raise AssertionError(f"{error}; {machine.words()}") from error
    return [each.content for each in came]


def about(content):
    [name] = [each.name for each in TROUBLES if f"@{each.domain}".encode() in content]
    return name


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: each.name)
def test_the_report_of_a_real_program_is_read_right(reports, trouble):
    program, by_trouble = reports
    report = read(by_trouble[trouble.name])
    assert report.kind is ReportKind.BOUNCE
    [told] = report.fates
    wanted = (trouble.class_, trouble.is_hard)
    if program in NAME_NO_STAGE and trouble.name == "bare-unknown":
        wanted = (Class.RECIPIENT_REFUSED, False)
    assert (told.recipient, told.classified.class_, told.classified.is_hard) == (
        trouble.recipient,
        *wanted,
    )


def test_what_a_mailbox_store_refuses_is_read_right(network, far):
    told = [read(each).fates for each in written_by(STORE, network, far, most=3)]
    assert sorted(
        (one.recipient, str(one.classified.class_), one.classified.is_hard) for [one] in told
    ) == [
        ("someone@full.test", "mailbox_full", False),
        ("someone@full.test", "mailbox_full", False),
        ("someone@unknown.test", "unknown_user", True),
    ]
