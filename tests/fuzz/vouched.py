"""Complaints that claim the DKIM signature of a feedback loop: believed only with a signature that
its key has made.
"""

from __future__ import annotations

import time

from django.conf import settings

from deliveries.bounces import vouching
from deliveries.bounces.mime import take_apart
from domains.senders import dkim
from tests.deliveries.bounces.test_hostile_reports import SEEDS
from tests.fakes.dns import FakeDns
from tests.fuzz.checks import Log
from tests.fuzz.targets import Ready

[LOOP] = vouching.FEEDBACK_LOOPS
REPORT = (
    f"From: Feedback <feedback@{LOOP}>\r\nTo: fbl@relay.test\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/report; report-type=feedback-report; boundary=x\r\n\r\n--x\r\n\r\n"
    "spam\r\n--x\r\n"
    "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n"
    "Original-Rcpt-To: <you@mx.test>\r\n\r\n"
    "--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: hello\r\nMessage-ID: <a@shop.test>\r\n"
    "\r\nhello\r\n--x--\r\n"
).encode()


def ready() -> Ready:
    key, other = dkim.generate("rsa"), dkim.generate("ed25519")
    zones = {
        f"s._domainkey.{LOOP}": {"TXT": [dkim.txt_value(key)]},
        f"short._domainkey.{LOOP}": {
            "TXT": ["v=DKIM1; k=rsa; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL0"]
        },
        f"odd._domainkey.{LOOP}": {"TXT": ["p=;;=;k=\xe9; h=sha1; t=y:s; p=!!"]},
        "s._domainkey.evil.test": {"TXT": [dkim.txt_value(other)]},
    }
    server = FakeDns(zones)
    server.__enter__()  # for as long as the process lives
    settings.EKIDEN_DNS = [server.url]
    log = Log(
        "dkimpy", "domains.foundation.dns.servers"
    ).install()  # on a busy machine even our own name server is late
    ours = _signature(key, LOOP)
    genuine = ours + REPORT
    value = _value_of(ours)

    def one(data: bytes) -> None:
        if vouching.is_vouched_for(data):
            assert value in b"".join(data.split()), "believed without the loop's signature"
            assert _body(data) == _body(genuine), "another body than was signed"
            assert _read(data) == _read(genuine), "read otherwise than it was signed"
        log.check()

    one(genuine)
    assert vouching.is_vouched_for(genuine), "the seed itself is no good"
    seeds = [
        genuine, _signature(other, "evil.test") + REPORT, ours.replace(b"d=", b"l=10; d=") + REPORT,
        ours.replace(b"s=s", b"s=odd") + REPORT, ours.replace(b"s=s", b"s=short") + REPORT,
        ours + ours + REPORT, REPORT, b"X: " + REPORT.replace(b"\r\n", b"\r") + b"\r\n" + genuine,
        b"Content-Type: text/plain\r\n" + genuine, *SEEDS[:10],
    ]  # fmt: skip
    words = [
        b"DKIM-Signature: ", b"v=1; ", b"a=rsa-sha256; ", b"a=ed25519-sha256; ",
        b"c=simple/simple; ", b"l=0; ", b"t=0; ", b"x=1; ",
        b"q=dns/txt", b"h=from", b"bh=", b"b=", f"d={LOOP}; ".encode(), b"i=@x; ", b"s=odd; ",
        b"s=short; ", b"Original-Rcpt-To: ",
    ]  # fmt: skip
    return Ready(one, seeds, words)


def _body(data: bytes) -> list[bytes]:
    """Return its words; an LF alone ends a line, as DKIM's reader and ours agree."""
    return data.replace(b"\r\n", b"\n").partition(b"\n\n")[2].split()


def _read(data: bytes) -> list[tuple[str, list[str]]]:
    return [(part.type, part.text.split()) for part in take_apart(data)[1]]


def _signature(key: dkim.PrivateKey, domain: str) -> bytes:
    head, _, body = REPORT.partition(b"\r\n\r\n")
    fields = [(line.partition(b":")[0].lower(), line + b"\r\n") for line in head.split(b"\r\n")]
    return bytes(
        dkim.sign(
            fields,
            dkim.body_hash(body),
            signers=[dkim.Signer(domain, "s", key)],
            now=int(time.time()),
        )
    )


def _value_of(field: bytes) -> bytes:
    return b"".join(field.split()).rpartition(b"b=")[2][:40]
