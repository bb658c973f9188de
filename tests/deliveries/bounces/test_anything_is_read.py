"""No bytes make the reading of returned mail raise, all the way through the database; and one bad
letter stops no other.
"""

import base64

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deliveries.bounces import original, receive
from deliveries.bounces.parser import read
from deliveries.message import compression
from deliveries.models import Delivery, InboundKind, InboundMail
from domains.models import ItemKind, SetAside
from tests.deliveries import make
from tests.deliveries.bounces.sampled import SAMPLES

pytestmark = pytest.mark.usefixtures("mail_db")

RECIPIENT = "you@mx.test"
NASTY = [
    "\0",
    "a\0b",
    "\ud800",
    "\x1b[2J",
    "\u2028",
    "\u202e",
    "x" * 5000,
    "é" * 400,
    "=?utf-8?b?AA==?=",
    "=?utf-16?b?AADYAA==?=",
    "<",
    ">",
    "",
]
text = st.one_of(st.sampled_from(NASTY), st.text(max_size=60))
encodings = st.sampled_from(["base64", "quoted-printable", "8bit", "x-nonsense"])
charsets = st.sampled_from(["utf-8", "utf-16", "utf-7", "iso-2022-jp", "nonsense"])


def encoded(content: bytes, encoding: str) -> bytes:
    return base64.encodebytes(content) if encoding == "base64" else content


@st.composite
def reports(draw):
    """Return a delivery-status or feedback report whose every field may hold anything, in any
    transfer encoding.
    """

    def fields(*names):
        return "".join(f"{name}: {draw(text)}\r\n" for name in names).encode(
            "utf-8", "surrogatepass"
        )

    kind = draw(st.sampled_from(["delivery-status", "feedback-report"]))
    said = fields("Reporting-MTA", "Original-Envelope-Id", "X-Anything") + b"\r\n"
    said += b"Final-Recipient: rfc822; %b\r\nAction: failed\r\n" % draw(
        st.sampled_from([RECIPIENT.encode(), b"\0@\0", b"<>", b"x" * 900])
    )
    said += fields(
        "Status",
        "Diagnostic-Code",
        "Remote-MTA",
        "Feedback-Type",
        "User-Agent",
        "Original-Rcpt-To",
        "Original-Mail-From",
    )
    about = fields("Message-ID", "Return-Path", "X-Feedback-Token", "To", "Subject")
    parts = [
        (f"message/{kind}", said),
        (draw(st.sampled_from(["message/rfc822", "text/rfc822-headers", "text/plain"])), about),
    ]
    mail = fields("From", "Subject") + b"Content-Type: multipart/report; boundary=x\r\n\r\n"
    for type_, content in parts:
        encoding = draw(encodings)
        mail += (
            f"--x\r\nContent-Type: {type_}; charset={draw(charsets)}\r\n"
            f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
        ).encode()
        mail += encoded(content, encoding) + b"\r\n"
    return mail + b"--x--\r\n"


samples = st.sampled_from(sorted(SAMPLES.glob("*.eml"))).map(lambda path: path.read_bytes())
mutated = st.builds(
    lambda data, at, what: data[:at] + what + data[at + 1 :],
    samples,
    st.integers(0, 4000),
    st.binary(max_size=20),
)
anything = st.one_of(reports(), mutated, st.binary(max_size=400))

MESSAGE_ID = b"Message-ID: <a\0b@c>\r\n"
POISON = (
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\n\r\n"
    b"sorry\r\n"
    b"--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\n"
    b"Final-Recipient: rfc822; you@mx.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
    b"--x\r\nContent-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(MESSAGE_ID)
    + b"--x--\r\n"
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=anything, kind=st.sampled_from(InboundKind.values), is_at_return_path=st.booleans())
@example(data=POISON, kind="postmaster", is_at_return_path=False)
def test_no_bytes_make_the_handling_raise(data, kind, is_at_return_path):
    delivery = make.delivery(RECIPIENT, state="delivered", ended_at=timezone.now(), due_at=None)
    mail = InboundMail.objects.create(
        kind=kind,
        delivery_id=delivery.pk if is_at_return_path else None,
        data=compression.compress(data, (), size=len(data)),
    )
    receive.handle(mail.pk)
    mail.refresh_from_db()
    assert mail.handled_at is not None
    assert mail.finding
    Delivery.objects.all().delete()


@settings(max_examples=300, deadline=None)
@given(data=anything)
@example(data=POISON)
def test_no_bytes_make_the_reading_raise(data):
    read(data)
    found = original.read(data)
    assert all(
        "\0" not in text for text in (*found.message_ids, *found.return_paths, *found.feedback_ids)
    )


def arrives(data):
    return InboundMail.objects.create(
        kind="postmaster", data=compression.compress(data, (), size=len(data))
    ).pk


def test_a_letter_that_cannot_be_handled_stops_no_other(monkeypatch):
    bad, good = arrives(b"Subject: bad\r\n\r\n"), arrives(b"Subject: good\r\n\r\n")
    real = receive.read

    def read_but(data):
        if b"bad" in data:
            raise RuntimeError("a fault of ours")
        return real(data)

    monkeypatch.setattr(receive, "read", read_but)
    receive.handle_all()
    assert InboundMail.objects.get(pk=good).handled_at is not None
    assert SetAside.objects.get(kind=ItemKind.INBOUND, key=str(bad)).failures == 1
    for _ in range(5):
        SetAside.objects.update(retry_at=timezone.now())
        receive.handle_all()
    aside = SetAside.objects.get()
    assert (aside.failures, aside.set_aside_at is not None) == (3, True)
    monkeypatch.undo()
    aside.delete()  # as "try again" does
    receive.handle_all()
    assert InboundMail.objects.get(pk=bad).handled_at is not None
    assert not SetAside.objects.exists()
