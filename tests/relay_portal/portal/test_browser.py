"""The portal in a real browser: every way in, and what the pages ask of other hosts (nothing)."""

import base64
import shutil
from datetime import timedelta

import pytest
from django.utils import timezone
from django_otp.oath import totp
from rq.registry import FailedJobRegistry
from rq.results import Result

from deliveries.backends.job_queues import MAINTENANCE, queue
from relay_portal.access.invitations import hashed
from relay_portal.models import Invitation
from smtp_listener.models import SandboxMessage
from tests.browsing import shows
from tests.deliveries import make
from tests.relay_portal.portal.conftest import PASSWORD, person

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium"),
]

# What a hostile mail would have the reader's browser do.
EVIL = (
    b"From: <script>alert(1)</script> <a@evil.test>\r\nSubject: <img src=x onerror=alert(2)>\r\n"
    b"Content-Type: multipart/alternative;"
    b" boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
    b"plain <script>alert(3)</script> words\r\n--b\r\nContent-Type: text/html\r\n"
    b'\r\n<img src="http://evil.test/pixel"><link rel=stylesheet '
    b'href="//evil.test/style"><iframe src="//evil.test/"></iframe>\r\n--b--\r\n'
)


TOKEN = "a-secret-of-a-link"


@pytest.fixture
def mail(transactional_db):
    Invitation.objects.create(
        user=person("otto", enrolled=False),
        token_hash=hashed(TOKEN),
        created_by="olga",
        expires_at=timezone.now() + timedelta(days=1),
    )
    make.delivery(
        "hanako@docomo.test",
        make.message(make.project(name="shop"), message_id="<order-1@shop.test>"),
    )
    SandboxMessage.objects.create(recipient="hanako@docomo.test", data=EVIL)
    link = b'<a href="http://evil.test/away" target="_self">away</a><form action="//evil.test/">'
    make.message(message_id="<evil@shop.test>", content=EVIL.replace(b"<iframe", link + b"<iframe"))


@pytest.fixture
def browser(mail, live_server):
    """Yield a page and what went wrong in it: errors, dialogs, requests to other origins."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = chromium.new_page()
        page.set_default_timeout(15_000)
        yield page, live_server.url, faults_of(page, live_server.url)
        chromium.close()


def faults_of(page, url):
    wrong = []

    def dismiss(dialog):
        wrong.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: wrong.extend(
            [message.text] if message.type in ("error", "warning") else []
        ),
    )
    page.on(
        "request",
        lambda request: wrong.extend(
            [] if request.url.startswith((url, "data:")) else [request.url]
        ),
    )
    return wrong


def give_password(page, url):
    page.goto(url)
    page.fill("[name=auth-username]", "otto")
    page.fill("[name=auth-password]", PASSWORD)
    page.click("text=Log in")


def accept_invitation(page, url):
    page.goto(f"{url}/account/invitation/{TOKEN}/")
    for name in ("new_password1", "new_password2"):
        page.fill(f"[name={name}]", PASSWORD)
    page.click("button:has-text('Next')")
    page.wait_for_url("**/setup/")


def enrol_app(page):
    page.click("button:has-text('Next')")
    secret = page.inner_text(".portal-code")
    page.fill("[name=generator-token]", f"{totp(base64.b32decode(secret)):06d}")
    page.click("button:has-text('Set up')")
    page.click("text=Make recovery codes")
    page.wait_for_selector(".portal-codes li")
    assert page.locator(".portal-codes li").count() == 10


def come_in(page, url):
    accept_invitation(page, url)
    enrol_app(page)


def give_passkeys(page):
    """Give the page a virtual authenticator that says yes at once, as a fast one does."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
    }
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**options, "automaticPresenceSimulation": True}},
    )


def test_a_person_enrols_finds_a_message_and_comes_back_with_a_passkey(browser):
    page, url, wrong = browser
    come_in(page, url)

    page.click("text=I have kept them")
    page.fill("[role=search] textarea", "hanako@docomo.test")
    page.click("text=Find")
    shows(page, "#content", "order-1@shop.test", "Queued")

    give_passkeys(page)
    page.goto(f"{url}/account/security/setup/")
    page.check("[value=webauthn]")
    page.click("button:has-text('Next')")
    page.wait_for_url("**/account/security/")
    assert page.locator(".portal-rows").first.locator("li").count() == 2

    page.context.clear_cookies()
    give_password(page, url)
    page.click("text=Use another second factor")
    page.wait_for_url(f"{url}/")
    shows(page, "#content", "Over time")
    assert wrong == []


def test_the_first_second_factor_may_be_a_passkey(browser):
    page, url, wrong = browser
    give_passkeys(page)
    accept_invitation(page, url)
    page.check("[value=webauthn]")
    page.click("button:has-text('Next')")
    page.wait_for_url("**/codes/")
    page.context.clear_cookies()
    give_password(page, url)
    page.wait_for_url(f"{url}/")
    assert wrong == []


def test_a_hostile_mail_is_shown_as_text_and_asks_nobody(browser):
    page, url, wrong = browser
    come_in(page, url)
    page.goto(f"{url}/smtp_listener/sandboxmessage/")
    page.click("#result_list tbody th a")
    page.click("summary:has-text('Source')")
    shows(page, "#content", "plain <script>alert(3)</script> words", "http://evil.test/pixel")
    assert (
        page.locator("#content img, #content iframe, #content script").count()
        == page.locator("#content #django-admin-form-add-constants").count()
    )
    assert wrong == []


def test_hostile_html_of_a_message_runs_loads_and_leads_nowhere(browser):
    page, url, wrong = browser
    come_in(page, url)
    refused = {}  # what the browser never sent, and why
    page.on("requestfailed", lambda request: refused.update({request.url: request.failure}))
    page.goto(f"{url}/deliveries/message/?q=evil@shop.test")
    page.click("text=Show content")
    page.wait_for_selector("iframe.portal-frame")
    shows(page, "pre", "plain")
    page.frame_locator("iframe.portal-frame").locator("text=away").click()
    page.wait_for_timeout(500)
    shows(page, "#content", "Content")
    asked = [text for text in wrong if text.startswith("http")]
    assert {refused.get(url) for url in asked} <= {"csp"}
    assert not any("away" in url for url in asked)


def test_the_language_changes_on_the_log_in_page(browser):
    page, url, wrong = browser
    page.goto(url)
    page.click("text=日本語")
    shows(page, "body", "パスワード")
    assert wrong == []


def test_an_operator_cancels_what_is_ticked_in_the_list(browser):
    page, url, wrong = browser
    come_in(page, url)
    page.goto(f"{url}/deliveries/delivery/")
    page.check("input.action-select")
    page.select_option("select[name=action]", "cancel")
    page.click("button:has-text('Run')")
    shows(page, "#content", "1 delivery waits", "hanako@docomo.test")
    page.fill("input[name=reason]", "sent by mistake")
    page.click("button:has-text('Do it to 1 delivery')")
    page.wait_for_url("**/deliveries/order/*/change/")
    shows(page, "#content", "Finished", "sent by mistake")
    page.goto(f"{url}/deliveries/delivery/?state=cancelled")
    shows(page, "#result_list", "hanako@docomo.test")
    assert wrong == []


def test_the_emergency_stop_asks_why_and_shows_itself_on_every_page(browser):
    page, url, wrong = browser
    come_in(page, url)
    page.goto(url)
    page.click("summary:has-text('Emergency stop')")
    page.click("button:has-text('Stop all delivery')")
    assert page.locator(".portal-emergency").count() == 0  # the browser asks for the reason first
    page.fill("input[name=reason]", "a flood")
    page.click("button:has-text('Stop all delivery')")
    page.wait_for_selector(".portal-emergency")
    page.goto(f"{url}/domains/project/")
    page.click(".portal-emergency a")
    page.click("summary:has-text('Resume')")
    page.fill("input[name=reason]", "over")
    page.click(".portal-ask button:has-text('Resume')")
    page.wait_for_url("**/deliveries/stop/")
    assert page.locator(".portal-emergency").count() == 0
    assert wrong == []


def test_an_operator_looks_at_failed_jobs_and_queues_all_of_them_again(browser, valkey):
    page, url, wrong = browser
    waiting = queue(MAINTENANCE, valkey)
    failed = FailedJobRegistry(queue=waiting)
    for _ in range(2):
        job = waiting.enqueue("deliveries.jobs.sweep")
        waiting.remove(job)
        job.set_status("failed")
        with valkey.pipeline() as pipe:
            failed.add(job, ttl=500, exc_string="RuntimeError: the disk is full", pipeline=pipe)
            Result.create_failure(job, 500, "RuntimeError: the disk is full", pipeline=pipe)
            pipe.execute()
    come_in(page, url)
    for path in (
        "",
        "queues/1/",
        "queues/1/details/",
        "queues/1/finished/",
        "queues/1/started/",
        "workers/1/",
        f"queues/1/{job.id}/",
    ):
        page.goto(f"{url}/queues/{path}")
        shows(page, "#main", "aintenance")
    page.click("#content >> text=View")
    shows(page, "#content", "the disk is full")
    page.goto(f"{url}/queues/queues/1/failed/")
    page.check("#action-toggle")
    page.select_option("select[name=action]", "requeue")
    page.click("#changelist button[name=index]")
    page.click("[value='Requeue 2 jobs']")
    page.wait_for_url("**/queues/1/failed/")
    shows(page, "body", "requeued 2 jobs")
    assert len(waiting.get_job_ids()) == 2
    assert wrong == []


def test_the_form_of_a_pause_asks_for_what_is_chosen(browser):
    page, url, wrong = browser
    come_in(page, url)
    page.goto(f"{url}/deliveries/stop/add/")
    page.select_option("select[name=scope]", "domain")
    page.wait_for_selector(".field-domain", state="visible")
    page.wait_for_selector(".field-project", state="hidden")
    assert wrong == []
