"""People see where they are logged in, and sign out elsewhere."""

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from domains.models import AuditEntry
from tests.relay_portal.portal.conftest import code, person, verified
from tests.relay_portal.portal.test_login import LOGIN, give_password, give_token

pytestmark = pytest.mark.django_db
PAGE = "/account/security/"


@pytest.fixture
def otto():
    return person()


def test_the_page_lists_own_sessions_with_address_and_browser_and_no_others(otto):
    browser = Client(HTTP_USER_AGENT="Firefox on a <phone>", REMOTE_ADDR="192.0.2.7")
    give_password(browser)
    give_token(browser, code(otto.totpdevice_set.get()))
    verified(person("sue", operator=False))
    verified(otto)
    page = browser.get(PAGE)
    assert [each.is_this for each in page.context["sessions"]] == [True, False]
    assert "Firefox on a &lt;phone&gt;" in page.text and "192.0.2.7" in page.text


def test_one_other_session_is_signed_out(otto):
    here, there, third = verified(otto), verified(otto), verified(otto)
    for each in (there, third):
        each.get(PAGE)
    named = there.get(PAGE).context["sessions"][0].name
    here.post(f"{PAGE}sessions/{named}/end/")
    assert there.get("/").headers["Location"].startswith(LOGIN)
    assert third.get("/").status_code == here.get("/").status_code == 200
    assert AuditEntry.objects.get().action == "end_sessions"


def test_all_others_are_signed_out_and_this_one_and_other_peoples_stay(otto):
    here, there, sue = verified(otto), verified(otto), verified(person("sue", operator=False))
    here.post(f"{PAGE}sessions/end/")
    assert there.get("/").headers["Location"].startswith(LOGIN)
    assert here.get(PAGE).status_code == sue.get(PAGE).status_code == 200


def test_nobody_ends_another_persons_session(otto):
    sue = verified(person("sue", operator=False))
    named = sue.get(PAGE).context["sessions"][0].name
    verified(otto).post(f"{PAGE}sessions/{named}/end/")
    assert sue.get(PAGE).status_code == 200 and not AuditEntry.objects.exists()


def test_what_is_kept_of_a_session_is_encrypted(otto):
    browser = Client(HTTP_USER_AGENT="Firefox", REMOTE_ADDR="192.0.2.7")
    give_password(browser)
    give_token(browser, code(otto.totpdevice_set.get()))
    assert not any("192.0.2.7" in row.session_data for row in Session.objects.all())
