"""Port 25: what any host of the internet may say, in any order, and what of it is stored."""

from __future__ import annotations

from datetime import UTC, datetime

from deliveries.bounces import return_path
from deliveries.message import compression
from tests.deliveries.bounces.test_hostile_reports import SEEDS
from tests.fuzz.sessions import DELIVERY, TURN, Sessions
from tests.fuzz.targets import Ready

KINDS = {"postmaster", "abuse", "feedback", "report"}
REPORT = SEEDS[0].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..")


def ready() -> Ready:
    sessions = Sessions("mx")
    path = return_path.make(
        DELIVERY, key=sessions.listener.return_path_key, now=datetime.now(UTC)
    ).encode()

    def one(data: bytes) -> None:
        sessions.converse(data)
        said = data.replace(TURN, b"").lower()
        assert path in said or all(row["delivery"] is None for row in sessions.stored), (
            "a forged return path was taken"
        )
        for row in sessions.stored:
            assert row["kind"] in KINDS and (row["kind"] == "report") == (
                row["delivery"] == DELIVERY
            )
            compression.decompress(row["data"], most=1_000_000)

    sessions.converse(seeds(path)[0])
    assert [row["delivery"] for row in sessions.stored] == [DELIVERY], "the first seed gets nowhere"
    forged = return_path.make(DELIVERY, key=b"f" * 32, now=datetime.now(UTC)).encode()
    return Ready(one, [*seeds(path), *seeds(forged)[:1]], WORDS)


def seeds(path: bytes) -> list[bytes]:
    """Return sessions as they should be, and some as they should not."""
    host = b"relay.test"
    begin = b"EHLO mx.test\r\n" + TURN
    end = b"\r\n.\r\n" + TURN + b"QUIT\r\n"
    envelope = b"MAIL FROM:<>\r\n" + TURN + b"RCPT TO:<%s@%s>\r\n" + TURN + b"DATA\r\n" + TURN
    letter = b"From: a@b.test\r\nSubject: hello\r\n\r\nhello"
    chunks = b"BDAT 20\r\n01234567890123456\r\n\r" + TURN + b"BDAT 3 LAST\r\n\nab"
    return [
        begin + envelope % (path, host) + REPORT + end,
        begin + envelope % (b"postmaster", host) + letter + end,
        begin + b"STARTTLS\r\n" + TURN + begin + envelope % (b"abuse",
            host) + letter + b"\r\n..\r\n.x" + end,
        begin + (b"MAIL FROM:<a@b.test> SIZE=50 BODY=8BITMIME\r\nRCPT TO:<fbl@relay.test>\r\n"
            b"RCPT TO:<abuse@RELAY.test>\r\n") + TURN + chunks,
        begin + (b"MAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nBDAT 5 LAST\r\nabcdeRSET\r\nNOOP\r\n"
            b"VRFY x\r\nEXPN x\r\nHELP\r\nQUIT\r\n"),
        begin + b"MAIL FROM:<a@b.test>\r\nRCPT TO:<you@mx.test>\r\nRCPT TO:<b-aaaa@relay.test>\r\n",
        begin + (b"MAIL FROM:<a@b.test>\r\nRCPT TO:<b-x event=delivered@relay.test>\r\n"
            b"RCPT TO:<b-\xe2\x80\xa8@relay.test>\r\n"),
        begin + (b'MAIL FROM:<"a b"@b.test> SMTPUTF8\r\nRCPT TO:<\xe3\x81\x82@relay.test>\r\n'
            b'AUTH PLAIN AA==\r\nSTARTTLS x\r\n'),
        b"HELO mx.test\r\n" + TURN + envelope % (b"postmaster", host) + b"a\nb\rc\0d" + end,
        begin + b"X" * 3000 + b"\r\n" + TURN + b"\xc3\x28\r\nSTARTTLS\r\nEHLO injected\r\n",
    ]  # fmt: skip


WORDS = [
    b"EHLO ", b"HELO ", b"MAIL FROM:<", b"RCPT TO:<", b"DATA\r\n", b"BDAT ", b" LAST\r\n",
    b"RSET\r\n", b"NOOP\r\n", b"QUIT\r\n",
    b"STARTTLS\r\n", b"AUTH PLAIN ", b"AUTH LOGIN", b" SIZE=", b" BODY=8BITMIME",
    b" BODY=BINARYMIME", b" SMTPUTF8", b"\r\n.\r\n",
    b"\n.\n", b"\r\n", TURN, b"@relay.test>", b"postmaster", b"abuse", b"fbl", b"b-",
    b" event=delivered ", b"\xe2\x80\xa8",
    b"\xc2\x9b", b" NOTIFY=NEVER", b" ORCPT=rfc822;", b" ENVID=", b" RET=HDRS", b" MT-PRIORITY=",
    b" AUTH=<>", b"+0D+0A",
]  # fmt: skip
