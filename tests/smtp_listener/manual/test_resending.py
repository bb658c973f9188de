"""A message that went to a wrong address goes out again: its form, and what stops it."""

import uuid
from datetime import timedelta
from email import message_from_bytes

import dkim
import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from deliveries.jobs import retention
from deliveries.message import compression
from deliveries.models import Content, Delivery, Message, Resending
from domains.models import AuditEntry, Domain
from domains.senders import keys
from suppressions.models import Suppression
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")

MAIL = (
    b"DKIM-Signature: v=1; a=rsa-sha256; d=shop.test; s=old; h=from; bh=x; b=y\r\n"
    b"DKIM-Signature: v=1; a=rsa-sha256; d=other.test; s=old; h=from; bh=x; b=y\r\n"
    b"From: Shop <shop@shop.test>\r\nTo: hanka@mx.test\r\nMessage-ID: <order-1@shop.test>\r\n"
    b"Date: Thu, 26 Nov 2026 10:00:00 +0900\r\n"
    b"List-Unsubscribe: <https://relay.test/u/token/>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"Subject: Your order\r\n\r\nThank you.\r\n"
)


@pytest.fixture
def app(settings):
    settings.EKIDEN_HOSTNAME = "relay.test"
    settings.EKIDEN_PUBLIC_URL = "https://relay.test"
    project = make.project()
    Domain.objects.create(project=project, name="shop.test", token="x", verified_at=timezone.now())
    return make.credential(project)


@pytest.fixture
def first(app):
    row = make.message(app.project, MAIL, credential=app, message_id="<order-1@shop.test>")
    make.delivery("hanka@mx.test", of=row)
    return row


def resend(first, *words, to="hanako@mx.test"):
    return ekiden_json("resend", str(first.pk), to, "--reason", "ticket 7", *words)


def content(id_):
    return compression.decompress(bytes(Content.objects.get(pk=id_).data), most=100_000)


def test_it_goes_out_as_it_was_below_a_block_of_resent_fields(first):
    made = message_from_bytes(content(resend(first)["message"]))
    names = [name.lower() for name in made]
    assert (made["Resent-From"], made["Resent-To"]) == ("<shop@shop.test>", "<hanako@mx.test>")
    assert made["Resent-Message-ID"].endswith(".resent@relay.test>")
    assert (made["To"], made["Message-ID"]) == ("hanka@mx.test", "<order-1@shop.test>")
    assert names[0] == "received"
    assert names[1:5] == ["resent-date", "resent-from", "resent-to", "resent-message-id"]
    assert made.get_payload() == "Thank you.\r\n"


def test_the_first_recipients_link_and_the_old_signature_of_the_domain_are_gone(first):
    made = message_from_bytes(content(resend(first)["message"]))
    assert made["List-Unsubscribe"] is None
    assert [each.split("d=")[1].split(";")[0] for each in made.get_all("DKIM-Signature")] == [
        "other.test"
    ]


def test_it_is_signed_anew_by_the_domains_key(first, app):
    key, record = signing_key(app)
    data = content(resend(first)["message"])
    mine = data.partition(b"DKIM-Signature: v=1; a=rsa-sha256; d=other.test")
    assert dkim.verify(data, dnsfunc=lambda name, timeout=5: record)
    assert f"s={key.selector};".encode() in mine[0]


def signing_key(app):
    domain = Domain.objects.get(name="shop.test")
    key = keys.make_key(domain)
    type(key).objects.filter(pk=key.pk).update(state="signing", is_active=True, signs_unseen=True)
    return key, key.public_record.encode()


def test_each_of_the_two_leads_to_the_other(first):
    made = resend(first)["message"]
    assert ekiden_json("trace", str(first.pk))["message"]["resent_as"] == [made]
    assert ekiden_json("trace", made)["message"]["resent_from"] == str(first.pk)
    assert f"resent as   {made}" in ekiden("trace", str(first.pk))
    assert Delivery.objects.get(message=made).recipient == "hanako@mx.test"


def test_it_is_the_same_apps_message_and_stands_in_the_audit_log(first, app):
    made = Message.objects.get(pk=resend(first)["message"])
    entry = AuditEntry.objects.get(action="resend")
    assert (made.project_id, made.credential_id) == (app.project_id, app.pk)
    assert (entry.object_id, entry.reason) == (str(first.pk), "ticket 7")
    assert entry.details["to"] == "hanako@mx.test"


def refusal(first, *words, **given):
    with pytest.raises(CommandError) as refused:
        resend(first, *words, **given)
    assert not Resending.objects.exists()
    assert Message.objects.count() == 1
    return str(refused.value)


def test_what_is_kept_no_longer_is_not_sent_and_the_sentence_says_so(first):
    Content.objects.all().delete()
    assert f"keeps it for {first.project.content_days} days" in refusal(first)


def test_a_suppressed_address_is_refused_as_an_app_is(first):
    Suppression.objects.create(
        project=first.project, address_key="hanako@mx.test", source="manual", reason="asked us"
    )
    assert "asked us" in refusal(first)
    assert "asked us" in AuditEntry.objects.order_by("-pk")[0].details["refused"]


def test_the_limits_of_the_credential_count(first, app):
    type(app).objects.filter(pk=app.pk).update(per_minute=1)
    resend(first)
    with pytest.raises(CommandError, match="per minute"):
        resend(first)
    assert Message.objects.count() == 2


def test_a_domain_that_is_not_verified_any_more_sends_nothing(first):
    Domain.objects.update(verified_at=None)
    assert "shop.test" in refusal(first)


def test_a_revoked_credential_is_named_and_another_one_serves(first, app):
    app.revoke(now=timezone.now())
    assert "revoked" in refusal(first)
    other = make.credential(app.project)
    made = resend(first, "--credential", other.name)["message"]
    assert Message.objects.get(pk=made).credential_id == other.pk


def test_a_report_of_ours_goes_to_nobody_else(first):
    Message.objects.update(origin=Message.Origin.REPORT)
    assert "report of ours" in refusal(first)


def test_what_was_never_taken_is_a_mistake():
    with pytest.raises(CommandError, match="No such message"):
        ekiden("resend", str(uuid.uuid4()), "you@mx.test", "--reason", "x")


def test_what_leads_to_a_message_goes_with_it(first):
    resend(first)
    Delivery.objects.update(state="delivered", ended_at=timezone.now(), due_at=None)
    retention.retain(now=timezone.now() + timedelta(days=first.project.log_days + 1))
    assert (Message.objects.count(), Resending.objects.count()) == (0, 0)
