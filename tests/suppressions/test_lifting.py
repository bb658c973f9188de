import pytest

from domains.models import AuditEntry
from suppressions.lifting import lift
from suppressions.models import Occurrence, Suppression
from tests.deliveries import make

pytestmark = pytest.mark.django_db


def test_a_lifted_address_is_on_record_with_all_that_was_known():
    project = make.project()
    row = Suppression.objects.create(
        project=project,
        address_key="gone@mx.test",
        category="unknown_user",
        is_hard=True,
        reason="550 no",
    )
    assert (
        lift(
            [row.pk],
            reason="the customer called",
            actor="support@portal",
            client_address="192.0.2.1",
        )
        == 1
    )
    assert not Suppression.objects.exists()
    entry = AuditEntry.objects.get(action="lift")
    assert (entry.actor, entry.reason, entry.project, entry.object_name) == (
        "support@portal", "the customer called", project, "gone@mx.test",
    )  # fmt: skip
    assert entry.details["values"]["category"] == "unknown_user"


def test_what_was_learned_before_counts_no_more_in_that_scope_only():
    mine, other = make.project(), make.project()
    for project in (mine, other):
        Occurrence.objects.create(
            project=project,
            address_key="gone@mx.test",
            kind="reply",
            category="unknown_user",
            is_hard=True,
        )
    row = Suppression.objects.create(project=mine, address_key="gone@mx.test", reason="550 no")
    lift([row.pk], reason="the customer called", actor="support")
    assert set(Occurrence.objects.filter(is_void=True).values_list("project", flat=True)) == {
        mine.pk
    }


def test_lifting_for_the_installation_voids_what_all_projects_learned():
    Occurrence.objects.create(
        project=make.project(),
        address_key="gone@mx.test",
        kind="reply",
        category="unknown_user",
        is_hard=True,
    )
    row = Suppression.objects.create(address_key="gone@mx.test", reason="550 no")
    lift([row.pk], reason="the customer called", actor="support")
    assert Occurrence.objects.get().is_void
