"""The pages about suppressions and policies, as operators and support staff use them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from domains.models import AuditEntry
from suppressions.admin import suppressions
from suppressions.models import Occurrence, Suppression
from tests.deliveries import make

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


def test_who_is_limited_reads_of_a_domain_what_blocks_all_of_it_and_no_address(staff):
    suppress("anna@mx.test", reason="lawsuit")
    text = staff.get(LIST, {"q": "@mx.test"}).text
    assert "lawsuit" not in text
    assert "whole installation:" not in text
    suppress("@mx.test", reason="closed down")
    text = staff.get(LIST, {"q": "@mx.test"}).text
    assert "@mx.test is suppressed for the whole installation: closed down" in text
    assert "lawsuit" not in text


@pytest.fixture
def few(monkeypatch):
    """Let a search list three at most."""
    monkeypatch.setattr(suppressions, "FOUND_MOST", 3)


def test_others_do_not_crowd_ones_own_out_of_a_search(staff, project, few):
    for number in range(5):
        suppress(f"a{number}@mx.test")
    suppress("mine@mx.test", project=project)
    page = staff.get(LIST, {"q": "@mx.test"})
    assert [row.project for row in page.context["cl"].result_list] == [project]
    assert "are listed" not in page.text


def test_what_a_search_does_not_list_is_told_and_exported_and_lifted(operator, few):
    for number in range(5):
        suppress(f"a{number}@mx.test")
    asked = {"q": "@mx.test"}
    page = operator.get(LIST, asked)
    assert len(page.context["cl"].result_list) == 3
    assert "Only 3 of those that match are listed" in page.text
    exported = b"".join(operator.get(f"{LIST}export/", asked).streaming_content).decode()
    assert exported.count("@mx.test") == 5
    assert "5 addresses would get mail again" in operator.get(LIFT, asked).text


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


@pytest.mark.parametrize("ids", ["1" * 25, "\u00b2", "x", ",", "0"])
def test_ids_that_name_nothing_lift_nothing_else(operator, ids):
    suppress()
    given = {"ids": ids, "q": "@mx.test", "reason": "asked"}
    assert operator.get(LIFT, given).status_code == 200
    assert "nothing to lift" in operator.post(LIFT, given).text
    assert Suppression.objects.exists()


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


def test_an_export_of_a_search_with_a_nul_is_written_down_without_it(operator):
    answer = operator.get(f"{LIST}export/", {"q": "a\0@mx.test"})
    assert answer.status_code == 200
    assert "\0" not in AuditEntry.objects.get(action="export").object_name


@pytest.mark.parametrize(("name", "value"), [("class", "mailbox_full"), ("source", "complaint")])
def test_an_export_holds_what_the_list_shows(operator, name, value):
    suppress()
    suppress("full@mx.test", category="mailbox_full", source="complaint")
    assert f'href="{LIST}export/?{name}={value}"' in operator.get(LIST, {name: value}).text
    lines = b"".join(operator.get(f"{LIST}export/", {name: value})).decode()
    assert "full@mx.test" in lines and "gone@mx.test" not in lines
    assert AuditEntry.objects.get(action="export").details == {"query": {name: value}}


def test_what_was_suppressed_since_the_page_was_shown_stays(operator):
    suppress("gone@mx.test")
    page = operator.get(LIFT, {"q": "@mx.test", "class": "unknown_user"})
    assert page.context["back"] == f"{LIST}?q=%40mx.test&class=unknown_user"
    later = suppress("later@mx.test", created_at=timezone.now())
    operator.post(LIFT, page.context["asked"] | {"reason": "their server was broken"})
    assert list(Suppression.objects.all()) == [later]


@pytest.mark.parametrize("shown_at", ["", "yesterday", "2026-05-04T12:00"])
def test_a_time_that_is_none_leaves_nothing_out(operator, shown_at):
    suppress("gone@mx.test")
    operator.post(LIFT, {"q": "@mx.test", "shown_at": shown_at, "reason": "asked"})
    assert not Suppression.objects.exists()
