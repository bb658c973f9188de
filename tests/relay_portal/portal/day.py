"""A relay in the middle of a day: what the people of its portal find there."""

from datetime import timedelta

from django.utils import timezone

from deliveries.message import compression
from deliveries.models import Attempt, Content, LanePace, Refusal, Tally, TrafficCount
from deliveries.search import indexing
from domains.models import Domain
from domains.senders.keys import make_key
from suppressions.models import Suppression
from tests.deliveries import make

BOUNCE = (
    "Your message could not be delivered.\n\nFinal-Recipient: rfc822; hanako@docomo.example\n"
    "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n"
)
SIGNATURE = (
    b"DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=e2026; h=from; bh=eA==; b=eA==\r\n"
)
ORDER = b"From: shop@shop.example\r\nSubject: order\r\n\r\n" + b"1 x Sencha, 100 g\r\n" * 400
TLS = "TLSv1.3 TLS_AES_256_GCM_SHA384 verified"


def make_day():
    """Make the rows; the one message that waits is for a receiver that a person paused."""
    shop = make.project(name="shop")
    app = make.credential(
        shop, name="orders", last_used_at=timezone.now(), last_used_from="192.0.2.7"
    )
    domain = Domain.objects.create(
        project=shop, name="shop.example", token="t", verified_at=timezone.now()
    )
    make_key(domain, "ed25519")
    _traffic()
    _month(shop, app)
    _arrived(shop, app)
    _bounced(shop, app)
    _waiting(shop, app)
    Refusal.objects.create(
        project=shop,
        credential_id=app.pk,
        recipient="hanako@docomo.example",
        recipient_key="hanako@docomo.example",
        command="RCPT",
        code=550,
        text="5.1.1 The recipient is suppressed",
    )
    indexing.take_turn()
    return shop


def _message(shop, app, subject, **given):
    number = "".join(filter(str.isdigit, subject))
    row = make.message(
        shop,
        credential=app,
        subject=subject,
        message_id=f"<order-{number}@shop.example>",
        header_from="orders@shop.example",
        mail_from="orders@shop.example",
        size=len(SIGNATURE + ORDER),
        client_address="192.0.2.7",
        client_tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
        **given,
    )
    data = SIGNATURE + ORDER
    Content.objects.filter(pk=row.pk).update(data=compression.compress(data, (), size=len(data)))
    return row


def _ended(to, of, state, lane, **said):
    now = timezone.now()
    row = make.delivery(to, of, state=state, ended_at=now, due_at=None, lane=lane)
    Attempt.objects.create(
        delivery=row,
        outcome=state,
        stage="rcpt",
        host=lane.site,
        address="192.0.2.25",
        source="198.51.100.7",
        return_path="rp.shop.example",
        tls=TLS,
        seconds=0.31,
        at=now,
        **said,
    )
    return row


def _arrived(shop, app):
    lane = make.lane("mx.gmail.example", last_success_at=timezone.now())
    make.leads_to(lane, "gmail.example")
    for number, name in enumerate(("taro", "yuki", "sakura")):
        of = _message(shop, app, f"Your order {4708 + number} is on its way")
        _ended(f"{name}@gmail.example", of, "delivered", lane, code=250, text="2.0.0 OK, queued")


def _bounced(shop, app):
    lane = make.lane("mx.docomo.example", last_success_at=timezone.now())
    make.leads_to(lane, "docomo.example")
    of = _message(shop, app, "ご注文の確認 4711")
    said = {"code": 550, "enhanced": "5.1.1", "text": "User unknown", "category": "unknown_user"}
    _ended("hanako@docomo.example", of, "bounced", lane, **said)
    Suppression.objects.create(
        project=shop,
        address_key="hanako@docomo.example",
        source="automatic",
        is_hard=True,
        category="unknown_user",
        reason="Unknown recipient: 550 5.1.1 User unknown",
        evidence={"code": 550, "enhanced": "5.1.1", "text": "User unknown", "stage": "rcpt"},
    )


def _waiting(shop, app):
    lane = make.lane(
        "mx.partner.example",
        closed_at=timezone.now(),
        closed_by="otto",
        close_reason="they move to another provider",
    )
    make.leads_to(lane, "partner.example")
    make.delivery(
        "ken@partner.example", _message(shop, app, "Your order 4712 is confirmed"), lane=lane
    )
    now = timezone.now()
    for minute in range(60):
        LanePace.objects.create(
            lane=lane,
            at=now - timedelta(minutes=minute),
            allowed=20,
            learned=10 + minute % 7,
            sent=360 + 60 * (minute % 5),
            connections=8,
        )


def _month(shop, app):
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for day in range(30):
        amount = 900 + 400 * (day % 7 < 5) - 37 * (day % 4)
        given = {
            "project": shop,
            "credential_id": app.pk,
            "hour": hour - timedelta(days=day),
            "provider": "docomo",
        }
        Tally.objects.create(category="delivered", is_hard=False, amount=amount, **given)
        Tally.objects.create(
            category="mailbox_full", is_hard=False, amount=20 + 9 * (day % 3), **given
        )
        Tally.objects.create(category="unknown_user", is_hard=True, amount=14 + day % 9, **given)


def _traffic():
    """Count an hour of mail, minute by minute."""
    begin = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=59)
    for minute in range(60):
        amount = 220 + 90 * (minute % 9) // 3 - 60 * (minute % 4)
        given = {"at": begin + timedelta(minutes=minute), "step": 1}
        for event, part, bucket in (
            ("accepted", 1.0, -1),
            ("delivered", 0.7, 15),
            ("delivered", 0.24, 18),
            ("deferred", 0.05, -1),
            ("bounced", 0.03, -1),
            ("suppressed", 0.02, -1),
        ):
            for priority, share in ((1, 0.8), (2, 0.2)):
                TrafficCount.objects.create(
                    event=event,
                    bucket=bucket,
                    priority=priority,
                    amount=int(amount * part * share),
                    **given,
                )
