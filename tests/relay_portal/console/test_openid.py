"""`./ekiden openid`, and what doctor says of the provider."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from domains.foundation.command import CommandError
from domains.models import AuditEntry
from relay_portal.doctor import log_ins
from relay_portal.doctor.finding import Level
from relay_portal.models import GroupRole, ProviderIdentity
from tests.deliveries import make
from tests.relay_portal.portal.conftest import person

pytestmark = pytest.mark.django_db


def run(*words):
    out = StringIO()
    call_command("openid", *words, stdout=out)
    return out.getvalue()


def test_a_group_is_mapped_changed_listed_and_unmapped():
    make.project(name="shop")
    said = run("map", "mail-team", "--role", "operator")
    assert said == (
        "Members of mail-team are operator, for the whole installation, from their next log-in "
        "on.\n"
    )
    run("map", "mail-team", "--role", "developer", "--project", "shop")
    assert json.loads(run("list", "--json")) == [
        {"group": "mail-team", "role": "developer", "projects": ["shop"]}
    ]
    run("unmap", "mail-team")
    assert "No group is mapped" in run("list") and not GroupRole.objects.exists()
    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["add", "change", "delete"]


def test_without_a_provider_the_command_says_what_to_set():
    with pytest.raises(CommandError, match="set EKIDEN_OPENID_ISSUER"):
        run("show")
    with pytest.raises(CommandError, match="No group x is mapped"):
        run("unmap", "x")


def test_a_provider_that_is_away_is_a_warning_of_doctor(settings):
    settings.EKIDEN_OPENID_ISSUER = "http://127.0.0.1:1"
    [finding] = log_ins.openid_provider()
    assert finding.level is Level.WARNING and "does not answer" in finding.text
    with pytest.raises(CommandError, match="does not answer"):
        run("show")


def test_doctor_is_red_where_every_owner_needs_the_provider(settings):
    settings.EKIDEN_OPENID_ISSUER = "http://127.0.0.1:1"
    olga = person("olga")
    assert [finding.level for finding in log_ins.break_glass()] == [Level.GOOD]
    ProviderIdentity.objects.create(user=olga, name="provider", issuer="i", subject="s")
    person("sue", operator=False)
    [finding] = log_ins.break_glass()
    assert finding.level is Level.BAD and "person invite NAME --role owner" in finding.advice


def test_the_last_owner_who_needs_no_provider_stays_one(settings):
    olga, mika = person("olga"), person("mika")
    ProviderIdentity.objects.create(user=mika, name="provider", issuer="i", subject="s")
    with pytest.raises(Exception, match="last owner"):
        call_command("person", "change", "olga", "--role", "operator")
    call_command("person", "change", "mika", "--role", "operator")
    olga.refresh_from_db()
    assert olga.role == "owner"
