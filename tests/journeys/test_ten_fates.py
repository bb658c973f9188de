"""Ten recipients with ten fates: what each answer means, what it leads to, and the way back for
one of them, on the real service.
"""

import base64
import re
import secrets
import shutil
from contextlib import contextmanager

import pytest
from django_otp.oath import totp

from tests.browsing import shows
from tests.journeys.rig import wait_until
from tests.journeys.service import up

pytestmark = [
    pytest.mark.peer, pytest.mark.browser, pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium"),
]  # fmt: skip

SENDER = "hello@demo.test"
# By the local part: the delivery's last state, the class of its answer, whether the address is
# suppressed at once (the standard policy).
FATES = {
    "you": ("delivered", "", False),
    "unknown-user": ("bounced", "unknown_user", True),
    "unknown-user-docomo": ("bounced", "unknown_user", True),
    "new-owner": ("bounced", "unknown_user", True),
    "late-bounce": ("bounced", "unknown_user", True),
    "complaint": ("delivered", "complaint", True),
    "mailbox-full": ("deferred", "mailbox_full", False),
    "disabled": ("bounced", "mailbox_disabled", False),
    "blocked": ("bounced", "reputation", False),
    "content": ("bounced", "content", False),
}


@pytest.fixture(scope="module")
def service():
    with up(terminal=True) as running:
        yield running


def address(name):
    return f"{name}+ten@example.com"


def suppressed(service):
    return {row["address"] for row in service.json("suppression", "list")}


def outcome(service, name):
    """Return the delivery's state, and the class of the last answer that has one."""
    [delivery] = service.json("trace", address(name))["deliveries"]
    classes = [attempt["class"] for attempt in delivery["attempts"] if attempt["class"]]
    return delivery["state"], classes[-1] if classes else ""


@contextmanager
def portal(service):
    """Yield a page of the owner who was made at the first run, behind the second factor."""
    from playwright.sync_api import sync_playwright

    [link] = re.findall(r"^  Invitation +(\S+)", service.said(), re.MULTILINE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = chromium.new_page()
        page.set_default_timeout(15_000)
        page.goto(link.replace("localhost", "127.0.0.1"))
        password = secrets.token_urlsafe()
        for name in ("new_password1", "new_password2"):
            page.fill(f"[name={name}]", password)
        page.click("button:has-text('Next')")
        page.wait_for_url("**/setup/")
        page.click("button:has-text('Next')")
        secret = page.inner_text(".portal-code")
        page.fill("[name=generator-token]", f"{totp(base64.b32decode(secret)):06d}")
        page.click("button:has-text('Set up')")
        page.click("text=Make recovery codes")
        page.click("text=I have kept them")
        yield page
        chromium.close()


def lift(page, key, reason):
    page.click("a:has-text('Suppressions')")
    page.fill("#searchbar", key)
    page.press("#searchbar", "Enter")
    page.click(f"#result_list a:has-text('{key}')")
    shows(page, "#content", "Unknown recipient", "550 5.1.1 User unknown")
    page.click("text=Lift…")
    page.fill("[name=reason]", reason)
    page.click("button:has-text('Lift')")
    page.wait_for_selector("text=1 address gets mail again")


def test_ten_fates_and_the_way_back(service):
    sent = service.json("send", SENDER, *map(address, FATES), "--wait", "20")
    assert len(sent["deliveries"]) == len(FATES)
    wait_until(
        lambda: outcome(service, "late-bounce")[0] == "bounced", "the late bounce has come", 40
    )
    wait_until(
        lambda: outcome(service, "complaint")[1] == "complaint", "the complaint has come", 40
    )
    assert {name: outcome(service, name) for name in FATES} == {
        name: fate[:2] for name, fate in FATES.items()
    }

    dead = {address(name) for name, (_, _, is_suppressed) in FATES.items() if is_suppressed}
    wait_until(lambda: suppressed(service) == dead, "the dead addresses are suppressed", 20)

    again = service.run("send", SENDER, address("unknown-user"))
    assert again.returncode == 2
    assert "550 5.1.1 The recipient is suppressed: Unknown recipient" in again.stderr
    assert service.run("send", SENDER, address("you"), "--wait", "20").returncode == 0

    with portal(service) as page:
        lift(page, address("new-owner"), "The customer has a new phone")
    assert address("new-owner") not in suppressed(service)

    wait_until(
        lambda: service.run("send", SENDER, address("new-owner"), "--wait", "20").returncode == 0,
        "it is written to again",
        40,
    )
    [entry] = [row for row in service.json("audit") if row["what"] == "lift"]
    assert (entry["who"], entry["thing"], entry["reason"]) == (
        "owner",
        address("new-owner"),
        "The customer has a new phone",
    )
    assert entry["details"]["values"]["evidence"]["text"] == "User unknown"
    assert service.json("conservation")["missing"] == 0
