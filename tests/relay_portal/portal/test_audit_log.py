"""What is done in the portal is written down, and who may read that."""

import pytest
from django.urls import reverse

from domains.models import AuditEntry, Credential, Domain
from domains.operations import audit
from relay_portal.models import Invitation, User
from suppressions.models import Policy
from tests.deliveries import make
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.django_db


def entry():
    return AuditEntry.objects.get()


def settings_of(project, **changed):
    fields = (
        "name",
        "in_doubt",
        "idempotency_window",
        "retry_schedule",
        "lifetime",
        "content_days",
        "log_days",
        "transcript_days",
    )
    given = {field: getattr(project, field) for field in fields} | {
        "retry_schedule": "",
        "keeps_subject": "on",
        "shows_content": "on",
        "sends_reports": "on",
        "takes_foreign_names": "on",
    }
    return given | changed


def test_a_change_is_written_down_with_both_values_and_where_it_came_from(operator):
    project = make.project()
    form = settings_of(project, content_days=3)
    operator.post(
        f"/domains/project/{project.pk}/change/", form, headers={"X-Forwarded-For": "192.0.2.7"}
    )
    assert (entry().actor, entry().action, entry().client_address) == (
        "otto",
        "change",
        "192.0.2.7",
    )
    assert entry().details == {"changed": {"content_days": [7, 3]}} and entry().project == project


def test_saving_without_a_change_writes_nothing(operator):
    project = make.project()
    operator.post(f"/domains/project/{project.pk}/change/", settings_of(project))
    assert not AuditEntry.objects.exists()


def test_what_is_added_and_deleted_is_written_down(operator):
    operator.post(
        "/suppressions/suppression/add/", {"address_key": "gone@mx.test", "reason": "asked"}
    )
    policy = Policy.objects.create(project=make.project(), temporary=7)
    operator.post(f"/suppressions/policy/{policy.pk}/delete/", {"post": "yes"})
    deleted, added = AuditEntry.objects.order_by("-id")
    assert (added.action, added.object_name, added.details["values"]["reason"]) == (
        "add",
        "gone@mx.test",
        "asked",
    )
    assert (deleted.action, deleted.project, deleted.details["values"]["temporary"]) == (
        "delete",
        policy.project,
        7,
    )


def test_a_verb_is_written_down(operator):
    credential = make.credential()
    operator.post(f"/domains/credential/{credential.pk}/do/revoke/")
    assert (entry().action, entry().object_name, list(entry().details["changed"])) == (
        "revoke",
        str(credential),
        ["revoked_at"],
    )


def test_which_domains_a_credential_is_limited_to_is_written_down(operator):
    credential = make.credential()
    domain = Domain.objects.create(project=credential.project, name="shop.test", token="t")
    operator.post(
        f"/domains/credential/{credential.pk}/change/",
        {"priority": 1, "highest_priority": 2, "domains": [domain.pk]},
    )
    assert entry().details == {"changed": {"domains": [[], ["shop.test"]]}}


def test_no_secret_made_in_the_portal_is_written_down(operator):
    form = {
        "project": make.project().pk,
        "name": "app",
        "kind": "password",
        "networks": "",
        "priority": 1,
        "highest_priority": 2,
    }
    secret = dict(operator.post("/domains/credential/add/", form).context["rows"])["Secret"]
    form = {"username": "sue", "role": "support"}
    link = dict(operator.post("/relay_portal/user/add/", form).context["rows"])["Link"]
    sue = User.objects.get(username="sue")
    again = operator.post(f"/relay_portal/user/{sue.pk}/do/invite/").context["rows"]
    tokens = [each.split("/")[-2] for each in (link, dict(again)["Link"])]
    written = str(list(AuditEntry.objects.values()))
    hashes = (
        bytes(Credential.objects.get().secret_hash).hex(),
        sue.password,
        User.objects.get(pk=sue.pk).password,
    )
    assert AuditEntry.objects.count() == 3 and not any(
        each in written for each in (secret, *tokens, Invitation.objects.get().token_hash, *hashes)
    )


def test_the_history_of_a_row_tells_what_was_done_to_it(operator):
    project = make.project()
    audit.note(
        "mika",
        "change",
        project,
        reason="a <b>customer</b> asked",
        details={"changed": {"content_days": [7, 3]}},
    )
    page = operator.get(f"/domains/project/{project.pk}/history/").text
    assert (
        "mika" in page and "Days to keep content: 7 → 3" in page and "a &lt;b&gt;customer" in page
    )
    assert (
        f"/domains/project/{project.pk}/history/"
        in operator.get(f"/domains/project/{project.pk}/change/").text
    )


def test_an_entry_tells_what_was_before_and_what_came_after(operator):
    written = audit.note(
        "mika",
        "change",
        make.project(),
        details={"changed": {"content_days": [7, 3]}, "selected": 4},
    )
    page = operator.get(f"/domains/auditentry/{written.pk}/change/").text
    assert "Days to keep content: 7 → 3" in page and "selected: 4" in page


def test_the_log_is_found_by_person_action_and_thing(operator):
    for actor, action, project in (
        ("mika", "change", make.project()),
        ("otto", "pause", make.project()),
    ):
        audit.note(actor, action, project)
    for query in (
        "actor=mika",
        "action=change",
        "object_type=domains.project&actor=mika",
        "q=MIKA",
    ):
        listed = operator.get(f"/domains/auditentry/?{query}").context["cl"].result_list
        assert [each.actor for each in listed] == ["mika"], query


def test_support_staff_reads_what_was_done_to_its_project_and_nothing_else():
    own, other = make.project(), make.project()
    mine, theirs = audit.note("otto", "change", own), audit.note("otto", "change", other)
    sue = verified(person("sue", operator=False, projects=[own]))
    listed = sue.get("/domains/auditentry/")
    assert [each.pk for each in listed.context["cl"].result_list] == [mine.pk]
    assert sue.get(reverse("admin:domains_auditentry_change", args=[theirs.pk])).status_code == 404
    assert sue.get(f"/domains/project/{other.pk}/history/").status_code == 404


def test_nobody_changes_or_deletes_an_entry(operator):
    written = audit.note("otto", "change", make.project(), reason="why")
    for page in ("change", "delete"):
        operator.post(
            f"/domains/auditentry/{written.pk}/{page}/", {"reason": "other", "post": "yes"}
        )
    assert entry().reason == "why"
