"""A person downloads their recovery codes from the page that shows them once."""

from tests.relay_portal.portal.test_axe import (  # noqa: F401  (fixtures)
    DESK,
    cookies,
    opened,
    pytestmark,
)
from tests.relay_portal.portal.test_browser import faults_of


def test_the_codes_are_downloaded_as_a_sheet(opened, live_server):  # noqa: F811
    page = opened(**DESK)
    wrong = faults_of(page, live_server.url)
    page.goto(f"{live_server.url}/account/security/")
    page.click("button:has-text('Make recovery codes')")
    codes = page.locator(".portal-codes li").all_inner_texts()
    assert len(codes) == 10
    with page.expect_download() as download:
        page.click("a[download]")
    assert download.value.suggested_filename == "ekiden-recovery-codes.txt"
    assert download.value.path().read_text(encoding="utf-8").split("\n")[2:12] == codes
    assert wrong == []
