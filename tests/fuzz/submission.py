"""The submission port: AUTH, and what an app that has logged in may hand over."""

from __future__ import annotations

import base64
import email

from deliveries.message import compression
from deliveries.smtp.mail import Mail
from tests.fuzz import mx
from tests.fuzz.sessions import DOMAIN, NAME, SECRET, TURN, Sessions
from tests.fuzz.targets import Ready

LARGEST = 10_000_000
ENVELOPE = b"MAIL FROM:<shop@shop.test>\r\nRCPT TO:<you@mx.test>\r\nDATA\r\n" + TURN
LETTER = (
    b"From: Shop <shop@shop.test>\r\nTo: you@mx.test\r\nBcc: c@d.test\r\n"
    b"Subject: hello\r\n"
    b"\r\nhello\r\n..\r\n"
)
END = b".\r\n" + TURN + b"QUIT\r\n"
ENCRYPTED = b"t"  # as the first byte of an input: the client is under TLS already


def ready() -> Ready:
    sessions = Sessions("submission")

    def one(data: bytes) -> None:
        sessions.converse(data[1:], is_encrypted=data[:1] == ENCRYPTED)
        for rows in sessions.committed:
            check(rows)

    sessions.converse(seeds()[0][1:], is_encrypted=True)
    assert sessions.committed, "the first seed gets nowhere"
    return Ready(one, seeds(), [*mx.WORDS, *WORDS])


def check(rows: dict[str, list[object]]) -> None:
    """Check that what will be sent is one message of the app's domain, fit for the wire, and tells
    nobody what was blind.
    """
    for number, data in enumerate(rows["data"]):
        content = compression.decompress(bytes(data), most=LARGEST)  # type: ignore[call-overload]
        for recipient in rows["recipient"]:
            Mail(str(rows["mail_from"][number]), str(recipient), content, smtputf8=True)
        head = content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
        authors = [line for line in head.splitlines() if line.lower().startswith("from:")]
        assert len(authors) == 1, f"readers see several authors: {authors}"
        assert len(email.message_from_bytes(content).get_all("from", [])) == 1
        assert not any(
            line.lower().startswith(("bcc:", "x-ekiden-", "x-feedback-token:"))
            for line in head.splitlines()
        )
        mail_from = str(rows["mail_from"][number])
        assert mail_from == "" or mail_from.endswith(f"@{DOMAIN}")
    for recipient in map(str, rows["recipient"]):
        assert not any(mark in recipient.rpartition("@")[0] for mark in "%!@"), (
            f"a relay may read another recipient: {recipient}"
        )


def seeds() -> list[bytes]:
    begin = b"tEHLO app.test\r\n" + TURN
    return [
        *(begin + session for session in (*_messages(), *_envelopes(), *_log_ins())),
        b"xEHLO app.test\r\n" + TURN + b"STARTTLS\r\n" + TURN + begin[1:] + _messages()[0],
    ]


def _messages() -> list[bytes]:
    login = (
        b"AUTH LOGIN\r\n" + TURN + _base64(NAME) + b"\r\n" + TURN + _base64(SECRET) + b"\r\n" + TURN
    )
    fields = (
        b"Message-ID: <a@b>\r\nX-Ekiden-Priority: bulk\r\nX-Idempotency-Key: k\r\n"
        b"Authentication-Results: relay.test; dkim=pass\r\n"
    )
    two_authors = b'=?utf-8?Q?a=0D=0A?= <a@shop.test>, "b@bank.test" <'
    return [
        _logged_in() + ENVELOPE + LETTER + END,
        login + ENVELOPE + fields + LETTER + END,
        _logged_in() + ENVELOPE + LETTER.replace(b"Shop <", two_authors) + END,
    ]


def _envelopes() -> list[bytes]:
    dsn = (
        b"MAIL FROM:<> RET=HDRS ENVID=a+2B MT-PRIORITY=4\r\n"
        b"RCPT TO:<you@mx.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;you@mx.test\r\n"
    )
    chunk = b"BDAT %d LAST\r\n" % len(LETTER) + LETTER + b"RSET\r\n"
    utf8 = (
        "MAIL FROM:<shop@shop.test> SMTPUTF8 BODY=8BITMIME\r\nRCPT TO:<用户@例え.test>\r\n"
        "RCPT TO:<gone@mx.test>\r\n"
    ).encode()
    utf8_fields = "Subject: \u3042\r\nSender: 店 <a@shop.test>\r\n".encode()
    odd = (
        b"MAIL FROM:<shop@shop.test>\r\nRCPT TO:<a%b@mx.test>\r\n"
        b'RCPT TO:<"a b"@mx.test>\r\n'
        b"RCPT TO:<..a.@docomo.test>\r\n"
    )
    return [
        _logged_in() + dsn + chunk,
        _logged_in() + utf8 + b"DATA\r\n" + TURN + utf8_fields + LETTER + END,
        _logged_in() + odd,
    ]


def _log_ins() -> list[bytes]:
    wrong = _base64(f"\0{NAME}\0wrong") + b"\r\n"
    return [
        b"AUTH PLAIN\r\n" + TURN + wrong + TURN + b"AUTH LOGIN =\r\n" + TURN + b"*\r\n",
    ]


def _logged_in() -> bytes:
    return b"AUTH PLAIN " + _base64(f"\0{NAME}\0{SECRET}") + b"\r\n" + TURN


def _base64(text: str) -> bytes:
    return base64.b64encode(text.encode())


WORDS = [
    b"From: ", b"Sender: ", b"Resent-From: ", b"X-Ekiden-Priority: ", b"=?utf-8?Q?", b"?=",
    b"<shop@shop.test>", b"334", b"*\r\n",
    b"AA==",
]  # fmt: skip
