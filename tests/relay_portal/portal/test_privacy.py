"""Support staff read no address that they have neither searched nor revealed, on any page."""

import re
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from deliveries.models import Attempt, Delivery, InboundMail, Message, Refusal
from domains.foundation.rights import Role
from domains.foundation.text.masking import DOTS
from domains.models import AuditEntry, AuthenticationRefusal, Domain, Project
from domains.operations import audit
from suppressions.models import Suppression
from tests.deliveries import make
from tests.relay_portal.portal import rows
from tests.relay_portal.portal.conftest import person, verified
from tests.relay_portal.portal.test_walk import OPEN, PATHS, detail_paths

pytestmark = pytest.mark.django_db
HANA = "hana.yamada@docomo.ne.jp"
MASKED = f"h{DOTS}a@docomo.ne.jp"
FULL = re.compile(r"[\w.+-]+@[\w.-]+\w")


@pytest.fixture
def own():
    return make.project(name="shop")


@pytest.fixture
def mail(own):
    """Return one address in everything that holds addresses."""
    sent = make.message(own, mail_from="orders@shop.test", subject=f"For {HANA}")
    delivery = make.delivery(HANA, sent)
    Attempt.objects.create(
        delivery=delivery, outcome="bounced", stage="rcpt", host="mx.test", code=550,
        text=f"<{HANA}>: no such user; see mailto:{HANA}?x=1",
    )  # fmt: skip
    blocked = Suppression.objects.create(
        project=own, address_key=HANA, reason=f"{HANA} is gone", evidence={"text": f"550 {HANA}"}
    )
    Suppression.objects.create(address_key=HANA, reason="for all")
    audit.note("otto", "lift", blocked, reason=f"{HANA} called", details={"values": {"a": HANA}})
    Refusal.objects.create(
        project=own, credential_id=1, recipient=HANA, recipient_key=HANA, command="RCPT",
        mail_from="orders@shop.test", code=550, text=f"{HANA} is suppressed",
    )  # fmt: skip
    InboundMail.objects.create(kind="report", delivery_id=delivery.pk, mail_from=HANA, data=b"",
        finding=f"bounced: {HANA}")  # fmt: skip
    return delivery


def pages(own, *, is_whole):
    for model in (Message, Delivery, Suppression, Refusal, InboundMail, AuditEntry):
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        yield reverse(name)
        for row in model.objects.all():
            yield from list(detail_paths(row))[:2]
    for row in rows.of(own).values():
        yield from list(detail_paths(row))[:2]
    yield "/suppressions/suppression/export/"
    yield f"/suppressions/suppression/lift/?ids={Suppression.objects.earliest('pk').pk}"
    if is_whole:
        yield from (path for path, name in PATHS if name not in OPEN)


def shown(answer):
    return (b"".join(answer) if answer.streaming else answer.content).decode("utf-8", "replace")


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR])
def test_no_page_shows_an_address_in_full(role, mail, own):
    """Support staff limited to the project walks every URL; an auditor, who sees all, its rows."""
    is_limited = role == Role.SUPPORT
    client = verified(person("sue", role=role, is_limited=is_limited, projects=[own]))
    saw_mask = 0
    for path in dict.fromkeys(pages(own, is_whole=is_limited)):
        text = unescape(shown(client.get(path, follow=True)))
        assert HANA.split("@")[0] not in text, path
        recipients = {*Delivery.objects.values_list("recipient", flat=True)}
        recipients |= {*Suppression.objects.values_list("address_key", flat=True)}
        assert not recipients & {*FULL.findall(text)}, path
        saw_mask += MASKED in text
    assert saw_mask > 5


def test_posting_shows_none_either(mail, own):
    client = verified(person("sue", operator=False, projects=[own]))
    for path, name in PATHS:
        if name not in OPEN:
            assert HANA not in unescape(shown(client.post(path))), path


@pytest.mark.parametrize("role", [Role.OWNER, Role.OPERATOR, Role.DEVELOPER])
def test_who_works_with_the_mail_reads_the_addresses(role, mail, own):
    client = verified(person("sue", role=role, is_limited=True, projects=[own]))
    assert HANA in client.get("/deliveries/delivery/").text


def test_a_developer_of_the_whole_installation_reads_a_mask_until_a_reason_is_given(mail, own):
    client = verified(person("dev", role=Role.DEVELOPER))
    page, act = (f"/deliveries/message/{mail.message_id}/{end}/" for end in ("change", "do/reveal"))
    assert MASKED in client.get(page).text and HANA not in client.get("/deliveries/delivery/").text
    client.post(act, {"reason": "a ticket"})
    assert HANA in client.get(page).text


def test_only_who_may_read_contents_knows_of_reports_about_single_messages(own):
    report = InboundMail.objects.create(kind="forensic", mail_from="r@mx.test", data=b"")
    page = f"/deliveries/inboundmail/{report.pk}/change/"
    for role in Role.values:
        client = verified(person(role, role=role))
        is_listed = str(report.pk) in client.get("/deliveries/inboundmail/").text
        is_shown = client.get(page).status_code == 200
        assert (is_listed, is_shown) == (role in (Role.OWNER, Role.OPERATOR),) * 2, role


def test_a_receivers_words_on_the_page_of_a_domain_name_no_recipient(own):
    domain = Domain.objects.create(project=own, name="shop.test", token="t")
    AuthenticationRefusal.objects.create(
        domain=domain, day=timezone.now().date(), receiver="docomo", mechanism="spf", amount=1,
        last_at=timezone.now(), example=f"550 5.7.1 <{HANA}>: Recipient address rejected: SPF",
    )  # fmt: skip
    page = f"/domains/domain/{domain.pk}/change/"
    for role in Role.values:
        text = unescape(verified(person(role, role=role)).get(page).text)
        assert "Recipient address rejected" in text
        assert (HANA in text) is (role in (Role.OWNER, Role.OPERATOR)), role
        assert (MASKED in text) is (HANA not in text), role


def test_who_searches_the_exact_address_reads_it_from_then_on(mail, own):
    make.delivery("hana.other@docomo.ne.jp", make.message(own))
    client = verified(person("sue", operator=False, projects=[own]))
    assert HANA not in client.get("/deliveries/delivery/?q=hana.yamada").text
    assert HANA in client.get(f"/deliveries/delivery/?q={HANA}").text
    listed = client.get("/deliveries/delivery/").text
    assert HANA in listed and "hana.other" not in listed
    page = client.get(f"/deliveries/message/?q={HANA}", follow=True)
    assert HANA in page.text
    assert (
        MASKED
        in verified(person("sam", operator=False, projects=[own])).get("/deliveries/delivery/").text
    )


def test_an_address_is_found_however_it_is_written(mail, own):
    client = verified(person("sue", operator=False, projects=[own]))
    client.get("/deliveries/delivery/?q=Hana.Yamada@DoCoMo.ne.jp")
    assert HANA in client.get("/deliveries/delivery/").text


def test_revealing_takes_a_reason_and_is_written_down(mail, own):
    client = verified(person("sue", operator=False, projects=[own]))
    page, act = (f"/deliveries/message/{mail.message_id}/{end}/" for end in ("change", "do/reveal"))
    client.post(act)
    assert MASKED in client.get(page).text and not AuditEntry.objects.filter(action="reveal")
    client.post(act, {"reason": "she called"})
    assert HANA in client.get(page).text
    entry = AuditEntry.objects.get(action="reveal")
    assert (entry.actor, entry.reason, entry.object_id) == (
        "sue",
        "she called",
        str(mail.message_id),
    )


@pytest.mark.parametrize("model", [Suppression, Refusal, InboundMail])
def test_each_kind_of_row_reveals_its_own_address(model, mail, own):
    client = verified(person("sue", operator=False, projects=[own]))
    row = model.objects.earliest("pk")
    change, *_ = detail_paths(row)
    assert HANA not in client.get(change).text
    client.post(change.replace("change/", "do/reveal/"), {"reason": "she called"})
    assert HANA in client.get(change).text


def test_senders_and_ids_stay_readable(mail, own):
    client = verified(person("sue", operator=False, projects=[own]))
    page = client.get(f"/deliveries/message/{mail.message_id}/change/").text
    assert "orders@shop.test" in page and unescape(page).count(mail.message.message_id)


def test_the_session_holds_no_address(mail, own):
    client = verified(person("sue", operator=False, projects=[own]))
    client.get(f"/deliveries/delivery/?q={HANA}")
    assert client.session["portal_known"] and "hana" not in str(dict(client.session.items()))


@pytest.mark.parametrize("operator", [True, False])
def test_no_role_reads_contents_of_a_project_that_shows_none(operator, own):
    sent = make.message(own)
    Project.objects.update(shows_content=False)
    client = verified(person("sue", operator=operator, projects=[own]))
    answer = client.post(f"/deliveries/message/{sent.pk}/do/show_content/")
    assert answer.status_code == (404 if operator else 403)


def test_reading_an_inbound_mail_is_written_down(operator, own):
    inbound = rows.of(own)["deliveries.InboundMail"]
    page = f"/deliveries/inboundmail/{inbound.pk}/"
    assert "Hello" not in operator.get(f"{page}change/").text
    assert operator.post(f"{page}do/show_content/").status_code == 200
    assert AuditEntry.objects.get(action="show_content").object_id == str(inbound.pk)


def test_support_staff_reads_no_body_in_the_sandbox(own):
    row = rows.of(own)["smtp_listener.SandboxMessage"]
    body = make.CONTENT.split(b"\r\n\r\n", 1)[1].strip().decode()
    page = f"/smtp_listener/sandboxmessage/{row.pk}/change/"
    for role, reads in ((Role.SUPPORT, False), (Role.DEVELOPER, True)):
        client = verified(person(role, role=role, is_limited=True, projects=[own]))
        text = client.get(page).text
        assert (body in text) == reads and (reads or "shows no contents" in text)
