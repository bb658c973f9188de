"""The matrix of role and verb against every page, for the whole installation and within projects;
the docs against the matrix.
"""

from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from domains.foundation import rights
from domains.foundation.rights import ADD, CHANGE, DELETE, EXPORT, LIFT, RIGHTS, SEE, Role
from relay_portal.models import User
from relay_portal.pages import navigation
from tests.deliveries import make
from tests.relay_portal.portal import rows
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.django_db

PAGES = {model._meta.label_lower: pages for model, pages in admin.site._registry.items()}
NAMED = sorted(RIGHTS.keys() - PAGES.keys())
DOCS = (Path(__file__).parents[3] / "docs/operations.md").read_text(encoding="utf-8")
EVERYBODY = [(role, limited) for role in Role.values for limited in (False, True)]


@pytest.fixture(params=EVERYBODY, ids=lambda given: f"{given[0]}{'-limited' * given[1]}")
def sue(request, own):
    role, is_limited = request.param
    return person("sue", role=role, is_limited=is_limited, projects=[own])


@pytest.fixture
def own():
    return make.project()


@pytest.fixture
def client_of(sue):
    return verified(sue)


def verbs_of(user, page):
    verbs = getattr(RIGHTS[page], user.role)
    return verbs & RIGHTS[page].within if user.is_limited else verbs


def test_the_matrix_names_every_page_and_every_verb():
    assert set(PAGES) <= set(RIGHTS)
    for label, pages in PAGES.items():
        verbs = {verb.method for verb in pages.verbs}
        if label == "smtp_listener.sandboxmessage":  # its page shows the content at once
            verbs.add(rights.SHOW_CONTENT)
        assert RIGHTS[label].verbs - {SEE, ADD, CHANGE, DELETE, EXPORT, LIFT} == verbs, label
        assert RIGHTS[label].within <= RIGHTS[label].verbs, label
        assert (SEE in RIGHTS[label].within) <= (pages.project_path is not None), label


def test_an_owner_may_do_all_and_an_auditor_only_looks():
    for page, each in RIGHTS.items():
        others = each.operator | each.support | each.developer
        assert others - {rights.REVEAL} <= each.owner, page
        assert each.auditor <= {SEE}, page


def test_support_staff_changes_nothing_but_what_the_form_and_the_docs_say():
    changes = {
        (page, verb)
        for page, may in RIGHTS.items()
        for verb in may.support - {SEE, EXPORT, rights.REVEAL}
    }
    assert changes == {("suppressions.suppression", LIFT)}


def test_only_owners_and_operators_read_what_people_write():
    for page in ("deliveries.message", "deliveries.inboundmail"):
        may = {role for role in Role.values if rights.SHOW_CONTENT in getattr(RIGHTS[page], role)}
        assert may == {Role.OWNER, Role.OPERATOR}


def test_only_owners_let_people_in_or_change_what_they_may():
    for verb in RIGHTS["relay_portal.user"].verbs - {SEE}:
        may = [role for role in Role.values if verb in getattr(RIGHTS["relay_portal.user"], role)]
        assert (may, verb in RIGHTS["relay_portal.user"].within) == ([Role.OWNER], False)


def test_who_is_superuser_for_django_may_do_nothing_by_that():
    user = person("sue", role=Role.SUPPORT, is_superuser=True)
    assert not rights.may(user, CHANGE, "domains.project")
    assert verified(user).get("/queues/").status_code == 403


def test_the_docs_hold_the_table():
    assert "\n".join(rights.table()) in DOCS


def test_every_page_answers_as_the_matrix_says(sue, own, client_of):
    for label, row in ((row._meta.label_lower, row) for row in rows.of(own).values()):
        may, name = verbs_of(sue, label), f"admin:{label.replace('.', '_')}"
        seen, page = (200 if SEE in may else 403), reverse(f"{name}_change", args=[row.pk])
        assert client_of.get(reverse(f"{name}_changelist")).status_code == seen, label
        assert client_of.get(page, follow=True).status_code in {seen, 404}, label
        history = client_of.get(reverse(f"{name}_history", args=[row.pk]))
        assert (history.status_code == 200) == (SEE in may), label
        for verb, path in (
            (ADD, reverse(f"{name}_add")),
            (DELETE, reverse(f"{name}_delete", args=[row.pk])),
        ):
            for method in ("get", "post"):
                answer = getattr(client_of, method)(path)
                assert (answer.status_code in {403, 404}) == (verb not in may), (method, path)
        if CHANGE not in may:
            assert client_of.post(page, {"name": "mine"}).status_code in {302, 403, 404}, label
            assert getattr(type(row).objects.get(pk=row.pk), "name", "") != "mine", label


def test_every_button_obeys_the_matrix(sue, own, client_of):
    for row in rows.of(own).values():
        label = row._meta.label_lower
        for verb in PAGES[label].verbs:
            path = reverse(f"admin:{label.replace('.', '_')}_do", args=[row.pk, verb.method])
            assert client_of.get(path).status_code in {403, 405}, path
            answer = client_of.post(path)
            assert (answer.status_code == 403) == (verb.method not in verbs_of(sue, label)), path


def test_pages_without_a_model_answer_as_the_matrix_says(sue, client_of):
    for name in NAMED:
        answer = client_of.get(reverse(f"admin:{name}"))
        expected = 200 if SEE in verbs_of(sue, name) else 302 if name == "index" else 403
        assert answer.status_code == expected, name
        if name not in {"index", "classification"}:
            posted = client_of.post(reverse(f"admin:{name}"))
            assert posted.status_code in {expected, 405}, name


def test_exporting_and_lifting_obey_the_matrix(sue, client_of):
    for verb in (EXPORT, LIFT):
        path = reverse(f"admin:suppressions_suppression_{verb}")
        expected = 200 if verb in verbs_of(sue, "suppressions.suppression") else 403
        assert client_of.get(path).status_code == expected
        assert verb == EXPORT or client_of.post(path).status_code == expected


def test_the_sidebar_shows_what_a_person_may_see(sue, rf):
    request = rf.get("/")
    request.user = sue
    titles = [
        str(item["title"]) for section in navigation.sidebar(request) for item in section["items"]
    ]
    shown = {*titles}
    assert len(shown) == len(titles)  # none stands twice
    entries = [entry for _, section in navigation.SIDEBAR for entry in section]
    assert {entry.model or entry.page for entry in entries} == set(RIGHTS)
    assert shown == {
        str(entry.title) for entry in entries if SEE in verbs_of(sue, entry.model or entry.page)
    }
    assert {"What does it mean?", "Error rates"} <= shown


def test_what_each_role_does_daily_stands_open_on_top_and_the_rest_in_closed_sections(
    sue, client_of
):
    assert set(navigation.DAILY) == set(Role.values)
    page = client_of.get("/suppressions/suppression/").text
    nav = page.split('id="nav-sidebar-apps"')[1]
    top, *sections = nav.split("<details")
    daily = [each for each in navigation.DAILY[sue.role] if SEE in verbs_of(sue, each)]
    assert top.count("<li>") == len(daily) <= 8
    assert sections and not any(each.split(">")[0].endswith(" open") for each in sections)


def test_the_section_of_the_page_that_is_shown_is_open():
    page = verified(person()).get("/deliveries/route/").text
    nav = page.split('id="nav-sidebar-apps"')[1]
    [opened] = [each for each in nav.split("<details") if each.split(">")[0].endswith(" open")]
    assert "Where mail goes" in opened


def test_the_migration_makes_superusers_owners_and_leaves_others_as_they_were():
    otto = User.objects.create_user("otto", is_superuser=True)
    sue = User.objects.create_user("sue")
    import_module("relay_portal.migrations.0005_roles").give_roles(apps, None)
    for each in (otto, sue):
        each.refresh_from_db()
    assert [(each.role, each.is_limited) for each in (otto, sue)] == [
        ("owner", False),
        ("support", True),
    ]
