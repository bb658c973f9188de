"""A day of each person in Chromium: what they come for, in how many clicks. The docs' pictures are
made by it, where `EKIDEN_PICTURES` names their folder.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

from domains.foundation.rights import Role
from domains.models import Credential
from tests.browsing import shows
from tests.relay_portal.portal.conftest import PASSWORD, person, verified
from tests.relay_portal.portal.day import BOUNCE, make_day
from tests.relay_portal.portal.test_axe import DESK, PHONE
from tests.relay_portal.portal.test_browser import faults_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium"),
]
PICTURES = os.environ.get("EKIDEN_PICTURES")
DARK = {**DESK, "locale": "ja-JP", "color_scheme": "dark"}


def kept(page, name, *, height=900):
    """Keep a picture of what the docs speak of."""
    if PICTURES:
        page.set_viewport_size({"width": 1280, "height": height})
        page.wait_for_timeout(500)
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


class Visitor:
    """A page of a person, that counts their clicks; `wrong` holds what a console would show."""

    def __init__(self, page, url):
        self.page, self.url, self.clicks, self.wrong = page, url, 0, faults_of(page, url)

    def opens(self, path=""):
        self.page.goto(f"{self.url}{path}")

    def clicks_on(self, what):
        self.clicks += 1
        self.page.click(what)


@pytest.fixture
def shop(transactional_db, valkey):
    return make_day()


@pytest.fixture
def app_page(shop):
    return f"/domains/credential/{Credential.objects.get(name='orders').pk}/change/"


@pytest.fixture
def people(shop, live_server):
    """Return the cookies of one person of each role, behind their second factor."""
    made = (
        person("otto", role=Role.OPERATOR),
        person("sue", operator=False, projects=[shop]),
        person("dora", role=Role.DEVELOPER, is_limited=True, projects=[shop]),
        person("anna", role=Role.AUDITOR),
        person("olga"),
    )
    return {"": []} | {
        user.username: [
            {"name": name, "value": each.value, "url": live_server.url}
            for name, each in verified(user).cookies.items()
        ]
        for user in made
    }


@pytest.fixture
def visit(people, live_server):
    """Return a function that opens a page of a person ("": of a stranger) on that screen."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )

        def opened(name, screen):
            context = chromium.new_context(**screen)
            context.add_cookies(people[name])
            page = context.new_page()
            page.set_default_timeout(15_000)
            return Visitor(page, live_server.url)

        yield opened
        chromium.close()


def test_an_operator_learns_why_a_message_waits_and_lets_it_go_in_four_clicks(visit):
    otto = visit("otto", DESK)
    otto.opens()
    shows(otto.page, "#content", "they move to another provider")
    kept(otto.page, "dashboard", height=1000)
    otto.clicks_on("#home-queue a:has-text('ken@partner.example')")
    shows(otto.page, ".portal-waiting", "otto", "they move to another provider")
    otto.clicks_on("text=The receiver")
    shows(otto.page, "#content", "they move to another provider")
    otto.clicks_on("summary:has-text('Resume')")
    if otto.page.locator(".portal-ask[open] input[name=reason]").count():
        otto.page.fill(".portal-ask[open] input[name=reason]", "they have moved")
    otto.clicks_on(".portal-ask[open] button:has-text('Resume')")
    shows(otto.page, "#content", "Pause…", "Idle")
    assert (otto.clicks, otto.wrong) == (4, [])


def test_an_operator_reads_it_in_japanese_in_the_dark(visit):
    otto = visit("otto", DARK)
    otto.opens("/deliveries/lane/")
    shows(otto.page, "#content", "partner.example", "状態")
    kept(otto.page, "receivers-ja", height=800)
    assert otto.wrong == []


def test_support_staff_is_led_from_a_pasted_bounce_to_its_message_in_one_click(visit):
    sue = visit("sue", DESK)
    sue.opens("/deliveries/message/?q=4711")
    shows(sue.page, "#content", "h•••o@docomo.example", "aligns with From")
    kept(sue.page, "message", height=1000)
    sue.opens("/deliveries/message/")
    sue.page.fill("[role=search] textarea", BOUNCE)
    sue.clicks_on("[role=search] button:has-text('Find')")
    sue.page.wait_for_url(re.compile(r"/message/[^/]+/change/"))
    assert sue.clicks == 1
    shows(sue.page, "#content", "hanako@docomo.example is suppressed in shop since",
          "Unknown recipient")  # fmt: skip
    sue.clicks_on("text=Lift…")
    sue.page.fill("input[name=reason]", "the mailbox is open again")
    sue.clicks_on("button:has-text('Lift')")
    sue.page.wait_for_load_state()
    assert sue.wrong == []


def test_support_staff_does_it_by_phone_in_japanese(visit):
    sue = visit("sue", PHONE)
    sue.opens("/deliveries/message/")
    sue.page.fill("[role=search] textarea", "hanako@docomo.example")
    sue.page.keyboard.press("Enter")
    sue.page.wait_for_url(re.compile(r"/message/[^/]+/change/"))
    shows(sue.page, "#content", "hanako@docomo.example", "不明な宛先")
    assert sue.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert sue.wrong == []


def test_a_developer_makes_a_credential_and_is_told_what_to_do_with_it(shop, visit):
    dora = visit("dora", DESK)
    dora.opens("/domains/credential/add/")
    dora.page.fill("[name=name]", "newsletter")
    if dora.page.locator("select[name=project]").count():
        dora.page.select_option("select[name=project]", str(shop.pk))
    dora.page.click("button[name=_save]")
    shows(dora.page, "#content", "Secret", "Django", "No message of it has come yet")
    kept(dora.page, "new-credential", height=1000)
    dora.page.click("text=Done")
    shows(dora.page, "body", "Send a test")
    assert dora.wrong == []


def test_an_auditor_reads_the_log_and_finds_no_button(visit):
    anna = visit("anna", DESK)
    anna.opens("/domains/auditentry/")
    shows(anna.page, "body", "Audit log")
    anna.opens("/deliveries/lane/")
    anna.page.click("#result_list a:has-text('partner.example')")
    shows(anna.page, "#content", "Pace")
    assert anna.page.locator("summary:has-text('Resume')").count() == 0
    assert anna.wrong == []


def test_an_owner_invites_a_person_who_gets_in_by_phone(visit):
    olga = visit("olga", DESK)
    olga.opens("/relay_portal/user/add/")
    olga.page.fill("[name=username]", "nina")
    olga.page.select_option("select[name=role]", "support")
    olga.page.click("button[name=_save]")
    shows(olga.page, "#content", "Works once, until")
    link = olga.page.locator("code:has-text('/account/invitation/')").inner_text()
    nina = visit("", PHONE)
    nina.page.goto(link)
    for name in ("new_password1", "new_password2"):
        nina.page.fill(f"[name={name}]", PASSWORD)
    nina.page.click("button:has-text('次へ')")
    nina.page.wait_for_url("**/setup/")
    assert olga.wrong == nina.wrong == []


def test_a_credential_shows_what_became_of_its_mail(app_page, visit):
    olga = visit("olga", DESK)
    olga.opens(app_page)
    shows(olga.page, "#content", "Its messages arrive")
    if PICTURES:
        olga.page.locator("[data-fragment]").scroll_into_view_if_needed()
    kept(olga.page, "credential")
    assert olga.wrong == []
