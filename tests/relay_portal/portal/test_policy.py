"""The pages work in Chromium under a policy without eval, by a build of Alpine that needs none."""

import shutil

import pytest
from django.urls import reverse

from tests.deliveries import make
from tests.relay_portal.portal import rows
from tests.relay_portal.portal.conftest import person, verified
from tests.relay_portal.portal.test_browser import faults_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium"),
]
SIDEBAR = "localStorage.getItem('sidebarDesktopOpen')"


@pytest.fixture
def paths(transactional_db):
    """Return lists and rows of every model, and some pages that have none."""
    found = ["/", "/queues/", "/account/security/", "/error-rates/", "/classification/"]
    for row in rows.of(make.project(name="shop")).values():
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        found += [reverse(f"{name}_changelist"), reverse(f"{name}_change", args=[row.pk])]
    return found


@pytest.fixture
def page(paths, valkey, live_server):
    """Yield an owner's, whose `wrong` holds all that a console would show."""
    from playwright.sync_api import sync_playwright

    client = verified(person())
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        context = chromium.new_context(viewport={"width": 1280, "height": 800})
        cookies = [
            {"name": name, "value": each.value, "url": live_server.url}
            for name, each in client.cookies.items()
        ]
        context.add_cookies(cookies)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.wrong = faults_of(page, live_server.url)
        yield page
        chromium.close()


def test_no_page_complains(paths, page, live_server):
    wrong = {}
    for path in paths:
        page.goto(live_server.url + path)
        if page.wrong:
            wrong[path] = page.wrong.copy()
            page.wrong.clear()
    assert not wrong


def test_menus_theme_and_sidebar_do_what_they_did(page, live_server):
    page.goto(live_server.url)
    page.click("[x-on\\:click='openUserLinks = !openUserLinks']")
    page.wait_for_selector("text=Account security", state="visible")
    page.click("[x-on\\:click='sidebarDesktopOpen = !sidebarDesktopOpen']")
    assert page.evaluate(SIDEBAR) == "0"
    page.reload()
    page.click("[x-on\\:click='sidebarDesktopOpen = !sidebarDesktopOpen']")
    assert page.evaluate(SIDEBAR) == "1"
    page.evaluate("Alpine.$data(document.documentElement).switchTheme('dark')")
    page.wait_for_selector("html.dark")
    assert not page.wrong
