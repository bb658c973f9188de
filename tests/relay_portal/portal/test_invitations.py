"""Invitations: one link, one person, one second factor."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from domains.models import AuditEntry
from relay_portal.access import invitations
from relay_portal.models import Invitation, User
from tests.relay_portal.portal.conftest import INVITATION, PASSWORD, invited, person, verified
from tests.relay_portal.portal.test_login import LOGIN, SETUP, code_of, enrol

pytestmark = pytest.mark.django_db
CHOSEN = {"new_password1": PASSWORD, "new_password2": PASSWORD}


@pytest.fixture
def sue():
    return person("sue", enrolled=False)


@pytest.fixture
def link(sue):
    return f"{INVITATION}{invitations.invite(sue, by='olga')[1]}/"


def test_one_goes_from_the_link_to_password_second_factor_and_recovery_codes(client, sue, link):
    assert "sue" in client.get(link, follow=True).text
    assert client.post(INVITATION, CHOSEN).headers["Location"] == SETUP
    before = client.session.session_key
    assert enrol(client).headers["Location"] == "/account/security/codes/"
    assert client.session.session_key != before and client.get("/").status_code == 200
    assert "No recovery codes have been made yet." in client.get("/account/security/codes/").text
    sue.refresh_from_db()
    assert sue.check_password(PASSWORD) and sue.enrolled_at and not Invitation.objects.exists()
    assert [*AuditEntry.objects.order_by("id").values_list("actor", "action")] == [
        ("sue", "accept"),
        ("sue", "set_up_factor"),
    ]


def test_a_link_works_once(sue, link):
    first = Client()
    first.get(link)
    first.post(INVITATION, CHOSEN)
    enrol(first)
    second = Client()
    assert second.get(link, follow=True).status_code == 410
    assert second.post(INVITATION, CHOSEN).status_code == 410


def test_a_link_ends_after_three_days_and_when_a_newer_one_is_made(client, sue, link):
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(link, follow=True).status_code == 410
    invitation, token = invitations.invite(sue, by="olga")
    assert timezone.now() + timedelta(days=2, hours=23) < invitation.expires_at
    assert client.get(link, follow=True).status_code == 410
    assert client.get(f"{INVITATION}{token}/", follow=True).status_code == 200


def test_an_invitation_that_ended_meanwhile_enrols_nobody(sue):
    client = invited(sue)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(SETUP).headers["Location"].startswith(LOGIN)


def test_of_two_who_hold_the_link_one_enrols(sue, link):
    thief = Client()
    thief.get(link)
    thief.post(INVITATION, CHOSEN | {"new_password1": "x" * 20, "new_password2": "x" * 20})
    step = thief.post(SETUP, {"method-method": "generator", "set_up-current_step": "method"})
    owner = Client()
    owner.get(link)
    owner.post(INVITATION, CHOSEN)
    enrol(owner)
    key = step.context["wizard"]["form"].key
    thief.post(SETUP, {"generator-token": code_of(key), "set_up-current_step": "generator"})
    assert sue.totpdevice_set.count() == 1
    assert thief.get("/").headers["Location"].startswith(LOGIN)


def test_who_enrols_second_within_the_same_moment_is_out(sue, settings):
    """Without the guard, as for a request that has passed it just before the first one was done."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if not name.endswith(".Guard")]
    client = invited(sue)
    Invitation.objects.all().delete()
    assert enrol(client).headers["Location"] == LOGIN
    sue.refresh_from_db()
    assert not sue.totpdevice_set.exists() and sue.enrolled_at is None
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("password", ["short", "12345678901234567890", "password1234"])
def test_a_weak_password_is_refused_and_the_link_still_works(client, sue, link, password):
    client.get(link)
    weak = {"new_password1": password, "new_password2": password}
    if password.startswith("1"):
        weak["new_password2"] = "another"
    assert client.post(INVITATION, weak).status_code == 200
    assert not User.objects.get().has_usable_password()
    assert client.post(INVITATION, CHOSEN).status_code == 302


def test_nobody_guesses_a_link_and_the_page_holds_no_secret(client, sue, link):
    for guess in ("x", "a" * 32, sue.username):
        assert client.get(f"{INVITATION}{guess}/", follow=True).status_code == 410
    assert settings.SESSION_COOKIE_NAME not in client.cookies
    token = link.split("/")[-2]
    assert token not in client.get(link, follow=True).text
    assert token != Invitation.objects.get().token_hash


def test_somebody_who_was_shut_out_cannot_use_the_link(client, sue, link):
    User.objects.update(is_active=False)
    assert client.get(link, follow=True).status_code == 410


def test_an_invitation_logs_out_who_was_there_before(sue, link):
    browser = verified(person("otto"))
    browser.get(link)
    browser.post(INVITATION, CHOSEN)
    assert browser.session["_auth_user_id"] == str(sue.pk)
    assert browser.get("/").headers["Location"] == SETUP
