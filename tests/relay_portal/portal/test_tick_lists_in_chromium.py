"""Lists of boxes in a real browser: they narrow by what is typed and by the chosen project."""

import pytest

from domains.models import Domain
from tests.deliveries import make
from tests.relay_portal.portal.test_axe import (  # noqa: F401  (fixtures)
    DESK,
    PHONE,
    cookies,
    opened,
    pytestmark,
)
from tests.relay_portal.portal.test_browser import faults_of

ADD = "/domains/credential/add/"


@pytest.fixture
def many(cookies):  # noqa: F811
    for name, amount in (("shop", 1), ("wiki", 12)):
        project = make.project(name=name)
        for number in range(amount):
            Domain.objects.create(project=project, name=f"{name}{number}.test", token="t")


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_a_list_of_boxes_is_used_by_keyboard(screen, many, opened, live_server):  # noqa: F811
    page = opened(**screen)
    wrong = faults_of(page, live_server.url)
    page.goto(live_server.url + ADD)
    listed = page.locator("#id_domains label:visible")
    assert listed.count() == 13
    page.select_option("[name=project]", label="wiki")
    assert listed.count() == 12
    page.focus(".portal-narrow-list")
    page.keyboard.type("WIKI7")
    page.keyboard.press("Enter")
    assert listed.all_inner_texts() == ["wiki7.test"]
    assert page.url.endswith(ADD)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.fill(".portal-narrow-list", "")
    page.select_option("[name=project]", label="shop")
    assert listed.all_inner_texts() == ["shop0.test", "wiki7.test"]
    assert wrong == []
