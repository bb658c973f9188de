import re

import pytest
from django.core.management.base import CommandError
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from relay_portal.models import User
from tests.commands import ekiden, ekiden_json

pytestmark = pytest.mark.usefixtures("mail_db")


def password_in(text):
    return re.search(r"password (\S+)", text)[1]


def test_an_operator_gets_a_password_that_is_shown_once():
    password = password_in(ekiden("operator", "add", "on-call"))
    user = User.objects.get(username="on-call")
    assert user.check_password(password)
    assert (user.is_staff, user.is_superuser) == (True, True)


def test_a_name_is_taken_once():
    ekiden("operator", "add", "on-call")
    with pytest.raises(CommandError, match="operator reset on-call"):
        ekiden("operator", "add", "on-call")


def test_a_name_that_cannot_be_is_refused():
    with pytest.raises(CommandError, match="username"):
        ekiden("operator", "add", "on call")


def test_a_reset_ends_sessions_and_forgets_the_second_factor():
    old = password_in(ekiden("operator", "add", "on-call"))
    user = User.objects.get(username="on-call")
    TOTPDevice.objects.create(user=user, name="default", confirmed=True)
    client = Client()
    client.force_login(user)
    new = password_in(ekiden("operator", "reset", "on-call"))
    user.refresh_from_db()
    assert (user.check_password(new), user.check_password(old)) == (True, False)
    assert not TOTPDevice.objects.filter(user=user).exists()
    assert not client.session.exists(client.session.session_key)


def test_everybody_is_listed_with_role_and_second_factor():
    ekiden("operator", "add", "on-call")
    [facts] = ekiden_json("operator", "list")
    assert facts == {
        "name": "on-call",
        "role": "operator",
        "is_active": True,
        "has_second_factor": False,
        "last_login": None,
    }


def test_nobody_is_reset_by_mistake():
    with pytest.raises(CommandError, match="There is no user"):
        ekiden("operator", "reset", "nobody")
