"""The table of rights against every page: each role, each verb; and the docs against the table."""

from pathlib import Path

import pytest
from django.contrib import admin
from django.urls import reverse

from domains.foundation import rights
from domains.foundation.rights import ADD, CHANGE, DELETE, EXPORT, LIFT, RIGHTS, SEE
from relay_portal.pages import navigation
from tests.deliveries import make
from tests.relay_portal.portal import rows
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.django_db

PAGES = {model._meta.label_lower: pages for model, pages in admin.site._registry.items()}
NAMED = sorted(RIGHTS.keys() - PAGES.keys())
DOCS = (Path(__file__).parents[3] / "docs/operations.md").read_text(encoding="utf-8")


@pytest.fixture(params=["operator", "support"])
def role(request):
    return request.param


@pytest.fixture
def own():
    return make.project()


@pytest.fixture
def client_of(role, own):
    return verified(person("sue", operator=role == "operator", projects=[own]))


def rights_of(role, page):
    return getattr(RIGHTS[page], role)


def test_the_table_names_every_page_and_every_verb():
    assert set(PAGES) <= set(RIGHTS)
    for label, pages in PAGES.items():
        verbs = {verb.method for verb in pages.verbs}
        assert RIGHTS[label].operator - {SEE, ADD, CHANGE, DELETE, EXPORT, LIFT} == verbs, label
        assert RIGHTS[label].support <= RIGHTS[label].operator, label
        assert rights.is_for_support(label) <= (pages.project_path is not None), label


def test_support_staff_changes_nothing_but_what_the_form_and_the_docs_say():
    changes = {
        (page, verb) for page, may in RIGHTS.items() for verb in may.support - rights.ONLY_LOOKS
    }
    assert changes == {("suppressions.suppression", LIFT)}


def test_the_docs_hold_the_table():
    assert "\n".join(rights.table()) in DOCS


@pytest.mark.parametrize("label", sorted(PAGES))
def test_a_page_answers_as_the_table_says(label, role, own, client_of):
    row = next(row for row in rows.of(own).values() if row._meta.label_lower == label)
    may, name = rights_of(role, label), f"admin:{label.replace('.', '_')}"
    seen, page = (200 if SEE in may else 403), reverse(f"{name}_change", args=[row.pk])
    assert client_of.get(reverse(f"{name}_changelist")).status_code == seen
    assert client_of.get(page, follow=True).status_code in {seen, 404}
    assert (client_of.get(reverse(f"{name}_history", args=[row.pk])).status_code == 200) == (
        SEE in may
    )
    for verb, path in (
        (ADD, reverse(f"{name}_add")),
        (DELETE, reverse(f"{name}_delete", args=[row.pk])),
    ):
        for method in ("get", "post"):
            answer = getattr(client_of, method)(path)
            assert (answer.status_code in {403, 404}) == (verb not in may), (method, path)
    if CHANGE not in may:
        assert client_of.post(page, {"name": "mine"}).status_code in {302, 403, 404}
        before = type(row).objects.get(pk=row.pk)
        assert {
            field.name: getattr(before, field.attname)
            for field in row._meta.concrete_fields
            if field.name == "name"
        } != {"name": "mine"}


@pytest.mark.parametrize("label", sorted(PAGES))
def test_a_button_obeys_the_table(label, role, own, client_of):
    row = next(row for row in rows.of(own).values() if row._meta.label_lower == label)
    for verb in PAGES[label].verbs:
        path = reverse(f"admin:{label.replace('.', '_')}_do", args=[row.pk, verb.method])
        assert client_of.get(path).status_code in {403, 405}, path
        answer = client_of.post(path)
        assert (answer.status_code == 403) == (verb.method not in rights_of(role, label)), path


@pytest.mark.parametrize("name", NAMED)
def test_a_page_without_a_model_answers_as_the_table_says(name, role, client_of):
    answer = client_of.get(reverse(f"admin:{name}"))
    expected = 200 if SEE in rights_of(role, name) else 302 if name == "index" else 403
    assert answer.status_code == expected
    assert name in {"index", "classification"} or client_of.post(
        reverse(f"admin:{name}")
    ).status_code in {expected, 405}


def test_exporting_and_lifting_obey_the_table(role, client_of, monkeypatch):
    for verb in (EXPORT, LIFT):
        path = reverse(f"admin:suppressions_suppression_{verb}")
        assert client_of.get(path).status_code == 200
        without = RIGHTS["suppressions.suppression"]._replace(
            operator=frozenset({SEE}), support=frozenset({SEE})
        )
        with monkeypatch.context() as patched:
            patched.setitem(RIGHTS, "suppressions.suppression", without)
            assert client_of.get(path).status_code == 403
            assert client_of.post(path).status_code == 403


def test_the_sidebar_shows_what_a_person_may_see(role, rf):
    request = rf.get("/")
    request.user = person("sue", operator=role == "operator")
    shown = {
        str(item["title"]) for section in navigation.sidebar(request) for item in section["items"]
    }
    entries = [entry for _, section in navigation.SIDEBAR for entry in section]
    assert {entry.model or entry.page for entry in entries} == set(RIGHTS)
    assert shown == {
        str(entry.title) for entry in entries if SEE in rights_of(role, entry.model or entry.page)
    }
    assert {"What does it mean?", "Error rates"} <= shown
