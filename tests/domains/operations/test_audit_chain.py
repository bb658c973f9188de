"""The proof of the audit log, against everything that somebody with the database may do to it."""

import hashlib
import json

import pytest
from django.core.management import CommandError
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from deliveries.jobs import retention
from domains.models import AuditEntry, AuditSeal, UnsealedEntry
from domains.operations import audit, audit_chain
from domains.retained import OLD_AUDIT_ENTRIES
from tests.commands import ekiden
from tests.deliveries import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make.project()


@pytest.fixture
def acts(project):
    """Return nine acts under three seals."""
    for number in range(9):
        audit.note("otto", "change", project, reason=f"act {number}", details={"n": [number, "…"]})
        if number % 3 == 2:
            audit_chain.seal()
    return list(AuditEntry.objects.order_by("id"))


def proof(**given):
    return audit_chain.verify(audit_chain.of_database(), **given)


def tamper(sql, *values):
    """Change rows as the owner of the database can: past its triggers."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, values)
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_what_was_done_is_sealed_once_and_in_turn(acts):
    audit_chain.seal()  # nothing is left
    assert [seal.entry_ids for seal in AuditSeal.objects.all()] == [
        [entry.pk for entry in acts[start : start + 3]] for start in (0, 3, 6)
    ]
    assert not UnsealedEntry.objects.exists()
    assert (proof().seals, proof().entries, proof().fault) == (3, 9, "")


def test_many_at_once_fill_several_seals(project, monkeypatch):
    monkeypatch.setattr(audit_chain, "MOST", 4)
    AuditEntry.objects.bulk_create(audit.entry("otto", "lift", project) for _ in range(10))
    assert audit_chain.seal() == 10
    assert [len(seal.entry_ids) for seal in AuditSeal.objects.all()] == [4, 4, 2]
    assert proof().fault == ""


@pytest.mark.parametrize(
    ("sql", "value", "place"),
    [
        ("UPDATE domains_auditentry SET reason = 'nothing' WHERE id = %s", 4, "Seal 2"),
        ("UPDATE domains_auditentry SET details = '{}' WHERE id = %s", 4, "Seal 2"),
        ("DELETE FROM domains_auditentry WHERE id = %s", 4, "Entry"),
        ("UPDATE domains_auditseal SET sealed_at = now() WHERE %s = ANY(entry_ids)", 4, "Seal 2"),
        ("DELETE FROM domains_auditseal WHERE %s = ANY(entry_ids)", 4, "Seal 2 is missing"),
    ],
)
def test_every_change_is_found(acts, sql, value, place):
    tamper(sql, acts[value].pk)
    found = proof()
    assert found.fault.startswith(place)
    assert found.seals == 1


def test_a_chain_made_anew_is_found_by_what_was_kept_elsewhere(acts):
    kept = proof().last
    tamper("UPDATE domains_auditentry SET actor = 'anna' WHERE id = %s", acts[0].pk)
    tamper("DELETE FROM domains_auditseal")
    tamper("INSERT INTO domains_unsealedentry SELECT id FROM domains_auditentry")
    audit_chain.seal()
    assert proof().fault == ""
    assert proof(anchor=f"1:{kept.partition(':')[2]}").fault.startswith("Seal 1 has another digest")
    assert "seal 3 is missing" in proof(anchor=kept).fault


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE domains_auditentry SET reason = ''",
        "DELETE FROM domains_auditentry",
        "TRUNCATE domains_auditentry",
        "UPDATE domains_auditseal SET number = number + 1",
        "DELETE FROM domains_auditseal",
        "TRUNCATE domains_auditseal",
    ],
)
def test_postgresql_refuses_to_change_it(acts, sql):
    connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")  # else these stop a TRUNCATE
    with pytest.raises(DatabaseError, match="kept as it was written"), transaction.atomic():
        connection.cursor().execute(sql)
    assert proof().fault == ""


def test_a_project_that_goes_leaves_the_proof(acts, project):
    project.delete()
    assert set(AuditEntry.objects.values_list("project", flat=True)) == {None}
    assert proof().fault == ""


def test_an_entry_that_becomes_visible_late_is_under_a_later_seal(acts):
    """Its id is smaller than those that are sealed: ids are given before transactions end."""
    late = acts[0].pk - 1
    tamper("DELETE FROM domains_auditseal")
    audit_chain.seal()
    entry = audit.entry("otto", "pause", acts[0].project)
    entry.pk = late
    entry.save(force_insert=True)
    assert audit_chain.seal() == 1
    assert AuditSeal.objects.last().entry_ids == [late]


@pytest.mark.django_db(transaction=True)
def test_retention_removes_entries_and_the_chain_stays(acts):
    with connection.cursor() as cursor:
        cursor.execute(OLD_AUDIT_ENTRIES, {"before": timezone.now(), "most": 5})
        assert cursor.rowcount == 5
    assert proof().fault.startswith("Entry")  # where nothing is said of a retention
    found = proof(before=timezone.now())
    assert (found.fault, found.entries, found.expired) == ("", 4, 5)
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.all().delete()  # the leave was that statement's alone


def test_nothing_is_removed_by_default(acts, settings):
    assert settings.EKIDEN_AUDIT_DAYS == 0
    retention.retain(now=timezone.now() + timezone.timedelta(days=36500))
    assert AuditEntry.objects.count() == len(acts)


def test_the_command_proves_and_says_what_to_keep(acts):
    printed = ekiden("audit", "verify")
    assert "9 entries under 3 seals" in printed
    assert f"--anchor {proof().last}" in printed
    assert json.loads(ekiden("audit", "verify", "--anchor", proof().last, "--json")) == {
        "intact": True, "seals": 3, "entries": 9, "expired": 0, "seals_with_erasures": 0,
        "last_seal": proof().last,
        "fault": None,
    }  # fmt: skip
    tamper("UPDATE domains_auditentry SET actor = 'anna' WHERE id = %s", acts[8].pk)
    with pytest.raises(CommandError, match=r"Seal 3 covers .* 2 seals before it") as raised:
        ekiden("audit", "verify")
    assert raised.value.returncode == 3


def test_an_export_is_proven_without_the_database(acts, tmp_path):
    file = tmp_path / "audit.jsonl"
    ekiden("audit", "export", "--file", str(file))
    assert "9 entries under 3 seals" in ekiden("audit", "verify", "--file", str(file))
    by_hand = by_the_documented_rule(file.read_text())
    assert by_hand == proof().last
    changed = file.read_text().replace("act 4", "act 5")
    file.write_text(changed)
    with pytest.raises(CommandError, match="Seal 2"):
        ekiden("audit", "verify", "--file", str(file))
    with pytest.raises(CommandError, match="exists"):
        ekiden("audit", "export", "--file", str(file))
    file.write_text("hello\n")
    with pytest.raises(CommandError, match="Line 1"):
        ekiden("audit", "verify", "--file", str(file))


def by_the_documented_rule(text):
    """Follow docs/commands.md as somebody would who has never seen the code."""

    def sha(*lines):
        return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()

    digest, number, lines = "0" * 64, 0, text.splitlines()
    for at, raw in enumerate(lines):
        head = json.loads(raw)
        if "seal" in head:
            entries = lines[at + 1 : at + 1 + len(head["entry_ids"])]
            number = head["seal"]
            digest = sha(digest, number, head["sealed_at"], sha(*entries))
    return f"{number}:{digest}"
