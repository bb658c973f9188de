"""In Chromium, by a real oidc-provider: in by the button of the log-in page, out by either side."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.sessions.models import Session
from django.db import connection

from domains.foundation.rights import Role
from relay_portal.models import GroupRole, User
from tests.relay_portal.openid.conftest import LOGIN, named, started

pytestmark = [
    pytest.mark.peer,
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium"),
]


@pytest.fixture
def real(transactional_db, live_server, settings, tmp_path):
    """Make members of `mail` operators; the provider tells the portal of log-outs itself."""
    settings.EKIDEN_OPENID_FACTOR = ["amr:otp"]
    settings.EKIDEN_OPENID_NAME = "Company log-in"
    GroupRole.objects.create(group="mail", role=Role.OPERATOR, is_limited=False)
    tells = f"{live_server.url}/account/provider/end/"
    with started(tmp_path, portal=live_server.url, told_at=tells) as provider:
        yield named(provider, settings, tmp_path)


def note_errors(page):
    """Keep in its `wrong` what its scripts raise."""
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))


@pytest.fixture
def page(real, valkey):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = chromium.new_page()
        page.set_default_timeout(60_000)
        note_errors(page)
        yield page
        chromium.close()


@pytest.fixture
def inside(page, live_server):
    """Mika, who came by the button, in the portal."""
    page.goto(live_server.url)
    page.click("a:has-text('Log in with Company log-in')")
    page.wait_for_url("**/interaction/**")
    page.fill("[name=login]", "mika")
    page.click("text=That is me")
    page.wait_for_url(f"{live_server.url}/")
    return page


def by_database(question):
    """Ask it in a thread of its own: in this one Playwright's loop runs."""

    def ask():
        try:
            return question()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(ask).result()


def log_out_there(page):
    page.click("button[value=yes]")


def test_the_button_leads_to_the_provider_and_back_into_the_portal(inside):
    assert "Overview" in inside.title() and inside.wrong == []
    mika = by_database(User.objects.get)
    assert (mika.username, mika.role) == ("mika", "operator")


def test_a_log_out_in_the_portal_goes_on_to_the_provider_and_comes_back(inside, real, live_server):
    inside.click("[aria-label='Account'], [x-on\\:click='openUserLinks = !openUserLinks']")
    inside.click("#logout-form button")
    inside.wait_for_url(f"{real.issuer}/session/end?**")
    assert not by_database(Session.objects.exists)
    log_out_there(inside)
    inside.wait_for_url(re.compile(re.escape(live_server.url + LOGIN)))
    inside.click("a:has-text('Log in with Company log-in')")
    inside.wait_for_url("**/interaction/**")  # it asks who it is: nobody is logged in there either
    assert inside.wrong == []


def test_a_log_out_at_the_provider_ends_the_session_in_the_portal(inside, real, live_server):
    inside.goto(f"{real.issuer}/session/end")
    log_out_there(inside)
    inside.wait_for_url(f"{real.issuer}/session/end/success**")
    inside.goto(f"{live_server.url}/deliveries/message/")
    assert inside.url.startswith(live_server.url + LOGIN)
    assert not by_database(Session.objects.exists)
