"""The pages of a project's policies and of imports."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from deliveries import jobs
from deliveries.backends.job_queues import MAINTENANCE, queue
from domains.models import AuditEntry
from suppressions.models import Import, Occurrence, Policy, Suppression
from tests.deliveries import make
from tests.relay_portal.portal.test_suppressions import LIST, suppress

pytestmark = pytest.mark.django_db

# --- policies ---
POLICY = "/suppressions/policy/"


VALUES = {
    "preset": "standard", "permanent": 1, "temporary": 3, "unknown": 3, "within_days": 30,
    "is_in_a_row": "on", "full_days": 14,
    "heeds_complaints": "on", "permanent_probation_days": 180, "other_probation_days": 30,
    "lasts_days": "", "on_suppressed": "refuse",
    "alert_rate": "5", "alert_least": 100, "alert_hours": 24,
}  # fmt: skip


def test_a_preset_fills_in_its_values(operator, project):
    operator.post(f"{POLICY}add/", VALUES | {"project": project.pk, "preset": "strict"})
    row = Policy.objects.get()
    assert (row.preset, row.temporary, row.permanent_probation_days) == ("strict", 2, None)


def test_a_changed_value_makes_it_the_projects_own_and_is_on_record(operator, project):
    row = Policy.objects.create(project=project)
    operator.post(f"{POLICY}{row.pk}/change/", VALUES | {"temporary": 9})
    row.refresh_from_db()
    assert (row.preset, row.temporary) == ("custom", 9)
    assert AuditEntry.objects.get(action="change").details["changed"]["temporary"] == [3, 9]


def test_support_staff_reads_the_policy_and_changes_nothing(staff, project):
    row = Policy.objects.create(project=project)
    assert staff.get(f"{POLICY}{row.pk}/change/").status_code == 200
    assert staff.post(f"{POLICY}{row.pk}/change/", VALUES | {"temporary": 9}).status_code == 403
    assert staff.post(f"{POLICY}{row.pk}/dry-run/", VALUES).status_code == 404


def soft(project, key, *days):
    for each in days:
        Occurrence.objects.create(
            project=project, address_key=key, kind="reply", category="recipient_refused",
            is_hard=False,
            at=timezone.now() - timedelta(days=each),
        )  # fmt: skip


def test_a_dry_run_tells_what_an_unsaved_policy_would_have_done(operator, project):
    row = Policy.objects.create(project=project)
    soft(project, "twice@mx.test", 5, 2)
    soft(project, "thrice@mx.test", 5, 3, 2)
    soft(project, "once@mx.test", 2)
    page = operator.post(
        f"{POLICY}{row.pk}/dry-run/", VALUES | {"preset": "custom", "temporary": 2}
    )
    assert page.context["sums"] == (1, 2)
    assert page.context["more"] == [("twice@mx.test", "Refused by the recipient")]
    row.refresh_from_db()
    assert row.temporary == 3


def test_a_dry_run_knows_what_arrived_in_between(operator, project):
    row = Policy.objects.create(project=project)
    soft(project, "you@mx.test", 5, 3, 2)
    arrived = timezone.now() - timedelta(days=4)
    make.delivery(
        "you@mx.test", of=make.message(project), state="delivered", due_at=None, ended_at=arrived
    )
    assert operator.post(f"{POLICY}{row.pk}/dry-run/", VALUES).context["sums"] == (0, 0)


def test_a_dry_run_of_nonsense_says_what_is_wrong(operator, project):
    row = Policy.objects.create(project=project)
    assert operator.post(f"{POLICY}{row.pk}/dry-run/", VALUES | {"within_days": 0}).context[
        "errors"
    ]


# --- files ---
IMPORT = "/suppressions/import/"


def upload(client, content=b"email\r\na@mx.test\r\nnobody\r\n", **given):
    return client.post(
        f"{IMPORT}add/", {"file": SimpleUploadedFile("list.csv", content)} | given, follow=True
    )


def test_a_file_is_looked_at_before_it_is_taken_in(
    operator, valkey, django_capture_on_commit_callbacks
):
    text = upload(operator).text
    assert "1 new, 0 known before, 1 refused" in text
    assert "nobody" in text
    assert not Suppression.objects.exists()
    row = Import.objects.get()
    operator.post(f"{IMPORT}{row.pk}/do/start/")
    assert not queue(MAINTENANCE).get_jobs(), "without a reason nothing happens"
    with django_capture_on_commit_callbacks(execute=True):
        operator.post(f"{IMPORT}{row.pk}/do/start/", {"reason": "we move in"})
    assert AuditEntry.objects.get(action="start").reason == "we move in"
    [job] = queue(MAINTENANCE).get_jobs()
    assert (job.func_name, list(job.args)) == ("suppressions.exchange.importing.run", [row.pk])
    valkey.flushdb()  # what is wanted stands in the row
    jobs.carry_on()
    assert Suppression.objects.get().created_by == "otto"
    assert "2 lines: 1 new" in operator.get(f"{IMPORT}{row.pk}/change/").text


def test_a_file_that_is_no_list_is_refused_at_once(operator):
    assert "no column of addresses" in upload(operator, b"\x89PNG\r\n\x1a\n").text
    assert not Import.objects.exists()


def test_a_file_may_be_thrown_away(operator):
    upload(operator)
    row = Import.objects.get()
    operator.post(f"{IMPORT}{row.pk}/do/drop/")
    row.refresh_from_db()
    assert (row.state, bytes(row.data)) == ("failed", b"")


def test_lines_that_suppress_whole_domains_are_shouted_at(operator):
    assert (
        "1 line suppresses a whole domain"
        in upload(operator, b"email\r\n@mx.test\r\na@mx.test\r\n").text
    )
    assert "whole domain" not in upload(operator).text


def test_support_staff_imports_nothing(staff, operator, project, valkey):
    assert upload(staff, project=project.pk).status_code == 403
    upload(operator, project=project.pk)
    row = Import.objects.get()
    assert staff.get(f"{IMPORT}{row.pk}/change/").status_code == 200
    assert staff.post(f"{IMPORT}{row.pk}/do/start/", {"reason": "why not"}).status_code == 403
    assert not queue(MAINTENANCE).get_jobs()


def test_the_list_is_exported_as_far_as_one_may_see_it(operator, staff, project):
    suppress(project=project)
    suppress("=evil@mx.test")
    whole = b"".join(operator.get(f"{LIST}export/").streaming_content).decode()
    assert "gone@mx.test" in whole and "'=evil@mx.test" in whole
    mine = b"".join(staff.get(f"{LIST}export/").streaming_content).decode()
    assert "g•••e@mx.test" in mine and "gone@" not in mine and "evil" not in mine
    assert set(AuditEntry.objects.values_list("action", "actor")) == {
        ("export", "otto"),
        ("export", "sue"),
    }
