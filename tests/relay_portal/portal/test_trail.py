"""The trail above a page says what the sidebar says."""

import re

import pytest
from django.urls import reverse
from django.utils.html import strip_tags

from relay_portal.pages.navigation import SIDEBAR, link_of
from tests.deliveries import make

PAGES = [
    pytest.param(section, entry, id=entry.model)
    for section, entries in SIDEBAR
    for entry in entries
    if entry.model
]


def trail(client, path):
    """Return the words of the trail, without the arrows between them."""
    page = client.get(path).content.decode()
    begin = page.index("<title>")  # the same words stand in the head
    found = re.findall(
        r"<(?:a|span)[^>]*leading-5 min-w-0 truncate[^>]*>(.*?)</", page[begin:], re.DOTALL
    )
    return [strip_tags(each).strip() for each in found]


@pytest.mark.parametrize(("section", "entry"), PAGES)
def test_a_list_has_the_name_and_the_section_that_the_sidebar_gives_it(operator, section, entry):
    assert trail(operator, link_of(entry))[:2] == [str(section), str(entry.title)]


def test_one_object_stands_behind_its_list(operator):
    lane = make.lane("mx.docomo.test")
    path = reverse("admin:deliveries_lane_change", args=[lane.pk])
    section, title, name, *_ = trail(operator, path)
    assert (section, title) == ("Where mail goes", "Receivers") and "docomo" in name


def test_it_speaks_the_persons_language(operator):
    operator.defaults["HTTP_ACCEPT_LANGUAGE"] = "ja"
    assert trail(operator, "/deliveries/lane/")[:2] == ["メールの行き先", "受信側"]
