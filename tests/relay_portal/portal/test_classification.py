"""The page that says what an answer means, and the rules that people add."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from deliveries.backends.job_queues import MAINTENANCE, queue
from deliveries.classification import classifier
from deliveries.models import LocalRule, Reclassification
from domains.models import AuditEntry
from tests.deliveries import make
from tests.deliveries.bounces.sampled import SAMPLES
from tests.deliveries.bounces.test_unknown_answers import occurrence
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.django_db
PAGE, RULES = "/classification/", "/deliveries/localrule/"
RULE = {
    "name": "moved", "pattern": "kunde * verzogen", "example": "550 Der Kunde ist verzogen",
    "is_active": "on", "category": "unknown_user",
    "is_hard": "on", "detail": "", "providers": "", "stages": "", "codes": "",
}  # fmt: skip


@pytest.fixture(autouse=True)
def none_left():
    yield
    classifier.add(None)


def test_a_reply_is_explained_with_the_rule_that_spoke(operator):
    text = operator.post(
        PAGE, {"reply": "550 Unknown user", "stage": "rcpt", "host": "mfsmax.docomo.ne.jp"}
    ).text
    for words in (
        "Unknown recipient",
        "Check the spelling",
        "docomo-unknown",
        "the address is suppressed at once",
        classifier.version(),
    ):
        assert words in text


def test_the_same_words_after_data_are_the_users_own_filter(operator):
    text = operator.post(
        PAGE, {"reply": "550 Unknown user", "stage": "body", "host": "mfsmax.docomo.ne.jp"}
    ).text
    assert "Refused by the recipient" in text
    assert "this alone does not suppress" in text


def test_a_mail_that_came_back_is_explained_for_each_recipient(operator):
    file = SimpleUploadedFile("returned.eml", (SAMPLES / "two-fates.eml").read_bytes())
    page = operator.post(PAGE, {"file": file})
    assert "This is a bounce." in page.text
    assert len(page.context["findings"]) == 2


def test_support_staff_may_ask_in_japanese():
    sue = verified(person("sue", operator=False, projects=[make.project()]))
    sue.post("/language/", {"language": "ja"})
    assert (
        "受信側のシステム"
        in sue.post(PAGE, {"reply": "550 5.1.1 no such user", "stage": "rcpt"}).text
    )
    assert sue.get(RULES).status_code == 403


@pytest.mark.parametrize(
    "given", [{}, {"reply": " "}, {"reply": "550 x", "stage": "nonsense"}, {"reply": "x" * 70_000}]
)
def test_what_cannot_be_asked_is_said(operator, given):
    page = operator.post(PAGE, given)
    assert page.status_code == 200
    assert page.context["form"].errors


@pytest.mark.parametrize(
    "content", [b"\0\xff" * 5000, b"From: you\r\n\r\nhello\r\n", b"x" * 3_000_000]
)
def test_any_file_is_answered(operator, content):
    page = operator.post(PAGE, {"file": SimpleUploadedFile("x", content)})
    assert "nothing about a delivery" in page.text


def test_hostile_words_are_shown_as_text(operator):
    assert (
        "<script>alert" not in operator.post(PAGE, {"reply": "550 <script>alert(1)</script>"}).text
    )


# --- local rules ---
def test_a_rule_is_added_speaks_and_is_on_record(operator):
    operator.post(f"{RULES}add/", RULE)
    row = LocalRule.objects.get()
    assert (row.created_by, row.is_active) == ("otto", True)
    assert AuditEntry.objects.get().details["values"]["pattern"] == "kunde * verzogen"
    text = operator.post(PAGE, {"reply": "550 5.7.1 Ihr Kunde ist verzogen"}).text
    assert "local/moved" in text
    assert "added here" in text


@pytest.mark.parametrize(
    "wrong",
    [
        {"pattern": "no"}, {"example": "550 something else"}, {"category": "policy"},
        {"stages": "nonsense"}, {"providers": "nobody"},
        {"codes": "x"}, {"name": "Not A Name"},
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_meant_is_refused(operator, wrong):
    assert operator.post(f"{RULES}add/", RULE | wrong).context["errors"]
    assert not LocalRule.objects.exists()


def test_a_change_is_on_record_and_a_rule_can_be_switched_off(operator):
    operator.post(f"{RULES}add/", RULE)
    row = LocalRule.objects.get()
    operator.post(
        f"{RULES}{row.pk}/change/",
        {name: value for name, value in RULE.items() if name != "is_active"},
    )
    assert AuditEntry.objects.get(action="change").details["changed"]["is_active"] == [True, False]
    assert (
        "local/moved" not in operator.post(PAGE, {"reply": "550 5.7.1 Ihr Kunde ist verzogen"}).text
    )


# --- a second look ---
def test_an_answer_that_no_rule_understood_is_a_click_away_from_a_rule(operator):
    project = make.credential().project
    occurrence(project, "Der Kunde <hanako@example.test> ist verzogen")
    text = operator.get("/unknown-answers/").text
    assert (
        "der kunde &lt;(address)&gt; ist verzogen" in text
        and "1 answer of this form from example.test" in text
    )
    assert "pattern=der+kunde+%2A+ist+verzogen" in text


def test_unknown_answers_are_exported_without_personal_data(operator):
    occurrence(make.credential().project, "Der Kunde <hanako@example.test> ist verzogen")
    answer = operator.get("/unknown-answers/", {"export": ""})
    assert "hanako" not in answer.text and "550 der kunde <(address)> ist verzogen" in answer.text


def test_a_rule_is_saved_once_a_person_has_seen_what_it_changes(operator):
    occurrence(make.credential().project, "Der Kunde ist lange verzogen")
    text = operator.post(f"{RULES}add/", RULE).text
    assert "It changes 1" in text and not LocalRule.objects.exists()
    operator.post(f"{RULES}add/", RULE | {"is_seen": "on"})
    assert LocalRule.objects.get().name == "moved"


LOOKS = "/deliveries/reclassification/"


def test_a_second_look_is_counted_seen_and_carried_out(
    operator, valkey, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        operator.post(f"{LOOKS}add/", {"_save": ""})
    made = Reclassification.objects.get()
    assert [job.func_name for job in queue(MAINTENANCE).get_jobs()] == [
        "deliveries.bounces.reclassify.count"
    ]
    made.state, made.changed, made.table = "counted", 2, [["other", "unknown_user", False, True, 2]]
    made.save()
    text = operator.get(f"{LOOKS}{made.pk}/change/").text
    assert "Not understood" in text and "Unknown recipient" in text
    with django_capture_on_commit_callbacks(execute=True):
        operator.post(f"{LOOKS}{made.pk}/do/apply/")
    made.refresh_from_db()
    assert made.state == "applying"
    assert queue(MAINTENANCE).get_jobs()[-1].func_name == "deliveries.bounces.reclassify.apply"
    assert AuditEntry.objects.filter(action="apply").exists()


# --- what is pasted ---
def test_without_a_step_both_answers_are_told(operator):
    page = operator.post(PAGE, {"reply": "550 Unknown user", "host": "mfsmax.docomo.ne.jp"})
    titles = [each.meaning.title for each in page.context["findings"]]
    assert titles == ["Unknown recipient", "Refused by the recipient"]
    assert "if it answered the recipient" in page.text
    assert "or stands in a report" in page.text and "docomo-unknown" in page.text


def test_where_the_step_does_not_matter_one_answer_is_told(operator):
    page = operator.post(PAGE, {"reply": "550 5.1.1 <x@y.test> User unknown"})
    assert len(page.context["findings"]) == 1 and not page.context["findings"][0].condition


def test_a_pasted_report_is_read_as_one(operator):
    block = (
        "Final-Recipient: rfc822; hanako@docomo.test Action: failed Status: 5.1.1 "
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown"
    )
    page = operator.post(PAGE, {"reply": block})
    assert "This is a bounce." in page.text
    assert [each.recipient for each in page.context["findings"]] == ["hanako@docomo.test"]


def test_support_staff_reads_no_pattern(operator):
    sue = verified(person("sue", operator=False, projects=[make.project()]))
    asked = {"reply": "550 5.1.1 no such user", "stage": "rcpt"}
    assert "Its pattern" in operator.post(PAGE, asked).text
    assert "Its pattern" not in sue.post(PAGE, asked).text
