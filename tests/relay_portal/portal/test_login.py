"""Log-in, enrolment and sessions, through the real forms."""

import time

import pytest
from django.conf import settings
from django.contrib.auth import login
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from domains.models import AuditEntry
from relay_portal.access.fresh_factor import SHOWN_AT
from relay_portal.access.session_age import OPENED, SEEN
from relay_portal.access.sessions import SessionStore
from relay_portal.models import User
from tests.relay_portal.portal.conftest import (
    PASSWORD,
    code,
    code_of,
    person,
    verified,
)

pytestmark = pytest.mark.django_db

LOGIN, SETUP = "/account/login/", "/account/security/setup/"


def give_password(client, name="otto", password=PASSWORD, **given):
    return client.post(
        LOGIN,
        {"auth-username": name, "auth-password": password, "log_in-current_step": "auth"},
        **given,
    )


def give_token(client, token):
    return client.post(LOGIN, {"token-otp_token": token, "log_in-current_step": "token"})


def enrol(client):
    client.get(SETUP)
    step = client.post(SETUP, {"method-method": "generator", "set_up-current_step": "method"})
    key = step.context["wizard"]["form"].key
    return client.post(SETUP, {"generator-token": code_of(key), "set_up-current_step": "generator"})


def test_password_and_code_open_the_portal(client):
    user = person()
    assert give_password(client).context["wizard"]["steps"].current == "token"
    assert client.get("/").status_code == 302
    assert give_token(client, code(user.totpdevice_set.get())).headers["Location"] == "/"
    assert client.get("/").status_code == 200


def did():
    return list(AuditEntry.objects.order_by("id").values_list("actor", "action", "object_name"))


def test_what_people_do_to_their_own_second_factors_and_password_is_written_down():
    user = person()
    browser = verified(user)
    spare = TOTPDevice.objects.create(user=user, name="default")
    browser.post("/account/security/codes/")
    browser.post(f"/account/security/remove/{spare.persistent_id}/")
    form = {
        "old_password": PASSWORD,
        "new_password1": "another long word 17",
        "new_password2": "another long word 17",
    }
    browser.post("/password_change/", form | {"new_password2": "mistyped"})
    browser.post("/password_change/", form)
    assert did() == [
        ("otto", action, "otto")
        for action in ("make_recovery_codes", "remove_factor", "change_password")
    ]
    assert "another long word" not in str(list(AuditEntry.objects.values()))


def test_a_code_works_once(client):
    user = person()
    token = code(user.totpdevice_set.get())
    for browser, expected in ((client, 302), (Client(), 200)):
        give_password(browser)
        assert give_token(browser, token).status_code == expected


def test_a_stranger_leaves_no_session_behind(client):
    person()
    for path in ("/", LOGIN, SETUP, "/account/webauthn/get_credential/", "/nowhere", "/health/"):
        client.get(path)
    client.post("/i18n/setlang/", {"language": "ja"})
    give_password(client, password="wrong")
    give_password(client, name="nobody")
    give_token(client, "123456")
    client.post(LOGIN, {"challenge_device": "x", "log_in-current_step": "token"})
    assert (Session.objects.count(), settings.SESSION_COOKIE_NAME in client.cookies) == (0, False)
    give_password(client)
    assert Session.objects.count() == 1


def test_the_session_key_changes_at_the_second_factor(client):
    user = person()
    give_password(client)
    before = client.session.session_key
    give_token(client, code(user.totpdevice_set.get()))
    assert client.session.session_key != before


def test_the_password_is_not_kept_between_the_steps(client):
    person()
    give_password(client)
    kept = [SessionStore().decode(session.session_data) for session in Session.objects.all()]
    assert any(kept) and PASSWORD not in str(kept)


def test_a_password_without_a_second_factor_asks_for_an_invitation(client):
    person(enrolled=False)
    answer = give_password(client)
    assert answer.headers["Location"] == LOGIN and "_auth_user_id" not in client.session
    assert "ask an owner for an invitation" in client.get(LOGIN).text


def test_who_lost_every_second_factor_cannot_enrol_by_the_password(client):
    user = person()
    user.totpdevice_set.all().delete()
    give_password(client)
    assert client.get(SETUP).headers["Location"].startswith(LOGIN)


def test_recovery_codes_are_shown_once_and_work_once(client):
    user = person()
    codes = verified(user).post("/account/security/codes/").context["codes"]
    assert len(codes) == 10 and codes[0] not in verified(user).get("/account/security/codes/").text
    for expected in (302, 200):
        give_password(client)
        client.post(LOGIN, {"wizard_goto_step": "backup", "log_in-current_step": "token"})
        answer = client.post(LOGIN, {"backup-otp_token": codes[0], "log_in-current_step": "backup"})
        assert answer.status_code == expected
        client = Client()
    assert StaticDevice.objects.get().token_set.count() == 9


def test_the_only_second_factor_cannot_be_removed():
    user = person()
    device = user.totpdevice_set.get()
    verified(user).post(f"/account/security/remove/{device.persistent_id}/")
    assert user.totpdevice_set.count() == 1


def test_a_new_invitation_ends_the_sessions_and_the_second_factors(operator):
    sue = person("sue", operator=False)
    session = verified(sue)
    shown = operator.post(f"/relay_portal/user/{sue.pk}/do/invite/")
    sue.refresh_from_db()
    assert not sue.has_usable_password() and sue.enrolled_at is None
    assert not sue.totpdevice_set.exists() and "/account/invitation/" in str(shown.context["rows"])
    assert session.get("/").headers["Location"].startswith(LOGIN)


def test_a_wrong_password_locks_the_name_out_at_the_tenth_try_from_one_address(client):
    person()
    for _ in range(9):
        assert give_password(client, password="wrong").status_code == 200
    assert give_password(client, password="wrong").status_code == 429
    assert give_password(client).status_code == 429
    assert give_password(Client(REMOTE_ADDR="192.0.2.9")).status_code == 200


def test_a_lie_about_the_address_does_not_escape_the_lock(client):
    person()
    for number in range(10):
        last = give_password(
            client,
            password="wrong",
            REMOTE_ADDR="192.0.2.9",
            HTTP_X_FORWARDED_FOR=f"198.51.100.{number}",
        )
    assert last.status_code == 429


def test_behind_a_proxy_of_this_host_the_address_it_wrote_counts(client):
    person()
    for number in range(10):
        give_password(
            client, password="wrong", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}, 192.0.2.66"
        )
    assert give_password(client, HTTP_X_FORWARDED_FOR="192.0.2.66").status_code == 429
    assert give_password(client, HTTP_X_FORWARDED_FOR="192.0.2.67").status_code == 200


@pytest.mark.parametrize(
    ("stamp", "age"), [(SEEN, settings.SESSION_IDLE), (OPENED, settings.SESSION_LONGEST)]
)
def test_a_session_ends_by_idleness_and_by_age(operator, stamp, age):
    assert operator.get("/").status_code == 200
    session = operator.session
    session[stamp] = int(time.time() - age.total_seconds()) - 1
    session.save()
    assert operator.get("/").headers["Location"].startswith(LOGIN)


@pytest.mark.parametrize(
    ("stamp", "age"), [(SEEN, settings.SESSION_IDLE), (OPENED, settings.SESSION_LONGEST)]
)
def test_a_log_in_over_an_old_session_of_ones_own_begins_anew(client, stamp, age):
    """A password manager opens the log-in page itself, and the gate has not ended the session."""
    user = person()
    client.cookies = verified(user).cookies
    assert client.get("/").status_code == 200
    session = client.session
    session[stamp] = int(time.time() - age.total_seconds()) - 1
    session.save()
    give_password(client)
    assert give_token(client, code(user.totpdevice_set.get())).headers["Location"] == "/"
    assert client.session.session_key != session.session_key
    assert client.get("/").status_code == 200


def test_a_second_factor_of_an_earlier_log_in_counts_for_no_later_one(client):
    """A provider's word over a session that was left open, say."""
    user = person()
    client.cookies = verified(user).cookies
    assert client.get("/").status_code == 200
    request = HttpRequest()
    request.session = client.session
    login(request, User.objects.get(), backend="django.contrib.auth.backends.ModelBackend")
    assert DEVICE_ID_SESSION_KEY not in request.session
    assert SHOWN_AT not in request.session


def test_who_logs_out_is_out(operator):
    assert operator.post("/logout/").headers["Location"] == LOGIN
    assert operator.get("/").status_code == 302


def test_cookies_are_for_https_where_the_request_was(client):
    person()
    cookies = give_password(client, secure=True).cookies
    assert cookies["ekiden_session"]["secure"] and cookies["ekiden_session"]["httponly"]
    assert not give_password(Client()).cookies["ekiden_session"]["secure"]


def test_the_log_in_leads_nowhere_else(client):
    user = person()
    give_password(client)
    token = code(user.totpdevice_set.get())
    answer = client.post(
        f"{LOGIN}?next=https://evil.test/",
        {"token-otp_token": token, "log_in-current_step": "token"},
    )
    assert answer.headers["Location"] == "/"


def test_every_post_needs_its_token():
    user = person()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = verified(user).cookies
    for path in (
        "/account/logout/",
        "/relay_portal/user/add/",
        f"/relay_portal/user/{user.pk}/do/invite/",
        "/language/",
        LOGIN,
    ):
        assert strict.post(path).status_code == 403


def test_the_policy_allows_no_inline_script_and_no_other_origin(client):
    answer = client.get(LOGIN)
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {
        "script-src 'self'",
        "default-src 'none'",
        "frame-ancestors 'none'",
    } <= set(policy)
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert (
        "http://" not in answer.text.replace("http://www.w3.org", "")
        and "<script>" not in answer.text
    )


def test_another_host_name_is_not_answered(client):
    assert client.get(LOGIN, headers={"host": "evil.test"}).status_code == 400


def test_the_log_in_speaks_of_codes_and_of_no_staff(client):
    person()
    page = give_password(client, password="wrong")
    assert "The user name or the password is wrong." in page.text and "staff" not in page.text
    page = give_password(client)
    assert "Enter the code that your authenticator app shows." in page.text
    assert "oken:" not in page.text and "Code:" in page.text
