"""Mail of port 25 as it is handled with its deliveries at hand: what proves nothing moves
nothing.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from deliveries.bounces import feedback_id, receive
from deliveries.bounces.keys import feedback_key
from deliveries.classification import loaded_rules
from deliveries.message import compression
from deliveries.message.ids import new_id
from deliveries.models import Delivery, InboundMail, Tally
from domains.foundation.text import texts
from suppressions.models import Occurrence
from tests.deliveries import make
from tests.deliveries.bounces.test_consequences import BOUNCE, COMPLAINT
from tests.fuzz import returned
from tests.fuzz.checks import Log
from tests.fuzz.targets import Ready

# The first byte of an input: at which address it came. At a return path the delivery is proven.
KINDS = ["report", "feedback", "postmaster", "abuse"]
MESSAGE_ID, RECIPIENT = "<a@shop.test>", "you@mx.test"


def ready() -> Ready:
    settings.EKIDEN_DNS = ["127.0.0.1:1"]  # nobody answers, so nobody is vouched for
    log = Log().install()
    loaded_rules.load()
    message = make.message(message_id=MESSAGE_ID, recipient_count=2)
    proven, other = (
        make.delivery(to, of=message, state="delivered", ended_at=timezone.now(), due_at=None).pk
        for to in (RECIPIENT, "other@mx.test")
    )

    def one(data: bytes) -> None:
        kind = KINDS[(data[0] if data else 0) % len(KINDS)]
        with transaction.atomic():
            _handle(data[1:], kind, proven, message.project_id)
            transaction.set_rollback(True)
        log.check()

    assert other
    return Ready(one, seeds(proven))


def _handle(data: bytes, kind: str, proven: UUID, project: int) -> None:
    is_proven = kind == "report"
    stored = compression.compress(data, (), size=len(data))
    given = {
        "kind": kind,
        "delivery_id": proven if is_proven else None,
        "mail_from": "",
        "client_address": "192.0.2.7",
    }
    mail = InboundMail.objects.create(
        id=new_id(), received_at=timezone.now(), data=stored, finding="", **given
    )
    receive.handle(mail.pk)
    mail.refresh_from_db()
    assert mail.handled_at and len(mail.finding) <= 500 and not texts.has_control(mail.finding)
    moved = set(Delivery.objects.exclude(state="delivered").values_list("pk", flat=True))
    assert moved <= ({proven} if is_proven else set()), "a delivery moved without a proof about it"
    learned = set(Occurrence.objects.filter(project=project).values_list("address_key", flat=True))
    assert learned <= ({RECIPIENT} if is_proven else set()), "something was learned without a proof"
    assert is_proven or not Tally.objects.filter(project_id=project).exists(), (
        "a stranger has changed the numbers"
    )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as the commit would


def seeds(proven: UUID) -> list[bytes]:
    """Return seeds without a token of ours: the fuzzer must not find by chance what proves
    something.
    """
    forged = (
        b"X-Feedback-Token: "
        + feedback_id.field(proven, key=b"f" * 32, now=timezone.now()).partition(b": ")[2]
    )
    assert forged != feedback_id.field(proven, key=feedback_key(), now=timezone.now())
    about = b"Message-ID: %s\r\n" % MESSAGE_ID.encode() + forged
    named = b"Original-Rcpt-To: <%s>\r\n" % RECIPIENT.encode()
    made = [
        BOUNCE % (RECIPIENT.encode(), about),
        COMPLAINT % (b"abuse", named, about),
        b"Subject: unsubscribe\r\n\r\n",
        b"",
    ]
    hidden = (
        b"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\n"
        b"Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"TWVzc2FnZS1JRDogPGEAYkBjPg0K\r\n--x--\r\n"
    )
    mails = [*made, hidden, *returned.seeds()[::3]]
    return [
        bytes([kind]) + mail
        for number, mail in enumerate(mails)
        for kind in (range(4) if number < 5 else [number % 4])
    ]
