"""The report to a sender whose mail could not be delivered (RFC 3461, RFC 3462, RFC 3464)."""

from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart
from email.utils import format_datetime
from uuid import UUID

WIRE = policy.SMTP.clone(max_line_length=None)  # our values hold no line break, and folding would only add trouble


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed recipient, and what is known of the last try. Texts come from strangers and are one line each."""

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


def compose(failure: Failure, *, hostname: str, now: datetime) -> bytes:
    """The complete report, lines ending in CRLF, all of it in ASCII."""
    report = EmailMessage(policy=WIRE)
    report["From"] = Address("Mail Delivery System", "postmaster", hostname)
    report["To"] = failure.sender
    report["Subject"] = "Undelivered Mail Returned to Sender"
    report["Date"] = format_datetime(now)
    report["Message-ID"] = f"<{failure.delivery}.report@{hostname}>"
    report["Auto-Submitted"] = "auto-replied"  # RFC 3834: nothing shall answer this
    report["MIME-Version"] = "1.0"
    report["Content-Type"] = "multipart/report; report-type=delivery-status"
    report.attach(_text(failure, hostname))
    report.attach(_status(failure, hostname))
    report.attach(_original(failure))
    return report.as_bytes()


def _text(failure: Failure, hostname: str) -> MIMEPart:
    part = MIMEPart(policy=WIRE)
    part.set_content(_wording(failure, hostname), cte="base64")
    return part


def _wording(failure: Failure, hostname: str) -> str:
    answer = failure.text or "-"
    if failure.code:
        answer = " ".join(filter(None, (str(failure.code), failure.enhanced, failure.text)))
    host = failure.host or "-"
    return (
        f"This is the mail system at {hostname}.\n\n"
        f"Your message could not be delivered to <{failure.recipient}>.\n"
        f"{'It was tried until its time was over.' if failure.has_expired else 'It will not be tried again.'}\n\n"
        f"  Host:   {host}\n  Answer: {answer}\n  Queue id: {failure.message}\n\n"
        f"{hostname} のメールシステムからお知らせします。\n\n"
        f"<{failure.recipient}> 宛てのメールをお届けできませんでした。\n"
        f"{'配送期限を過ぎました。' if failure.has_expired else '再送は行いません。'}\n"
        f"相手側サーバー: {host}\n応答: {answer}\n"
    )


def _status(failure: Failure, hostname: str) -> MIMEPart:
    """message/delivery-status (RFC 3464, section 2); the fields are joined by hand, since a generator would fold them."""
    enhanced = failure.enhanced or ("4.4.7" if failure.has_expired else "5.0.0")
    about_message = [
        ("Reporting-MTA", f"dns; {hostname}"),
        ("Original-Envelope-Id", failure.envid),
        ("X-Ekiden-Queue-ID", str(failure.message)),
        ("Arrival-Date", format_datetime(failure.accepted_at)),
    ]
    about_recipient = [
        ("Original-Recipient", failure.orcpt),
        ("Final-Recipient", f"rfc822; {failure.recipient}"),
        ("Action", "failed"),
        ("Status", "5" + enhanced[1:] if not failure.has_expired else enhanced),
        ("Remote-MTA", f"dns; {failure.host}" if failure.host else ""),
        ("Diagnostic-Code", f"smtp; {failure.code} {failure.enhanced} {failure.text}" if failure.code else ""),
        ("Last-Attempt-Date", format_datetime(failure.ended_at)),
    ]
    part = MIMEPart(policy=WIRE)
    part["Content-Type"] = "message/delivery-status"
    part.set_payload("\r\n".join((_fields(about_message), _fields(about_recipient))))
    return part


def _fields(fields: list[tuple[str, str]]) -> str:
    return "".join(f"{name}: {_one_line(value)}\r\n" for name, value in fields if value)


def _one_line(value: str) -> str:
    """ASCII and printable: a stranger's text must not begin a field of its own."""
    return "".join(char if " " <= char <= "~" else "?" for char in value)[:900]


def _original(failure: Failure) -> MIMEPart:
    part = MIMEPart(policy=WIRE)
    part["Content-Type"] = "message/rfc822" if failure.is_whole else "text/rfc822-headers"
    if not failure.content.isascii():
        part["Content-Transfer-Encoding"] = "8bit"
    part.set_payload(failure.content.decode("ascii", "surrogateescape"))
    return part
