import getpass

import pytest

from domains.models import AuditEntry, Credential, Domain, Project
from domains.operations import audit
from domains.senders.keys import make_key
from suppressions.models import Suppression
from tests.commands import ekiden
from tests.deliveries import make

pytestmark = pytest.mark.django_db


def entries():
    return [
        (entry.actor, entry.action, entry.object_name)
        for entry in AuditEntry.objects.order_by("id")
    ]


def test_a_command_is_written_down_as_its_account():
    ekiden("project", "create", "shop")
    assert entries() == [(f"command line ({getpass.getuser()})", "add", "shop")]


def test_a_change_tells_what_was_before_and_what_is_now():
    project = make.project(content_days=7)
    ekiden("project", "set", project.name, "--content-days", "3")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.details, entry.project) == (
        "change",
        {"changed": {"content_days": [7, 3]}},
        project,
    )


def test_every_command_that_changes_who_may_send_is_written_down():
    ekiden("project", "create", "shop")
    ekiden("domain", "add", "shop.test", "--project", "shop", "--assume-verified")
    ekiden("credential", "create", "--project", "shop", "--name", "app")
    ekiden("credential", "set", "app", "--project", "shop", "--priority", "bulk")
    ekiden("credential", "revoke", "app", "--project", "shop")
    ekiden("suppression", "add", "gone@mx.test", "--reason", "asked")
    ekiden("suppression", "lift", "gone@mx.test", "--reason", "asked")
    assert [(action, name) for _, action, name in entries()] == [
        ("add", "shop"), ("add", "shop.test"), ("add", "shop/app"), ("change", "shop/app"),
        ("revoke", "shop/app"),
        ("add", "gone@mx.test"), ("lift", "gone@mx.test"),
    ]  # fmt: skip
    assert set(
        AuditEntry.objects.exclude(object_type="suppressions.suppression").values_list(
            "project__name", flat=True
        )
    ) == {"shop"}


def test_no_secret_is_ever_written_down():
    printed = ekiden("project", "create", "shop") + ekiden(
        "credential", "create", "--project", "shop", "--name", "app"
    )
    password = printed.partition("secret     ")[2].split()[0]
    domain = Domain.objects.create(project=Project.objects.get(), name="shop.test", token="t")
    row, credential = make_key(domain, "ed25519"), Credential.objects.get()
    for each in (row, credential):
        audit.note_command("change", each, details={"values": audit.facts(each)})
    written = str(list(AuditEntry.objects.values()))
    secrets = (
        password,
        bytes(credential.secret_hash).hex(),
        str(credential.secret_hash),
        bytes(row.private_key).decode()[:40],
    )
    assert "ed25519" in written and not any(secret in written for secret in secrets)


def test_an_entry_outlives_its_project():
    project = make.project()
    audit.note_command("change", project)
    project.delete()
    assert AuditEntry.objects.get().object_name == project.name


def test_the_entries_of_a_row_are_its_own_newest_first():
    first, second = make.project(), make.project()
    for action, project in (("add", first), ("add", second), ("change", first)):
        audit.note_command(action, project)
    assert [entry.action for entry in audit.of(first)] == ["change", "add"]


def test_a_suppression_of_no_project_is_for_operators_alone():
    everywhere = Suppression.objects.create(address_key="gone@mx.test", reason="asked")
    assert audit.note_command("add", everywhere).project is None
