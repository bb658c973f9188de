"""The report to a sender whose mail could not be delivered, or not yet (RFC 3461, RFC 3462, RFC
3464).
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID

from domains.foundation.text import texts


@dataclass(frozen=True, slots=True)
class ReportedFailure:
    """One failed recipient, and what is known of the last try.

    Texts come from strangers and are one line each.
    """

    delivery: UUID
    message: UUID
    sender: str
    recipient: str
    orcpt: str
    envid: str
    accepted_at: datetime
    ended_at: datetime
    has_expired: bool
    host: str
    code: int | None
    enhanced: str
    text: str
    content: bytes  # the header section, or the whole message where RET=FULL asked for it
    is_whole: bool
    # What the answer means and what to do, in English and in Japanese.
    advice: tuple[str, str] = ("", "")
    retried_until: datetime | None = None  # it has not failed yet, and is tried until then

    @property
    def kind(self) -> str:
        """What tells its Message-ID from that of another report on the same delivery."""
        return "delay" if self.retried_until else "report"


def compose(failure: ReportedFailure, *, hostname: str, now: datetime) -> bytes:
    """Return the complete report, lines ending in CRLF.

    It is 8-bit only where the original's header section is. It is put together by hand: the email
    package would fold and re-encode what must be shown as it was.
    """
    # "=_" stands in no base64 or quoted-printable text (RFC 2045, section 6.7)
    boundary = f"=_{failure.delivery.hex}"
    head = [
        ("From", f"Mail Delivery System <postmaster@{hostname}>"),
        ("To", f"<{failure.sender}>"),
        (
            "Subject",
            "Delayed Mail (still being retried)"
            if failure.retried_until
            else "Undelivered Mail Returned to Sender",
        ),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<{failure.delivery}.{failure.kind}@{hostname}>"),
        ("Auto-Submitted", "auto-replied"),  # RFC 3834: nothing shall answer this
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/report; report-type=delivery-status; boundary="{boundary}"'),
    ]
    parts = (_text(failure, hostname), _status(failure, hostname), _original(failure))
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
    return _fields(head).encode() + b"\r\n" + body + f"--{boundary}--\r\n".encode()


def _text(failure: ReportedFailure, hostname: str) -> bytes:
    text = base64.encodebytes(_wording(failure, hostname).encode()).replace(b"\n", b"\r\n")
    return (
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + text
    )


def _wording(failure: ReportedFailure, hostname: str) -> str:
    answer = texts.clean(failure.text) or "-"
    if failure.code:
        answer = " ".join(filter(None, (str(failure.code), failure.enhanced, failure.text)))
    host = failure.host or "-"
    english, japanese = (f"\n{advice}\n" if advice else "" for advice in failure.advice)
    if failure.retried_until:
        until = format_datetime(failure.retried_until)
        return (
            f"This is the mail system at {hostname}.\n\n"
            f"Your message to <{failure.recipient}> has not been delivered yet. Nothing needs to "
            "be done:\n"
            f"it is tried again, until {until} at most. If the address has a typing mistake, "
            "send it to the right one.\n\n"
            f"  Host:   {host}\n  Answer: {answer}\n  Queue id: {failure.message}\n\n"
            f"{hostname} のメールシステムからお知らせします。\n\n"
            f"<{failure.recipient}> 宛てのメールはまだ届いていません。\n"
            f"最長で {until} まで再送します。宛先に誤りがあれば、正しい宛先に送り直してください。\n"
            f"相手側サーバー: {host}\n応答: {answer}\n"
        )
    ended = "It was tried until its time was over."
    if not failure.has_expired:
        ended = "It will not be tried again."
    return (
        f"This is the mail system at {hostname}.\n\n"
        f"Your message could not be delivered to <{failure.recipient}>.\n"
        f"{ended}\n\n"
        f"  Host:   {host}\n  Answer: {answer}\n  Queue id: {failure.message}\n{english}\n"
        f"{hostname} のメールシステムからお知らせします。\n\n"
        f"<{failure.recipient}> 宛てのメールをお届けできませんでした。\n"
        f"{'配送期限を過ぎました。' if failure.has_expired else '再送は行いません。'}\n"
        f"相手側サーバー: {host}\n応答: {answer}\nキュー ID: {failure.message}\n{japanese}"
    )


def _status(failure: ReportedFailure, hostname: str) -> bytes:
    """Write the message/delivery-status part (RFC 3464, section 2)."""
    # RFC 3463, section 3.5: X.4.7 is "delivery time expired"; a refusal without a code of its own
    # is X.0.0.
    kind = "4" if failure.retried_until else "5"
    status = "4.4.7" if failure.has_expired else kind + (failure.enhanced or "5.0.0")[1:]
    about_message = [
        ("Reporting-MTA", f"dns; {hostname}"),
        ("Original-Envelope-Id", failure.envid),
        ("X-Ekiden-Queue-ID", str(failure.message)),
        ("Arrival-Date", format_datetime(failure.accepted_at)),
    ]
    about_recipient = [
        ("Original-Recipient", failure.orcpt),
        ("Final-Recipient", f"rfc822; {failure.recipient}"),
        ("Action", "delayed" if failure.retried_until else "failed"),
        ("Status", status),
        ("Remote-MTA", f"dns; {failure.host}" if failure.host else ""),
        (
            "Diagnostic-Code",
            f"smtp; {failure.code} {failure.enhanced} {failure.text}" if failure.code else "",
        ),
        ("Last-Attempt-Date", format_datetime(failure.ended_at)),
        (
            "Will-Retry-Until",
            format_datetime(failure.retried_until) if failure.retried_until else "",
        ),
    ]
    groups = _fields(about_message) + "\r\n" + _fields(about_recipient)
    return b"Content-Type: message/delivery-status\r\n\r\n" + groups.encode()


def _fields(fields: list[tuple[str, str]]) -> str:
    return "".join(f"{name}: {_one_line(value)}\r\n" for name, value in fields if value)


def _one_line(value: str) -> str:
    """Make text printable ASCII on one line: a stranger's text must not begin a field of its
    own.
    """
    return texts.clean(value).encode("ascii", "replace").decode("ascii")[:900]


def _original(failure: ReportedFailure) -> bytes:
    kind = b"message/rfc822" if failure.is_whole else b"text/rfc822-headers"
    encoding = b"" if failure.content.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    return b"Content-Type: " + kind + b"\r\n" + encoding + b"\r\n" + failure.content
