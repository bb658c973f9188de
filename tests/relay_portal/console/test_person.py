import re

import pytest
from django.core.management.base import CommandError
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from domains.models import AuditEntry
from relay_portal.access import invitations
from relay_portal.models import Invitation, User
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


def test_a_person_gets_an_invitation_that_is_shown_once():
    text = ekiden("person", "invite", "on-call")
    [token] = re.findall(r"/account/invitation/(\S+)/", text)
    user = User.objects.get(username="on-call")
    assert (user.is_staff, user.role, user.is_limited) == (True, "operator", False)
    assert not user.has_usable_password()
    assert Invitation.objects.get().token_hash == invitations.hashed(token)
    assert [*AuditEntry.objects.values_list("action", flat=True)].count("invite") == 1


def test_a_program_reads_the_invitation_as_json():
    make.project(name="shop")
    shown = ekiden_json("person", "invite", "sue", "--role", "support", "--project", "shop",
        "--email", "sue@shop.test")  # fmt: skip
    assert {name: shown[name] for name in ("name", "role", "projects")} == {
        "name": "sue",
        "role": "support",
        "projects": ["shop"],
    }
    assert shown["link"].startswith("http://localhost:") and shown["expires_at"]
    assert User.objects.get().email == "sue@shop.test"


def test_a_name_is_taken_once():
    ekiden("person", "invite", "on-call")
    with pytest.raises(CommandError, match="person reset on-call"):
        ekiden("person", "invite", "on-call")


def test_a_name_that_cannot_be_is_refused():
    with pytest.raises(CommandError, match="username"):
        ekiden("person", "invite", "on call")


def test_a_reset_ends_password_sessions_and_second_factor_and_invites_again():
    ekiden("person", "invite", "on-call")
    user = User.objects.get(username="on-call")
    user.set_password("a long enough password 42")
    user.save()
    TOTPDevice.objects.create(user=user, name="default", confirmed=True)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert "/account/invitation/" in ekiden("person", "reset", "on-call")
    user.refresh_from_db()
    assert not user.has_usable_password() and not TOTPDevice.objects.filter(user=user).exists()
    assert not client.session.exists(client.session.session_key)


def test_everybody_is_listed_with_role_and_second_factor():
    ekiden("person", "invite", "on-call")
    [facts] = ekiden_json("person", "list")
    assert facts == {
        "name": "on-call",
        "role": "operator",
        "projects": None,
        "is_active": True,
        "has_second_factor": False,
        "last_login": None,
    }


def test_nobody_is_reset_by_mistake():
    with pytest.raises(CommandError, match="There is no user"):
        ekiden("person", "reset", "nobody")


def test_a_role_and_projects_are_given_with_the_name():
    make.project(name="shop")
    ekiden("person", "invite", "sue", "--role", "support", "--project", "shop")
    [facts] = ekiden_json("person", "list")
    assert (facts["role"], facts["projects"]) == ("support", ["shop"])
    ekiden("person", "change", "sue", "--role", "auditor")
    [facts] = ekiden_json("person", "list")
    assert (facts["role"], facts["projects"]) == ("auditor", None)
    assert AuditEntry.objects.get(action="change").details["changed"]["role"] == [
        "support",
        "auditor",
    ]


def test_a_project_that_there_is_not_is_refused_and_nobody_is_made():
    with pytest.raises(CommandError, match="There is no project shop"):
        ekiden("person", "invite", "sue", "--project", "shop")
    assert not User.objects.exists()


@pytest.mark.parametrize("given", [["--role", "support"], ["--role", "owner", "--project", "shop"]])
def test_the_last_owner_stays_one(given):
    make.project(name="shop")
    ekiden("person", "invite", "otto", "--role", "owner")
    with pytest.raises(CommandError, match="the last owner"):
        ekiden("person", "change", "otto", *given)
    ekiden("person", "invite", "olga", "--role", "owner")
    ekiden("person", "change", "otto", *given)


def test_the_earlier_name_of_the_command_goes_on_and_makes_an_owner():
    assert "/account/invitation/" in ekiden("operator", "add", "mika")
    assert User.objects.get().role == "owner"
    assert "mika" in ekiden("operator", "list")
