"""Intake with real PostgreSQL and Valkey: what is committed, signed, repeated and refused."""

import asyncio
from contextlib import asynccontextmanager

import dkim as oracle
import pytest
from django.conf import settings
from django.utils import timezone

from deliveries.backends.database import Database
from deliveries.intake.committer import Intake
from deliveries.intake.submission import (
    Arrival,
    Envelope,
    MemoryBody,
    Recipient,
    SubmittedMessage,
    SubmittingAccount,
)
from deliveries.message import compression
from deliveries.message.headers import parse
from deliveries.message.signing import SigningKeys
from deliveries.models import Content, Delivery, Lane, Message
from deliveries.queue.wakeups import WakeUps
from domains.foundation.secrets.keyring import KeyRing
from domains.models import Domain, SigningKey
from domains.senders import dkim
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")

ARRIVAL = Arrival("192.0.2.7", "app.test", "ESMTPSA", "TLSv1.3 TLS_AES_256_GCM_SHA384")
HEADERS = (
    b"From: Shop <shop@shop.test>\r\nTo: you@mx.test\r\nBcc: him@mx.test\r\nSubject: hi\r\n"
    b"Message-ID: <1@shop.test>\r\n"
)


def to(*addresses):
    return tuple(Recipient(address, address, address.rpartition("@")[2]) for address in addresses)


def submission(
    credential, *, headers=HEADERS, body=b"hello\r\n", recipients=("you@mx.test",), **given
):
    sender = SubmittingAccount(credential.project_id, credential.pk, **given.pop("sender", {}))
    envelope = Envelope("shop@shop.test", to(*recipients))
    facts = {"header_from": "shop@shop.test", "from_domain": "shop.test", "eight_bit": False}
    return SubmittedMessage(
        sender, envelope, ARRIVAL, parse(headers), MemoryBody(body), **facts | given
    )


@asynccontextmanager
async def running(database=None):
    calm, urgent = database or Database("test"), Database("test urgent")
    intake = Intake(calm, urgent, SigningKeys(Database("test keys")), WakeUps())
    await intake.start()
    try:
        yield intake
    finally:
        await intake.close()


def accept(*submissions, database=None):
    """Hand them in at once; the receipts or errors, in order."""

    async def main():
        async with running(database) as intake:
            return await asyncio.gather(*map(intake.accept, submissions), return_exceptions=True)

    return asyncio.run(main())


@pytest.fixture
def key(credential):
    """Make an active RSA key of shop.test; return its TXT value."""
    domain = Domain.objects.create(
        project=credential.project, name="shop.test", token="x", verified_at=timezone.now()
    )
    return sign_with(domain, "rsa")


def sign_with(domain, algorithm):
    private = dkim.generate(algorithm)
    ring = KeyRing.open(settings.EKIDEN_DATA / "keys" / "ring")
    encrypted = ring.encrypt(dkim.private_bytes(private))
    key = SigningKey(domain=domain, selector=algorithm, algorithm=algorithm, private_key=encrypted)
    key.sign(now=timezone.now(), unseen=True)
    return dkim.txt_value(private)


def stored(message_id=None):
    content = Content.objects.get(pk=message_id) if message_id else Content.objects.get()
    return compression.decompress(bytes(content.data), most=1_000_000)


def test_an_accepted_message_is_committed_with_its_deliveries(credential):
    [receipt] = accept(submission(credential, recipients=("you@mx.test", "her@other.test")))
    message = Message.objects.get(pk=receipt.queue_id)
    assert (message.mail_from, message.recipient_count, message.client_address) == (
        "shop@shop.test",
        2,
        "192.0.2.7",
    )
    assert message.size == len(stored())
    deliveries = Delivery.objects.filter(message=message)
    assert {(d.recipient, d.state, d.lane_id, d.flow) for d in deliveries} == {
        ("you@mx.test", "queued", Lane.ROUTING, credential.pk),
        ("her@other.test", "queued", Lane.ROUTING, credential.pk),
    }


def test_a_delivery_has_the_time_that_its_project_gives(credential):
    accept(submission(credential, sender={"lifetime": 90}))
    delivery = Delivery.objects.select_related("message").get()
    assert (delivery.expires_at - delivery.message.accepted_at).total_seconds() == 90


def test_a_known_domain_goes_straight_to_its_lane(credential):
    lane = make.lane()
    make.leads_to(lane, "mx.test")
    accept(submission(credential))
    assert Delivery.objects.get().lane_id == lane.pk


def test_the_body_and_the_other_headers_are_kept_to_the_byte(credential):
    headers = (
        b"X-Odd:  two  spaces \r\nFrom: shop@shop.test\r\nSubject: =?utf-8?B?44GC?=\r\n\tfolded\r\n"
    )
    accept(submission(credential, headers=headers, body=b".\r\n..\r\n \t \r\n\r\n\r\n"))
    received, _, rest = stored().partition(b"X-Odd:")
    assert received.startswith(b"Received: from app.test ([192.0.2.7])\r\n\tby ")
    assert rest.startswith(headers[len(b"X-Odd:") :])
    assert rest.endswith(b"\r\n\r\n.\r\n..\r\n \t \r\n\r\n\r\n")


def test_bcc_and_our_control_headers_are_removed(credential):
    headers = (
        HEADERS + b"Resent-Bcc: x@y.test\r\nX-Ekiden-Priority: urgent\r\nX-Idempotency-Key: 7\r\n"
    )
    accept(submission(credential, headers=headers))
    assert not any(name in stored().lower() for name in (b"bcc:", b"x-ekiden", b"x-idempotency"))


def test_message_id_and_date_are_added_only_where_missing(credential):
    accept(submission(credential, headers=b"From: shop@shop.test\r\n"))
    assert (stored().count(b"Message-ID: <"), stored().count(b"Date: ")) == (1, 1)
    Content.objects.all().delete()
    accept(submission(credential, headers=HEADERS + b"Date: Tue, 24 Nov 2026 00:00:00 +0000\r\n"))
    assert (stored().count(b"Message-ID: <"), stored().count(b"Date: ")) == (1, 1)


def test_a_project_may_hide_the_clients_address(credential):
    accept(submission(credential, sender={"hides_client_address": True}))
    assert b"192.0.2.7" not in stored()
    assert stored().startswith(b"Received: by ")


def test_a_strange_helo_cannot_add_a_header(credential):
    odd = submission(credential)
    odd = SubmittedMessage(
        odd.sender,
        odd.envelope,
        Arrival("192.0.2.7", "a\r\nX: y(", "ESMTP"),
        odd.headers,
        odd.body,
        "",
        "shop.test",
        False,
    )
    accept(odd)
    assert stored().startswith(b"Received: from a-X:-y ([192.0.2.7])")


def test_dkimpy_verifies_what_is_stored(credential, key):
    accept(submission(credential, body=b"hello\r\n\r\n\r\n"))
    assert oracle.verify(stored(), dnsfunc=lambda name, timeout=5: key.encode())


def test_a_domain_with_two_keys_signs_with_both(credential, key):
    txt = {b"rsa._domainkey.shop.test.": key}
    txt[b"ed25519._domainkey.shop.test."] = sign_with(Domain.objects.get(), "ed25519")
    accept(submission(credential))
    for index in (0, 1):
        checker = oracle.DKIM(stored())
        assert checker.verify(idx=index, dnsfunc=lambda name, timeout=5: txt[name].encode())
    assert stored().count(b"DKIM-Signature:") == 2


def test_another_projects_key_does_not_sign(credential, key):
    accept(submission(make.credential()))
    assert b"DKIM-Signature" not in stored()


def test_the_same_submission_again_is_one_message(credential):
    first, again = [accept(submission(credential))[0] for _ in range(2)]
    assert (again.queue_id, first.is_repeat, again.is_repeat) == (first.queue_id, False, True)
    assert (Message.objects.count(), Delivery.objects.count()) == (1, 1)


def test_the_same_submission_twice_at_once_is_one_message(credential):
    receipts = accept(*[submission(credential) for _ in range(5)])
    assert len({receipt.queue_id for receipt in receipts}) == 1
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"recipients": ("her@mx.test",)},
        {"body": b"other\r\n"},
        {"headers": HEADERS.replace(b"<1@", b"<2@")},
    ],
)
def test_another_recipient_body_or_message_id_is_another_message(credential, change):
    accept(submission(credential), submission(credential, **change))
    assert Message.objects.count() == 2


OTHER_FIELDS = [
    (b"Subject: hi", b"Subject: your code is 222"), (b"Subject: hi", (b"Subject: hi\r\nDate: "
        b"Thu, 26 Nov 2026 09:00:00 +0900")),
    (b"Subject: hi", b"Subject: hi\r\nContent-Type: text/html"), (b"Subject: hi", (b"Subject: "
        b"hi\r\nList-Unsubscribe: <https://shop.test/2>")),
    (b"To: you", b"To: her"), (b"Subject: hi", b"Subject: hi\r\nIn-Reply-To: <2@shop.test>"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "other"), OTHER_FIELDS)
def test_one_message_id_for_what_readers_tell_apart_is_two_messages(credential, field, other):
    accept(submission(credential), submission(credential, headers=HEADERS.replace(field, other)))
    assert Message.objects.count() == 2


def test_what_no_reader_sees_makes_no_other_message(credential):
    accept(
        submission(credential),
        submission(credential, headers=b"Received: from a by b\r\nX-Try: 2\r\n" + HEADERS),
    )
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("states", "is_repeat"),
    [
        (["bounced"], False), (["expired", "cancelled"], False), (["suppressed"], False),
        (["delivered"], True), (["deferred"], True),
        (["bounced", "delivered"], True), (["bounced", "queued"], True),
    ],
)  # fmt: skip
def test_of_which_nothing_was_delivered_the_same_again_is_a_new_message(
    credential, states, is_repeat
):
    given = {"recipients": [f"{number}@mx.test" for number in range(len(states))]}
    [first] = accept(submission(credential, **given))
    for delivery, state in zip(Delivery.objects.order_by("recipient"), states, strict=True):
        ended = None if state in ("queued", "deferred") else timezone.now()
        Delivery.objects.filter(pk=delivery.pk).update(
            state=state, ended_at=ended, **({"due_at": None} if ended else {})
        )
    [again] = accept(submission(credential, **given))
    assert again.is_repeat == is_repeat and (again.queue_id == first.queue_id) == is_repeat
    [third] = accept(submission(credential, **given))
    assert third.is_repeat and third.queue_id == again.queue_id


def test_another_credential_is_another_message(credential):
    accept(submission(credential), submission(make.credential(credential.project)))
    assert Message.objects.count() == 2


def test_a_message_without_a_message_id_is_never_a_repeat(credential):
    given = {"headers": b"From: shop@shop.test\r\n"}
    accept(submission(credential, **given), submission(credential, **given))
    assert Message.objects.count() == 2


def test_the_clients_own_key_makes_it_the_same_message_whatever_else_changed(credential):
    accept(
        submission(credential, idempotency_key="order-7"),
        submission(
            credential,
            idempotency_key="order-7",
            body=b"other\r\n",
            headers=b"From: shop@shop.test\r\n",
        ),
    )
    assert Message.objects.count() == 1


def test_after_the_window_the_same_is_a_new_message(credential):
    given = {"sender": {"idempotency_window": 0}}
    assert [accept(submission(credential, **given))[0].is_repeat for _ in range(2)] == [
        False,
        False,
    ]
    assert Message.objects.count() == 2
