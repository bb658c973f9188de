"""Recovery codes: a person is told where none is left, and keeps new ones as a sheet."""

from urllib.parse import unquote

import pytest
from django.test import Client

from tests.relay_portal.portal.conftest import PASSWORD, person, verified

pytestmark = pytest.mark.django_db
LOGIN, PAGE, CODES = "/account/login/", "/account/security/", "/account/security/codes/"
NONE_YET, USED_UP = "No recovery codes have been made yet.", "All recovery codes are used up."


def log_in_by(recovery_code, client):
    auth = {"auth-username": "otto", "auth-password": PASSWORD, "log_in-current_step": "auth"}
    client.post(LOGIN, auth)
    client.post(LOGIN, {"wizard_goto_step": "backup", "log_in-current_step": "token"})
    given = {"backup-otp_token": recovery_code, "log_in-current_step": "backup"}
    return client.post(LOGIN, given)


def test_who_has_none_is_told_so_and_makes_them_from_that_page(operator):
    for path in (PAGE, CODES):
        text = operator.get(path).text
        assert NONE_YET in text and "Make recovery codes" in text and "0 recovery" not in text
    assert f'action="{CODES}"' in operator.get(PAGE).text


def test_the_number_is_told_where_some_are_left(operator):
    operator.post(CODES)
    for path in (PAGE, CODES):
        text = operator.get(path).text
        assert "10 recovery codes are left." in text and NONE_YET not in text


def test_who_has_used_all_of_them_is_told_that(operator):
    codes = operator.post(CODES).context["codes"]
    for each in codes:
        assert log_in_by(each, Client()).status_code == 302
    for path in (PAGE, CODES):
        text = operator.get(path).text
        assert USED_UP in text and NONE_YET not in text


def test_the_sheet_to_copy_or_download_names_whose_codes_these_are(operator, settings):
    settings.EKIDEN_HOSTNAME = "relay.example.com"
    page = operator.post(CODES)
    sheet = unquote(page.text.split('href="data:text/plain;charset=utf-8,')[1].split('"')[0])
    assert sheet.startswith("Recovery codes of otto at relay.example.com, ")
    assert sheet.split("\n")[2:12] == page.context["codes"]
    assert "no-store" in page.headers["Cache-Control"]


def test_nobody_is_asked_for_a_recovery_code_that_has_none():
    client = verified(person())
    client.get(CODES)
    assert "Recovery code<" not in client.get("/account/confirm/").text
    client.post(CODES)
    assert "Recovery code<" in client.get("/account/confirm/").text
