"""The feedback report (RFC 5965) that a provider sends when one of its users calls a message
spam.
"""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime

from deliveries.message.headers import split

BOUNDARY = "=_sandbox_complaint"


def compose(
    return_path: str, recipient: str, content: bytes, *, hostname: str, now: datetime
) -> bytes:
    """Complete, lines ending in CRLF; of the message it returns the header section."""
    head = (
        f"From: Feedback <feedback@{hostname}>\r\nTo: abuse\r\n"
        f"Subject: FW: complaint about a message\r\nDate: {format_datetime(now)}\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report; "
        f'boundary="{BOUNDARY}"\r\n\r\n'
    )
    words = "Content-Type: text/plain\r\n\r\nOne of our users calls this message spam.\r\n"
    facts = (
        "Content-Type: message/feedback-report\r\n\r\n"
        "Feedback-Type: abuse\r\nUser-Agent: Ekiden-Sandbox/1\r\nVersion: 1\r\n"
        f"Original-Mail-From: <{return_path}>\r\n"
        f"Original-Rcpt-To: <{recipient}>\r\nArrival-Date: {format_datetime(now)}\r\n"
        f"Reporting-MTA: dns; {hostname}\r\n"
    )
    original = b"Content-Type: text/rfc822-headers\r\n\r\n" + split(content)[0]
    parts = b"".join(
        b"--%b\r\n%b\r\n" % (BOUNDARY.encode(), part)
        for part in (words.encode(), facts.encode(), original)
    )
    return head.encode() + parts + f"--{BOUNDARY}--\r\n".encode()
