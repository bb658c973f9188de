"""Every URL that the portal answers, walked as nobody, by password alone, as each role limited to
another project, as an owner.
"""

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, get_resolver, reverse

from domains.foundation.rights import RIGHTS, Role
from domains.models import Domain
from relay_portal.access.middleware import ENROLMENT, OPEN
from tests.deliveries import make
from tests.relay_portal.portal import rows
from tests.relay_portal.portal.conftest import invited, password_only, person, verified

pytestmark = pytest.mark.django_db

ARGUMENTS = {
    "object_id": "1",
    "verb": "revoke",
    "factor": "otp_totp.totpdevice/1",
    "name": "x",
    "app_label": "domains",
    "content_type_id": "1",
    "url": "x",
    "token": "x",
    "queue_index": "1",
    "scheduler_index": "0",
    "connection_index": "0",
    "job_id": "x",
    "result_id": "x",
    "key": "x",
    "scheduler_name": "x",
    "cron_job_name": "x",
}


def every_path(patterns=None, before="/", names=()):
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield before + route, ":".join([*names, pattern.name or ""])
        else:
            yield from every_path(
                pattern.url_patterns, before + route, [*names, *filter(None, [pattern.namespace])]
            )


def filled(route):
    import re

    named = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: ARGUMENTS[found[1]], route)
    return (
        re.sub(r"\^?\(\?P<app_label>[^)]*\)", "domains", named)
        .replace("(?P<url>.*)$", "nowhere")
        .replace("^", "")
        .replace("$", "")
    )


PATHS = sorted({(filled(route), name) for route, name in every_path()})
CLOSED = [path for path, name in PATHS if name not in OPEN and name not in ENROLMENT]


def test_the_walk_reaches_every_kind_of_page():
    names = {name for _, name in PATHS}
    assert {
        "admin:index",
        "admin:queues",
        "admin:jsi18n",
        "admin:autocomplete",
        "admin:deliveries_message_change",
    } <= names
    assert {
        "health",
        "two_factor:setup",
        "two_factor:profile",
        "two_factor:webauthn:create_credential",
        "admin:search",
    } <= names
    assert len(CLOSED) > 80


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_sees_only_the_log_in(client, method):
    for path in [
        *CLOSED,
        *(path for path, name in PATHS if name in ENROLMENT),
        "/nowhere",
        "/admin/",
        "/static/../manage.py",
    ]:
        answer = getattr(client, method)(path)
        assert answer.status_code == 302, path
        assert answer.headers["Location"].startswith("/account/login/"), path


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_password_alone_leads_back_to_the_log_in(method):
    user = person()
    for path in [*CLOSED, *(path for path, name in PATHS if name in ENROLMENT)]:
        answer = getattr(password_only(user), method)(path)
        assert answer.status_code == 302, path
        assert answer.headers["Location"].startswith("/account/login/"), path


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_password_without_an_invitation_gets_nobody_a_second_factor(method):
    client = password_only(person(enrolled=False))
    for path in [*CLOSED, *(path for path, name in PATHS if name in ENROLMENT)]:
        answer = getattr(client, method)(path)
        assert answer.headers["Location"].startswith("/account/login/"), path


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_came_by_an_invitation_only_gets_a_second_factor(method):
    client = invited(person(enrolled=False))
    for path in CLOSED:
        answer = getattr(client, method)(path)
        assert (answer.status_code, answer.headers["Location"]) == (
            302,
            "/account/security/setup/",
        ), path


def test_a_verified_second_factor_without_a_place_among_staff_opens_nothing():
    user = person()
    client = verified(user)
    user.is_staff = False
    user.save()
    assert client.get("/").headers["Location"].startswith("/account/login/")


def detail_paths(row):
    app, model = row._meta.app_label, row._meta.model_name
    for page in ("change", "history", "delete"):
        yield reverse(f"admin:{app}_{model}_{page}", args=[row.pk])
    for verb in admin.site._registry[type(row)].verbs:
        yield reverse(f"admin:{app}_{model}_do", args=[row.pk, verb.method])


def test_there_is_a_row_for_every_model_with_pages():
    assert set(rows.of(make.project())) == {model._meta.label for model in admin.site._registry}


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("role", Role.values)
def test_nobody_who_is_limited_reaches_a_row_of_another_project(role, method):
    theirs = rows.of(make.project())
    client = verified(person("sue", role=role, is_limited=True, projects=[make.project()]))
    for row in theirs.values():
        for path in detail_paths(row):
            assert getattr(client, method)(path).status_code in (403, 404, 405), path
        listed = client.get(
            reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")
        )
        assert listed.status_code == 403 or str(row.pk) not in [
            str(each.pk) for each in listed.context["cl"].result_list
        ], row


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("role", Role.values)
def test_no_url_shows_a_limited_person_the_name_of_another_project(role, method):
    theirs = make.project(name="hidden-from-sue")
    rows.of(theirs)
    client = verified(person("sue", role=role, is_limited=True, projects=[make.project()]))
    seen = {}
    for path, name in PATHS:
        if name not in OPEN:
            answer = getattr(client, method)(path)
            shown = b"".join(answer) if answer.streaming else answer.content
            seen[path] = answer.status_code
            assert b"hidden-from-sue" not in shown and answer.status_code < 500, path
    assert 200 in seen.values() and 403 in seen.values()


@pytest.mark.parametrize("role", [Role.OWNER, Role.OPERATOR, Role.DEVELOPER])
def test_a_limited_person_adds_nothing_to_another_project_or_to_all(role):
    own, theirs = make.project(), make.project()
    client = verified(person("sue", role=role, is_limited=True, projects=[own]))
    for model, given in (
        ("domains_credential", {"name": "x", "kind": "password"}),
        ("domains_domain", {"name": "x.test", "assume": "on"}),
        ("suppressions_suppression", {"address_key": "x@x.test", "reason": "x"}),
        ("suppressions_policy", {"preset": "standard"}),
    ):
        app, name = model.split("_")
        rows_of = apps.get_model(app, name).objects
        for project in (theirs.pk, ""):
            answer = client.post(reverse(f"admin:{model}_add"), given | {"project": project})
            assert answer.status_code in (200, 403) and not rows_of.exists(), (model, project)
    client.post(reverse("admin:domains_domain_add"), {"project": own.pk, "name": "x.test",
        "assume": "on"})  # fmt: skip
    assert not Domain.objects.verified().exists()


SCOPED = {
    "Project",
    "Domain",
    "SigningKey",
    "Credential",
    "Message",
    "Delivery",
    "Suppression",
    "Policy",
    "Import",
    "SandboxMessage",
    "AuditEntry",
    "Refusal",
    "InboundMail",
}


def test_support_staff_sees_its_own_rows_and_changes_none():
    own = make.project()
    client = verified(person("sue", operator=False, projects=[own]))
    for row in rows.of(own).values():
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        expected = 200 if type(row).__name__ in SCOPED else 403
        listed = client.get(reverse(f"{name}_changelist"))
        assert listed.status_code == expected, row
        assert expected == 403 or [each.pk for each in listed.context["cl"].result_list] == [row.pk]
        page = client.get(reverse(f"{name}_change", args=[row.pk]), follow=True)
        assert page.status_code in (expected, 404), row
        assert client.post(
            reverse(f"{name}_change", args=[row.pk]), {"name": "mine"}
        ).status_code in (302, 403, 404), row
        assert client.get(reverse(f"{name}_add")).status_code == 403, row
        for path in list(detail_paths(row))[2:]:
            answer = client.post(path, {"post": "yes"})
            is_open = path.endswith("/do/reveal/")  # it shows, and changes no row
            assert is_open or answer.status_code in (403, 404), path
        type(row).objects.get(pk=row.pk)


def test_an_owner_sees_every_page(operator):
    for row in rows.of(make.project()).values():
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        assert operator.get(reverse(f"{name}_changelist")).status_code == 200, row
        assert (
            operator.get(reverse(f"{name}_change", args=[row.pk]), follow=True).status_code == 200
        ), row
        may = RIGHTS[row._meta.label_lower].owner
        assert operator.get(reverse(f"{name}_history", args=[row.pk])).status_code == 200, row
        assert operator.get(reverse(f"{name}_delete", args=[row.pk])).status_code == (
            200 if "delete" in may else 403
        ), row
        assert operator.get(reverse(f"{name}_add")).status_code == (200 if "add" in may else 403), (
            row
        )
    for path in (
        "/",
        "/queues/",
        "/account/security/",
        "/account/security/codes/",
        "/account/security/setup/",
        "/password_change/",
    ):
        assert operator.get(path).status_code == 200, path


def test_a_list_cannot_be_asked_about_other_columns(operator):
    rows.of(make.project())
    for query in (
        "relay_portal/user/?password__startswith=md5",
        "domains/credential/?secret_hash__gt=a",
        "deliveries/message/?size=3",
    ):
        assert operator.get(f"/{query}").status_code == 400


def test_nothing_that_other_apps_register_has_pages():
    assert {model._meta.app_label for model in admin.site._registry} == {
        "domains", "deliveries", "suppressions", "smtp_listener", "relay_portal",
    }  # fmt: skip
