"""Every page of the portal in a real browser, judged by axe-core: WCAG 2.2 AA, on a desk in light
and English, on a phone in dark and Japanese. And a page that keeps itself true.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import axe_playwright_python  # type: ignore[import-untyped]  # its axe-core alone is used
import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from deliveries.models import Order
from tests.deliveries import make
from tests.relay_portal.portal import rows
from tests.relay_portal.portal.conftest import person, verified

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium"),
]

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Without a word of what is right, and without selectors: a third of the work.
RUN = """rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, selectors: false,
    resultTypes: ['violations']}).then(found => found.violations)"""
PAST_THE_EDGE = """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
    ["wider than the screen", ...[...document.querySelectorAll("body *")].filter(each =>
        each.getBoundingClientRect().right > window.innerWidth).slice(-3)
    .map(each => each.outerHTML.slice(0, 200))]"""
DESK = {"locale": "en-GB", "color_scheme": "light", "viewport": {"width": 1280, "height": 800}}
PHONE = {"locale": "ja-JP", "color_scheme": "dark", "viewport": {"width": 390, "height": 844}}
OTHERS = (
    "/", "/queues/", "/account/security/", "/account/security/codes/", "/account/security/setup/",
    "/password_change/", "/account/confirm/",
)  # fmt: skip


def paths():
    """Yield lists, rows, histories and forms of every model, and the pages that have no model."""
    yield from OTHERS
    for row in rows.of(make.project(name="shop")).values():
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        yield reverse(f"{name}_changelist")
        yield reverse(f"{name}_add")
        for page in ("change", "history", "delete"):
            yield reverse(f"{name}_{page}", args=[row.pk])


def violations(page):
    """Return what axe-core finds, a line for each element."""
    page.evaluate(f"{AXE}; null")
    return [
        f"{each['id']}: {node['html'][:200]} ({node['failureSummary'].replace(chr(10), ' ')[:200]})"
        for each in page.evaluate(RUN, RULES)
        for node in each["nodes"]
    ]


@pytest.fixture
def cookies(transactional_db, valkey, live_server):
    """Return the cookies of an owner behind the second factor."""
    client = verified(person())
    return [
        {"name": name, "value": each.value, "url": live_server.url}
        for name, each in client.cookies.items()
    ]


@pytest.fixture
def every(cookies):
    return list(paths())


@pytest.fixture
def order(cookies):
    """Make an order that is under way."""
    given = {"reason": "x", "created_by": "otto", "expected": 5}
    return Order.objects.create(verb="cancel", **given).pk


def finish(order):
    Order.objects.filter(pk=order).update(finished_at=timezone.now(), done=5, seen=5)
    connection.close()


@pytest.fixture
def opened(cookies):
    """Return a function that makes a context with what it is given, and opens a page of it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )

        def opens(**given):
            context = chromium.new_context(**given)
            context.add_cookies(cookies)
            return context.new_page()

        yield opens
        chromium.close()


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_no_page_violates_wcag(screen, every, opened, live_server):
    page = opened(bypass_csp=True, **screen)  # axe-core comes by evaluation
    wrong, seen = {}, 0
    for path in every:
        if page.goto(live_server.url + path).status != 200:
            continue  # a form that nobody has
        seen += 1
        if found := violations(page) + page.evaluate(PAST_THE_EDGE):
            wrong[path] = found
    assert not wrong, "\n".join(f"{path}: {each}" for path, all_ in wrong.items() for each in all_)
    assert seen > 60


def test_what_is_wrong_is_found(opened):
    page = opened(bypass_csp=True, **DESK)
    page.set_content("<title>A page</title><img src='x'><p style='color: #eee'>pale</p>")
    assert {each.partition(":")[0] for each in violations(page)} >= {"image-alt", "color-contrast"}


def test_the_page_of_an_order_follows_it_until_its_end(order, opened, live_server):
    page, asked = opened(**DESK), []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.install()
    url = f"{live_server.url}{reverse('admin:deliveries_order_change', args=[order])}"
    page.goto(url)
    page.wait_for_selector("text=Under way")
    with ThreadPoolExecutor(1) as aside:  # Playwright's loop runs in this thread
        aside.submit(finish, order).result()
    page.clock.fast_forward(2_000)
    page.wait_for_selector("text=Finished")
    page.clock.fast_forward(60_000)
    assert asked.count(url) == 2
