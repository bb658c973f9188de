"""`erase` leaves an address nowhere: every text column of every table is looked at afterwards."""

import base64
import json

import pytest
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from deliveries.message import compression
from deliveries.models import (
    Attempt,
    Content,
    Delivery,
    InboundMail,
    Message,
    MessageTerms,
    Refusal,
)
from deliveries.models.searches import ExportPart, MessageExport
from deliveries.models.states import DeliveryState
from deliveries.queue import unwritten_outcomes
from deliveries.queue.ledger_entries import LedgerEntry
from deliveries.search import indexing
from domains.models import AuditEntry, SetAside
from domains.operations import audit, audit_chain
from relay_portal.erasure.columns import text_columns
from smtp_listener.models import SandboxMessage
from suppressions.exchange import importing
from suppressions.models import Import, Occurrence, Suppression
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")
HANA, OTHER = "hana.ko@docomo.test", "x-hana.ko@docomo.test"


def dump():
    """Return everything that PostgreSQL holds, as text; what is packed, unpacked."""
    parts = []
    with connection.cursor() as cursor:
        tables = {each.table for each in text_columns()}
        for table in tables:
            cursor.execute(f"SELECT coalesce(json_agg(t)::text, '') FROM \"{table}\" t")
            parts.append(cursor.fetchone()[0])
    for model in (Content, InboundMail):
        for row in model.objects.all():
            data = compression.decompress(bytes(row.data), most=10**6) if row.data else b""
            parts.append(data.decode())
    parts += [bytes(row.data).decode() for row in SandboxMessage.objects.all()]
    return "\n".join(parts).lower()


def mail_about(address, *, coded=False):
    body = f"Dear {address}, thank you."
    head = f"To: {address}\r\nSubject: Order\r\n"
    if coded:
        encoded = base64.encodebytes(body.encode()).decode()
        return f"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}".encode()
    return f"{head}\r\n{body}\r\n".encode()


@pytest.fixture
def person():
    """Return the address in everything that there is, and a neighbour whose address ends with
    it.
    """
    project = make.project(name="shop")
    for address in (HANA, OTHER):
        sent = make.message(
            project, content=mail_about(address), subject=f"For {address}", mail_from=address,
            header_from=f"Hana <{address.upper()}>",
        )  # fmt: skip
        delivery = make.delivery(
            address, sent, ended_at=timezone.now(), state="bounced", due_at=None
        )
        Attempt.objects.create(
            delivery=delivery, outcome="bounced", stage="rcpt", host="mx.test", code=550,
            text=f"<{address}>: gone",
        )  # fmt: skip
        blocked = Suppression.objects.create(
            project=project,
            address_key=address,
            reason="left",
            evidence={"text": f"a\n{address} b"},
        )
        Occurrence.objects.create(
            at=timezone.now(), handled_at=timezone.now(), project=project, address_key=address,
            kind="reply", category="unknown_user", is_hard=True, text=f"{address} unknown",
        )  # fmt: skip
        Refusal.objects.create(
            project=project, credential_id=1, recipient=address, recipient_key=address,
            command="RCPT", code=550, text="x",
        )  # fmt: skip
        packed = compression.compress(mail_about(address), (), size=len(mail_about(address)))
        InboundMail.objects.create(
            kind="report", delivery_id=delivery.pk, data=packed, mail_from=address,
            finding=f"bounced: {address}", handled_at=timezone.now(),
        )  # fmt: skip
        SandboxMessage.objects.create(
            recipient=address, mail_from="a@shop.test", data=mail_about(address, coded=True)
        )
        SetAside.objects.create(kind="inbound", key=address, traceback=f"ValueError: '{address}'")
        audit.note("otto", "lift", blocked, reason=f"{address} called", details={"a": [address]})
    audit_chain.seal()
    indexing.take_turn()
    return project


def test_the_address_is_in_no_column_afterwards_and_its_neighbour_is(person):
    assert dump().count(HANA) > dump().count(OTHER) > 10
    shown = ekiden_json("erase", HANA.title(), "--reason", "her wish")
    left = dump()
    assert left.count(HANA) == left.count(OTHER) > 10 and shown["complete"]
    found = {(each["table"], each["column"]): each for each in shown["found"]}
    assert {("deliveries_delivery", "recipient_key"), ("deliveries_messageterms", "terms"),
        ("deliveries_content", "data"), ("domains_auditentry", "details")} <= {*found}  # fmt: skip
    assert all(each["before"] and each["after"] == 0 for each in found.values())


def test_counts_states_and_the_neighbours_rows_stay(person):
    before = Delivery.objects.values_list("state", "project").count()
    ekiden("erase", HANA)
    assert Delivery.objects.count() == before and Message.objects.count() == before
    assert [each.address_key for each in Suppression.objects.all()] == [OTHER]
    assert Content.objects.count() == InboundMail.objects.count() == 1
    recipients = {*Delivery.objects.values_list("recipient", flat=True)} - {OTHER}
    assert len(recipients) == 1 and recipients.pop().endswith("@erased.invalid")


def test_the_chain_of_the_audit_log_still_proves_itself(person, tmp_path):
    kept = audit_chain.verify(audit_chain.of_database()).last
    ekiden("erase", HANA, "--reason", "her wish")
    said = ekiden("audit", "verify", "--anchor", kept)
    assert "as it was written" in said and "a person was made unknown" in said
    ekiden("audit", "export", "--file", str(tmp_path / "log"))
    text = (tmp_path / "log").read_text()
    assert HANA not in text.replace(OTHER, "")
    assert "as it was written" in ekiden("audit", "verify", "--file", str(tmp_path / "log"))
    entry = AuditEntry.objects.get(action="erase")
    assert entry.reason == "her wish" and HANA not in json.dumps(entry.details)


def test_a_change_that_no_erasure_vouches_for_is_still_found(person):
    ekiden("erase", HANA)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE domains_auditentry SET reason = 'x' WHERE action = 'lift'")
        cursor.execute("SET session_replication_role = origin")
    with pytest.raises(CommandError, match="Seal 1 covers other entries"):
        ekiden("audit", "verify")


def test_a_dry_run_counts_and_changes_nothing(person):
    before = dump()
    shown = ekiden_json("erase", HANA, "--dry-run")
    assert dump() == before and not shown["complete"] and shown["dry_run"]
    assert {each["after"] for each in shown["found"]} == {None}
    assert "deliveries_delivery" in ekiden("erase", HANA, "--dry-run")


def test_the_index_finds_the_message_by_its_other_words_and_not_by_the_person(person):
    ekiden("erase", HANA)
    terms = [set(each.terms) for each in MessageTerms.objects.all()]
    assert len(terms) == 2 and sum("for" in each for each in terms) == 2
    assert sum("ko" in each or "from:" + HANA in each for each in terms) == 1


def test_waiting_mail_is_cancelled_and_a_content_that_others_wait_for_is_told(person):
    sent = make.message(person, content=mail_about(HANA))
    for address in (HANA, "sam@docomo.test"):
        make.delivery(address, sent)
    with pytest.raises(CommandError, match=r"deliveries_content\.data: other recipients wait"):
        ekiden("erase", HANA)
    assert [*Delivery.objects.filter(message=sent).order_by("id").values_list("state", flat=True)] \
        == ["cancelled", "queued"]  # fmt: skip
    Delivery.objects.filter(message=sent).update(ended_at=timezone.now(), due_at=None,
        state="delivered")  # fmt: skip
    assert ekiden_json("erase", HANA)["complete"]
    assert not Content.objects.filter(pk=sent.pk).exists()


def test_a_file_of_suppressions_that_waits_goes_as_a_whole(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(f"address\n{HANA}\n")
    row = Import(name="list.csv", created_by="otto")
    with path.open("rb") as file:
        importing.keep(row, file)
    row.save()
    assert ekiden_json("erase", HANA)["complete"] and not Import.objects.exists()


def test_an_export_that_names_the_person_goes_with_all_its_parts():
    for address in (HANA, OTHER):
        export = MessageExport.objects.create(created_by="otto", state="done")
        for number, text in enumerate(("recipient", address)):
            data = compression.compress(text.encode(), (), size=len(text))
            ExportPart.objects.create(export=export, number=number, data=data)
    assert ekiden_json("erase", HANA)["complete"]
    assert MessageExport.objects.get() == export and ExportPart.objects.count() == 2


@pytest.fixture
def data(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    for name in ("log", "outcomes"):
        (tmp_path / name).mkdir()
    return tmp_path


def left_by_a_worker(data, address):
    """Write a file of an outcome that PostgreSQL has not taken."""
    delivery = make.delivery(address)
    entry = LedgerEntry(
        id=delivery.pk, message_id=delivery.message_id, recipient=address, claim=3,
        state=DeliveryState.BOUNCED, outcome="bounced", stage="rcpt", at=timezone.now(), code=550,
        text=f'<{address.upper()}>: "{address}" is gone',
    )  # fmt: skip
    return unwritten_outcomes.save(data / "outcomes", [entry])


def test_an_outcome_that_waits_in_a_file_is_kept_and_names_nobody(person, data):
    path = left_by_a_worker(data, HANA)
    broken = left_by_a_worker(data, HANA)
    broken = broken.rename(broken.with_suffix(".broken"))
    shown = ekiden_json("erase", HANA)
    assert {"table": "files", "column": "outcomes", "before": 6, "after": 0} in shown["found"]
    assert HANA not in (path.read_text() + broken.read_text()).lower()
    with unwritten_outcomes.taken(path) as [entry]:
        assert (entry.outcome, entry.recipient) == ("bounced", "*" * len(HANA))


def test_logs_name_the_person_no_more_and_go_on(person, data):
    path = data / "log" / "listener-0.log"
    with path.open("a") as log:
        log.write(f'event=refused to=<{HANA}> \\n{HANA} {OTHER}\n{{"to": "{HANA.upper()}"}}\n')
        log.flush()
        assert ekiden_json("erase", HANA)["complete"]
        log.write("event=next\n")
    left = path.read_text()
    stars = "*" * len(HANA)
    assert left == (
        f'event=refused to=<{stars}> \\n{stars} {OTHER}\n{{"to": "{stars}"}}\nevent=next\n'
    )


def test_an_address_beyond_ascii_is_found_in_json_and_in_plain_logs(data):
    path = data / "log" / "worker-0.log"
    path.write_text(f"花@docomo.test {json.dumps('花@docomo.test')} x花@docomo.test\n")
    assert ekiden_json("erase", "花@docomo.test")["complete"]
    assert path.read_text().count("docomo") == 1


def test_a_file_that_this_account_may_not_read_is_named(data):
    (data / "log" / "loop.log").symlink_to("/proc/self/mem")
    with pytest.raises(CommandError, match=r"cannot be read or written.*Run the same again as"):
        ekiden("erase", HANA)


def test_what_is_no_address_is_refused_and_nobody_is_everybody():
    with pytest.raises(CommandError):
        ekiden("erase", "docomo.test")
    assert ekiden_json("erase", "nobody@docomo.test") | {"instead": ""} == {
        "dry_run": False,
        "instead": "",
        "found": [],
        "cancelled": 0,
        "audit_entries": 0,
        "audit_log_intact": True,
        "complete": True,
        "not_reached": ekiden_json("erase", "nobody@docomo.test", "--dry-run")["not_reached"],
    }
