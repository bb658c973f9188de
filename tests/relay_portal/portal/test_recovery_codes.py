"""Recovery codes: a person is told where none is left, and keeps new ones as a sheet."""

import threading
from functools import partial
from urllib.parse import unquote

import pytest
from django.db import transaction
from django.test import Client
from django_otp.plugins.otp_static.models import StaticDevice

from relay_portal.access import recovery_codes
from relay_portal.models import User
from tests.deliveries.stage import in_thread
from tests.deliveries.steering.test_two_workers import held_up, is_held_up
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


def test_codes_that_are_made_twice_at_once_are_those_of_the_sheet_that_comes_last(mail_db):
    browser, first = verified(person()), []
    device = StaticDevice.objects.create(user=User.objects.get(), name="backup")
    other = threading.Thread(target=in_thread, args=[lambda: first.append(browser.post(CODES))])
    with transaction.atomic():
        recovery_codes.make(device, 10)
        other.start()
        while other.is_alive() and not is_held_up():
            pass
    other.join()
    assert len(first[0].context["codes"]) == device.token_set.count() == 10


def test_two_pages_that_are_opened_at_once_leave_one_place_for_codes(mail_db):
    browsers = [verified(user) for user in [person()] * 2]
    with transaction.atomic():
        User.objects.select_for_update().get()
        pages = [
            threading.Thread(target=in_thread, args=[partial(browser.get, CODES)])
            for browser in browsers
        ]
        for page in pages:
            page.start()
        while any(page.is_alive() for page in pages) and held_up() < len(pages):
            pass
    for page in pages:
        page.join()
    assert browsers[0].get(CODES).status_code == 200
    assert StaticDevice.objects.count() == 1
