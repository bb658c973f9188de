"""A page that stands open writes over nothing that was changed meanwhile."""

from html.parser import HTMLParser

import pytest
from django.apps import apps
from django.utils import timezone

from deliveries.models import Pool, PoolMember
from domains.foundation.rights import CHANGE, RIGHTS
from domains.models import Project
from relay_portal.models import User
from suppressions.models import Policy
from tests.deliveries import make
from tests.relay_portal.portal import rows
from tests.relay_portal.portal.conftest import person
from tests.relay_portal.portal.test_two_at_once import as_it_is_saved

pytestmark = pytest.mark.usefixtures("mail_db")

# By page: what the person changes, and what somebody else, a command or a job has changed since
# the page was shown.
CHANGES = {
    "domains.project": (
        {"content_days": "3"},
        {"is_sandboxed": True, "log_days": 400, "in_doubt": "delivered", "lifetime": 60,
         "retry_schedule": [60, 600], "keeps_subject": False},
    ),
    "domains.domain": (
        {"rotation_days": "90"},
        {"return_path_label": "back", "lost_at": timezone.now(), "covers_subdomains": True},
    ),
    "domains.credential": (
        {"per_day": "5"},
        {"is_sandboxed": True, "per_minute": 7, "networks": ["192.0.2.0/24"], "priority": 0,
         "revoked_at": timezone.now()},
    ),
    "suppressions.policy": (
        {"alert_hours": "12"},
        {"preset": "custom", "temporary": 9, "adds_unsubscribe": True, "on_suppressed": "drop",
         "alert_rate": 7},
    ),
    "deliveries.localrule": (
        {"detail": "theirs"},
        {"category": "other", "is_active": False, "codes": [550], "created_by": "olga"},
    ),
    "deliveries.tenantrule": (
        {"hours": "12"},
        {"threshold": 20.5, "is_live": True, "least": 7, "source": "east"},
    ),
    "deliveries.warmupplan": ({}, {"numbers": [7, 9]}),
    "deliveries.source": ({"ehlo_name": "one.us.test"}, {"state": "out", "reason": "blocked"}),
    "deliveries.pool": ({}, {"urgent_warms": True}),
    "deliveries.egressrule": ({"position": "5"}, {"sending_domain": "a.test", "project_id": None}),
    "deliveries.smarthost": (
        {"per_day": "5"},
        {"hosts": [["other.test", 587, "verified"]], "per_hour": 9, "connections": 3},
    ),
    "deliveries.shapingrule": (
        {"per_day": "5"},
        {"connections": 3, "domains": ["other.test"], "tls": "required", "reply_timeout": 9},
    ),
    "deliveries.providerlimit": (
        {"messages": "5"}, {"connections": 9, "period": "day", "state": {"a": 1}, "version": 4},
    ),
    "deliveries.receiverdemand": (
        {"limit": "0.5"}, {"is_asked": False, "asked_from": 9, "is_shipped": True},
    ),
    "relay_portal.user": (
        {"email": "sue@us.test"},
        {"role": "operator", "is_limited": True, "is_active": False, "is_staff": False,
         "password": "!reset"},
    ),
    "relay_portal.grouprole": ({"group": "admins"}, {"role": "auditor", "is_limited": True}),
    "relay_portal.loginnetwork": ({"network": "126.0.0.0/7"}, {"note": "ours"}),
}  # fmt: skip


# What the rows for lists lack.
TO_BE_VALID = {
    "deliveries.localrule": {
        "pattern": "no such", "example": "550 no such user", "created_by": "otto",
    },
    "relay_portal.grouprole": {"role": "support"},
}  # fmt: skip


class FilledForm(HTMLParser):
    """What a browser would send of the form with this id."""

    def __init__(self, page, form):
        super().__init__()
        self.form, self.is_in, self.fields, self.open = form, False, {}, None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "form":
            self.is_in = given.get("id") == self.form
        name, value = given.get("name"), given.get("value") or ""
        if not self.is_in:
            return
        if tag == "select":
            self.open = name
        elif tag == "option" and ("selected" in given or self.open not in self.fields):
            self.fields[self.open] = [value]
        elif tag == "textarea":
            self.open, self.fields[name] = name, [""]
        elif tag == "input" and given.get("type") in ("checkbox", "radio"):
            if "checked" in given:
                self.fields.setdefault(name, []).append(value or "on")
        elif tag == "input" and name:
            self.fields.setdefault(name, []).append(value)

    def handle_data(self, data):
        if self.is_in and self.lasttag == "textarea" and self.open:
            self.fields[self.open] = [(self.fields[self.open][0] + data).removeprefix("\n")]

    def handle_endtag(self, tag):
        if tag in ("select", "textarea"):
            self.open = None


def path_of(row):
    return f"/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"


def filled(browser, row):
    return FilledForm(browser.get(path_of(row)).text, f"{row._meta.model_name}_form").fields


def saved(browser, row, fields):
    answer = browser.post(path_of(row), fields)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    row.refresh_from_db()


def row_of(label, project):
    """Return a row whose page can be saved as it is shown."""
    found = {each._meta.label_lower: each for each in rows.of(project).values()}[label]
    if label == "deliveries.pool":
        PoolMember.objects.create(pool=found, source=make.source("of-the-pool"))
    if given := TO_BE_VALID.get(label):
        apps.get_model(label).objects.filter(pk=found.pk).update(**given)
    return found


def test_every_page_that_changes_rows_is_among_them():
    assert set(CHANGES) == {name for name, rights in RIGHTS.items() if CHANGE in rights.verbs}


@pytest.mark.parametrize("label", CHANGES)
def test_what_was_changed_meanwhile_stays(browser, label):
    row = row_of(label, make.project())
    fields = filled(browser, row)
    typed, meanwhile = CHANGES[label]
    assert set(typed) <= set(fields)
    apps.get_model(label).objects.filter(pk=row.pk).update(**meanwhile)
    saved(browser, row, fields | typed)
    assert {name: getattr(row, name) for name in meanwhile} == meanwhile
    assert {name: str(getattr(row, name)) for name in typed} == typed


def test_what_the_person_has_changed_is_written(browser):
    row = make.project(content_days=7, keeps_subject=True, retry_schedule=[60])
    fields = filled(browser, row) | {"content_days": "3", "retry_schedule": ""}
    del fields["keeps_subject"]
    Project.objects.filter(pk=row.pk).update(content_days=9, retry_schedule=[60, 600])
    saved(browser, row, fields)
    assert (row.content_days, row.keeps_subject, row.retry_schedule) == (3, False, [])


def test_an_error_forgets_nothing_of_what_was_shown(browser):
    row = make.project()
    fields = filled(browser, row) | {"name": "No Name"}
    Project.objects.filter(pk=row.pk).update(is_sandboxed=True)
    answer = browser.post(path_of(row), fields)
    assert answer.status_code == 200
    again = FilledForm(answer.text, "project_form").fields | {"name": "a-name"}
    saved(browser, row, again)
    assert (row.name, row.is_sandboxed) == ("a-name", True)


def test_rows_that_were_chosen_meanwhile_stay_chosen(browser):
    mine, theirs = make.project(), make.project()
    sue = person("sue", operator=False, projects=[mine])
    fields = filled(browser, sue)
    sue.projects.set([theirs])
    saved(browser, sue, fields | {"email": "sue@us.test"})
    assert (sue.email, list(sue.projects.all())) == ("sue@us.test", [theirs])
    fields = filled(browser, sue)
    saved(browser, sue, fields | {"projects": [str(mine.pk)]})
    assert list(User.objects.get(pk=sue.pk).projects.all()) == [mine]


def test_a_pool_keeps_the_sources_that_it_was_given_meanwhile(browser):
    pool, east, west = Pool.objects.create(name="main"), make.source("east"), make.source("west")
    PoolMember.objects.create(pool=pool, source=east)
    fields = filled(browser, pool)
    pool.members.update(source=west, weight=300)
    saved(browser, pool, fields | {"urgent_warms": "on"})
    assert pool.urgent_warms
    assert [each.source for each in pool.members.all()] == [west]


def test_a_preset_fills_in_all_values_whatever_was_changed_meanwhile(browser):
    row = Policy.objects.create(project=make.project())
    fields, before = filled(browser, row) | {"preset": "complaints"}, row.changed_at
    Policy.objects.filter(pk=row.pk).update(temporary=9, preset="custom")
    saved(browser, row, fields)
    assert (row.preset, row.temporary) == ("complaints", 0)
    assert row.changed_at != before


# The whole row is written, and locked from the moment at which it is read.
LOCKED = {"deliveries.pool", "deliveries.smarthost"}


@pytest.mark.parametrize("label", sorted(CHANGES.keys() - LOCKED))
def test_what_is_changed_at_the_moment_of_saving_stays(browser, label):
    row = row_of(label, make.project())
    typed, meanwhile = CHANGES[label]
    fields = filled(browser, row) | typed
    with as_it_is_saved(apps.get_model(label), **meanwhile):
        saved(browser, row, fields)
    assert {name: getattr(row, name) for name in meanwhile} == meanwhile
