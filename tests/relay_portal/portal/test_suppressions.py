"""The pages about suppressions and policies, as operators and support staff use them."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from deliveries import jobs
from deliveries.backends.job_queues import MAINTENANCE, queue
from domains.models import AuditEntry
from suppressions.models import Import, Occurrence, Policy, Suppression
from tests.deliveries import make
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.django_db
LIST, LIFT = "/suppressions/suppression/", "/suppressions/suppression/lift/"


def suppress(key="gone@mx.test", **given):
    defaults = {
        "reason": "550 5.1.1 no such user",
        "category": "unknown_user",
        "is_hard": True,
        "source": "automatic",
    }
    return Suppression.objects.create(**{"address_key": key} | defaults | given)


def page_of(row):
    return f"{LIST}{row.pk}/change/"


@pytest.fixture
def project():
    return make.project(name="shop")


@pytest.fixture
def staff(project):
    return verified(person("sue", operator=False, projects=[project]))


# --- looking ---
def test_one_says_why_in_words_with_evidence_and_history(operator, project):
    evidence = {
        "code": 550,
        "enhanced": "5.1.1",
        "text": "no such user",
        "host": "in.mx.test",
        "rule": "unknown_user/no-such",
    }
    row = suppress(project=project, evidence=evidence)
    Occurrence.objects.create(
        project=project,
        address_key="gone@mx.test",
        kind="reply",
        category="unknown_user",
        is_hard=True,
        text="earlier words",
    )
    text = operator.get(page_of(row)).text
    for words in (
        "Unknown recipient",
        "Check the spelling",
        "in.mx.test",
        "unknown_user/no-such",
        "earlier words",
        "mail of the project shop",
    ):
        assert words in text


def test_one_is_explained_in_japanese(operator):
    operator.post("/language/", {"language": "ja"})
    assert "受信側のシステム" in operator.get(page_of(suppress())).text


@pytest.mark.parametrize(
    "query", ["gone@mx.test", "Gone@MX.test", "@mx.test", "gon", "<gone@mx.test>"]
)
def test_it_is_found_by_address_domain_and_beginning(operator, query):
    row = suppress()
    suppress("other@elsewhere.test")
    assert list(operator.get(LIST, {"q": query}).context["cl"].result_list) == [row]


def test_an_address_is_found_by_what_covers_its_domain(operator):
    row = suppress("@mx.test")
    assert list(operator.get(LIST, {"q": "anybody@mx.test"}).context["cl"].result_list) == [row]


@pytest.mark.parametrize(("name", "value"), [("class", "mailbox_full"), ("source", "complaint")])
def test_the_list_is_narrowed(operator, name, value):
    suppress()
    row = suppress("full@mx.test", category="mailbox_full", source="complaint")
    assert list(operator.get(LIST, {name: value}).context["cl"].result_list) == [row]


# --- adding ---
def test_a_whole_domain_is_added_until_a_day(operator, project):
    given = {
        "address_key": "@MX.test",
        "project": project.pk,
        "reason": "closed",
        "sender_domain": "",
        "until_0": "2099-01-01",
        "until_1": "00:00",
    }
    assert operator.post(f"{LIST}add/", given).status_code == 302
    row = Suppression.objects.get()
    assert (row.address_key, row.source, row.created_by, row.until.year) == (
        "@mx.test",
        "person",
        "otto",
        2099,
    )
    assert AuditEntry.objects.get(action="add").object_name == "@mx.test"


@pytest.mark.parametrize(
    "wrong",
    [
        {"address_key": "nobody"},
        {"reason": ""},
        {"until_0": "2001-01-01", "until_1": "00:00"},
        {"sender_domain": "not-ours.test"},
    ],
)
def test_what_cannot_be_is_said(operator, project, wrong):
    given = {
        "address_key": "you@mx.test",
        "project": project.pk,
        "reason": "asked",
        "sender_domain": "",
    }
    page = operator.post(f"{LIST}add/", given | wrong)
    assert page.status_code == 200
    assert page.context["errors"]
    assert not Suppression.objects.exists()


# --- lifting ---
def test_support_staff_lifts_one_of_its_project_with_a_reason(staff, project):
    row = suppress(project=project)
    assert "Lift" in staff.get(page_of(row)).text
    staff.post(LIFT, {"ids": row.pk, "reason": "the customer called"})
    assert not Suppression.objects.exists()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.reason, entry.project) == (
        "lift",
        "sue",
        "the customer called",
        project,
    )


def test_support_staff_cannot_lift_what_is_not_its_projects(staff):
    others, of_all = suppress(project=make.project()), suppress()
    page = staff.post(LIFT, {"ids": f"{others.pk},{of_all.pk}", "reason": "mine"})
    assert "nothing to lift" in page.text
    staff.post(LIFT, {"q": "gone@mx.test", "reason": "mine"})
    assert Suppression.objects.count() == 2


def test_support_staff_is_told_what_blocks_for_the_whole_installation(staff):
    suppress()
    text = staff.get(LIST, {"q": "gone@mx.test"}).text
    assert "gone@mx.test is suppressed for the whole installation" in text
    assert "Only an operator" in text


def test_nothing_is_lifted_without_a_reason(operator):
    row = suppress()
    assert "Say why" in operator.post(LIFT, {"ids": row.pk, "reason": " "}).text
    assert Suppression.objects.exists()


def test_an_old_dead_address_asks_a_second_time(operator, settings):
    settings.EKIDEN_OLD_SUPPRESSION_DAYS = 180
    row = suppress(last_seen_at=timezone.now() - timedelta(days=181))
    assert "new owners" in operator.get(page_of(row)).text
    assert "Confirm" in operator.post(LIFT, {"ids": row.pk, "reason": "asked"}).text
    assert Suppression.objects.exists()
    operator.post(LIFT, {"ids": row.pk, "reason": "asked", "is_sure": "on"})
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    "given", [{"is_hard": False}, {"last_seen_at": timezone.now() - timedelta(days=100)}]
)
def test_others_are_lifted_at_once(operator, given):
    row = suppress(**given)
    operator.post(LIFT, {"ids": row.pk, "reason": "asked"})
    assert not Suppression.objects.exists()


def test_all_that_match_are_lifted_and_no_others(operator):
    for number in range(30):
        suppress(f"gone{number}@mx.test")
    kept = suppress("kept@elsewhere.test")
    assert "30 addresses" in operator.get(LIFT, {"q": "@mx.test"}).text
    operator.post(LIFT, {"q": "@mx.test", "reason": "their server was broken"})
    assert list(Suppression.objects.all()) == [kept]
    assert AuditEntry.objects.filter(action="lift").count() == 30


def test_chosen_ones_lead_to_the_question(operator):
    rows = [suppress(f"gone{number}@mx.test") for number in range(2)]
    answer = operator.post(
        LIST, {"action": "lift_chosen", "_selected_action": [row.pk for row in rows]}, follow=True
    )
    assert "2 addresses would get mail again" in answer.text


def test_what_was_lifted_before_is_told_the_next_time(operator, project):
    operator.post(LIFT, {"ids": suppress(project=project).pk, "reason": "the first time"})
    assert "the first time" in operator.get(page_of(suppress(project=project))).text


@pytest.mark.parametrize(
    "asked", [{"q": "\0"}, {"q": "%"}, {"class": "\0"}, {"source": "\0", "q": "gone@mx.test"}]
)
def test_nonsense_in_the_url_is_answered(operator, asked):
    suppress()
    assert operator.get(LIST, asked).status_code == 200
    assert operator.get(LIFT, asked).status_code == 200


@pytest.mark.parametrize("asked", [{"ids": "x"}, {"ids": "9" * 30}, {}, {"q": ""}])
def test_a_question_about_nothing_is_answered(operator, asked):
    suppress()
    assert "Nothing matches" in operator.get(LIFT, asked).text


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
    assert "gone@mx.test" in mine and "evil" not in mine
    assert set(AuditEntry.objects.values_list("action", "actor")) == {
        ("export", "otto"),
        ("export", "sue"),
    }
