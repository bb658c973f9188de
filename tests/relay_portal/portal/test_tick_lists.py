"""Several rows are chosen in a form by boxes: no list asks to hold down a key."""

import pytest
from django.contrib import admin
from django.db.models import ManyToManyField
from django.urls import reverse

from domains.models import Credential, Domain
from relay_portal.models import User
from tests.deliveries import make
from tests.relay_portal.portal import rows
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.django_db
HOLD_DOWN = ("Hold down", "select multiple", "<select multiple", "長押し", "キーを押しながら")


def forms():
    """Yield the forms of every model: for a new row, and for one that there is."""
    for row in rows.of(make.project(name="shop")).values():
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        yield reverse(f"{name}_add")
        yield reverse(f"{name}_change", args=[row.pk])


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_form_asks_to_hold_down_a_key(operator, language):
    operator.post("/language/", {"language": language})
    shown = {path: operator.get(path) for path in forms()}
    texts = {path: page.text for path, page in shown.items() if page.status_code == 200}
    assert len(texts) > 30
    assert [path for path, text in texts.items() if any(each in text for each in HOLD_DOWN)] == []
    assert [path for path, text in texts.items() if " multiple" in text] == []


def test_each_choice_of_several_rows_is_a_list_of_boxes(operator):
    several = [
        (model, field.name)
        for model in admin.site._registry
        for field in model._meta.get_fields()
        if isinstance(field, ManyToManyField)
        and field.related_model._meta.app_label != "auth"  # Django's groups decide nothing here
    ]
    assert len(several) >= 3
    for model, name in several:
        page = operator.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add"))
        assert f'id="id_{name}" class="portal-ticks"' in page.text, model


def test_what_is_ticked_is_saved_and_stands_first(operator):
    shops = [make.project(name=f"shop-{number}") for number in range(12)]
    sue = person("sue", operator=False, projects=[shops[0]])
    path = reverse("admin:relay_portal_user_change", args=[sue.pk])
    given = {"username": "sue", "role": "support", "is_limited": "on", "is_active": "on"}
    operator.post(path, {**given, "projects": [shops[7].pk, shops[9].pk]})
    assert set(User.objects.get(pk=sue.pk).projects.all()) == {shops[7], shops[9]}
    page = operator.get(path).text
    boxes = page[page.index("portal-tick-rows") :].split("<label")[1:4]
    assert ["checked" in box for box in boxes] == [True, True, False]
    assert "Narrow the list" in page


def test_a_new_credential_is_offered_domains_by_project_and_an_old_one_those_of_its_own(operator):
    shop, wiki = make.project(name="shop"), make.project(name="wiki")
    for project in (shop, wiki):
        Domain.objects.create(project=project, name=f"{project}.test", token="t")
    new = operator.get(reverse("admin:domains_credential_add")).text
    assert 'data-group-field="project"' in new
    assert 'data-group="shop"' in new and 'data-group="wiki"' in new
    credential = make.credential(shop)
    old = operator.get(reverse("admin:domains_credential_change", args=[credential.pk])).text
    assert "<span>shop.test</span>" in old and "<span>wiki.test</span>" not in old


def test_a_person_limited_to_projects_is_offered_no_others(project):
    other = make.project(name="others")
    Domain.objects.create(project=other, name="others.test", token="t")
    dora = verified(person("dora", role="developer", is_limited=True, projects=[project]))
    assert "others.test" not in dora.get(reverse("admin:domains_credential_add")).text


def test_domains_of_the_project_are_taken(operator, project):
    domain = Domain.objects.create(project=project, name="shop.test", token="t")
    given = {"project": project.pk, "name": "app", "kind": "password", "domains": [domain.pk]}
    limits = {"priority": 1, "highest_priority": 1, "max_sessions": 5}
    operator.post(reverse("admin:domains_credential_add"), {**given, **limits})
    assert list(Credential.objects.get(name="app").domains.all()) == [domain]
