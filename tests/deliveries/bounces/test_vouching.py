"""Complaints that a known feedback loop signed: DKIM checked against DNS, the body with it, for us
and about a named recipient.
"""

import time

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deliveries.bounces import vouching
from deliveries.models import Delivery, InboundMail
from domains.senders import dkim
from suppressions.models import Occurrence
from tests.deliveries.bounces.test_consequences import complained, delivered, nothing_moved
from tests.deliveries.bounces.test_receive import arrives
from tests.fakes.dns import FakeDns

pytestmark = pytest.mark.usefixtures("mail_db")

YAHOO, HOST = "arf.mail.yahoo.com", "relay.test"
KEY, OTHER = dkim.generate(), dkim.generate()
NAMED = b"Original-Rcpt-To: <you@mx.test>\r\n"


@pytest.fixture(autouse=True)
def zone(settings):
    settings.EKIDEN_HOSTNAME = HOST
    zones = {
        f"s._domainkey.{YAHOO}": {"TXT": [dkim.txt_value(KEY)]},
        "s._domainkey.evil.test": {"TXT": [dkim.txt_value(OTHER)]},
    }
    with FakeDns(zones) as dns:
        settings.EKIDEN_DNS = [dns.url]
        yield zones


def report(delivery, *, named=NAMED, sender=YAHOO, to=f"feedback@{HOST}"):
    about = b"Message-ID: %s\r\n" % delivery.message.message_id.encode()
    data = complained(delivery, named=named, fields=about).replace(
        b"From: fbl@provider.test\r\n", b""
    )
    return (
        f"From: Feedback <feedback@{sender}>\r\nTo: {to}\r\nMIME-Version: 1.0\r\n".encode() + data
    )


def signed(data, *, domain=YAHOO, key=KEY, names=None):
    head, body = data.split(b"\r\n\r\n", 1)
    fields = []
    for line in head.split(b"\r\n"):
        name = line.partition(b":")[0].lower()
        if names is None or name in names:
            fields.append((name, line + b"\r\n"))
    return (
        dkim.sign(
            fields,
            dkim.body_hash(body),
            signers=[dkim.Signer(domain, "s", key)],
            now=int(time.time()),
        )
        + data
    )


def signed_in_part(data):
    """Sign with l=, which our own signer does not write."""
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    names = [b"from", b"to", b"mime-version", b"content-type"]
    return dkimpy.sign(data, b"s", YAHOO.encode(), pem, include_headers=names, length=True) + data


def test_with_it_message_id_and_recipient_are_enough_for_a_complaint():
    delivery = delivered()
    assert (
        arrives(signed(report(delivery)), kind="feedback") == "the recipient has complained: abuse"
    )
    assert Occurrence.objects.get().address_key == "you@mx.test"


def with_another_type_above(data):
    """Sign each field once, as many do: so another may stand above it."""
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    names = [b"from", b"to", b"mime-version", b"content-type"]
    signature = dkimpy.sign(data, b"s", YAHOO.encode(), pem, include_headers=names)
    kind = next(line for line in data.split(b"\r\n") if line.startswith(b"Content-Type:"))
    return kind + b"\r\n" + signature + data


def hidden_in_one_field(forged, genuine):
    """Write a whole report into one field of a genuine one, with a CR at each line's end."""
    return b"X: " + forged.replace(b"\r\n", b"\r") + b"\r\n" + genuine


FORGED = {
    "unsigned": lambda delivery: report(delivery),
    "by somebody else": lambda delivery: signed(report(delivery), domain="evil.test", key=OTHER),
    "by somebody else for himself": lambda delivery: signed(
        report(delivery, sender="evil.test"), domain="evil.test", key=OTHER
    ),
    "with another key": lambda delivery: signed(report(delivery), key=OTHER),
    "the body changed": lambda delivery: signed(report(delivery)).replace(
        b"Feedback-Type: abuse", b"Feedback-Type: fraud"
    ),
    "the header changed": lambda delivery: signed(report(delivery)).replace(
        b"To: feedback@", b"To: fbl@"
    ),
    "a line that is no field": lambda delivery: b"$ no field\r\n" + signed(report(delivery)),
    "for somebody else": lambda delivery: signed(report(delivery, to="fbl@evil.test")),
    "two senders": lambda delivery: (
        b"From: feedback@arf.mail.yahoo.com\r\n" + signed(report(delivery))
    ),
    "to not signed": lambda delivery: signed(
        report(delivery), names={b"from", b"mime-version", b"content-type"}
    ),
    "type not signed": lambda delivery: signed(
        report(delivery), names={b"from", b"to", b"mime-version"}
    ),
    "another report in a field of a signed one": lambda delivery: hidden_in_one_field(
        b"\r\nDKIM-Signature: v=1\r\n" + report(delivery),
        signed(report(delivery, named=b"Original-Rcpt-To: <i@mx.test>\r\n")),
    ),
    "a form feed in a signed field": lambda delivery: signed(report(delivery)).replace(
        f"To: feedback@{HOST}".encode(), f"To: feedback@{HOST}\f".encode()
    ),
    "another type above the signed one": lambda delivery: with_another_type_above(report(delivery)),
    "with a length": lambda delivery: signed_in_part(report(delivery)) + b"appended by anybody\r\n",
}


@pytest.mark.parametrize("data", FORGED.values(), ids=FORGED)
def test_without_it_it_is_a_claim(data):
    delivery = delivered()
    assert arrives(data(delivery), kind="feedback").startswith("a claim without a proof")
    assert nothing_moved(delivery)


def test_one_that_names_no_recipient_is_left_to_a_person():
    delivery = delivered()
    arrives(signed(report(delivery, named=b"")), kind="feedback")
    assert nothing_moved(delivery)


def test_it_proves_nothing_about_a_bounce():
    delivery = delivered()
    data = signed(report(delivery)).replace(b"feedback-report", b"delivery-status")
    InboundMail.objects.all().delete()
    arrives(data, kind="feedback")
    assert Delivery.objects.get().state == "delivered"


def test_a_name_server_that_fails_is_no_proof(zone):
    zone.clear()
    assert not vouching.is_vouched_for(signed(report(delivered())))


def test_a_report_with_a_token_of_ours_asks_no_name_server(settings):
    settings.EKIDEN_DNS = ["127.0.0.1:1"]
    assert (
        arrives(complained(delivered()), kind="feedback") == "the recipient has complained: abuse"
    )
