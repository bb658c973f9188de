import pytest
from django.core.management.base import CommandError

from domains.models import Project
from suppressions.models import Suppression
from tests.commands import ekiden, ekiden_json

pytestmark = pytest.mark.django_db


def test_an_address_is_suppressed_for_all_under_its_key():
    ekiden("suppression", "add", '"You"@MX.test', "--reason", "asked by letter")
    row = Suppression.objects.get()
    assert (row.address_key, row.project, row.source, row.reason) == ("you@mx.test", None, "person", "asked by letter")


def test_a_projects_suppression_is_its_own():
    shop = Project.objects.create(name="shop")
    ekiden("suppression", "add", "you@mx.test", "--project", "shop")
    assert Suppression.objects.get().project == shop
    with pytest.raises(CommandError, match="whole installation"):
        ekiden("suppression", "remove", "you@mx.test")
    ekiden("suppression", "remove", "you@mx.test", "--project", "shop")
    assert not Suppression.objects.exists()


def test_an_address_is_suppressed_once():
    ekiden("suppression", "add", "you@mx.test")
    with pytest.raises(CommandError, match="already exists"):
        ekiden("suppression", "add", "You@mx.test")


def test_the_list_tells_whom_and_why():
    assert "No address" in ekiden("suppression", "list")
    ekiden("suppression", "add", "you@mx.test", "--reason", "asked")
    assert "asked" in ekiden("suppression", "list")
    [facts] = ekiden_json("suppression", "list")
    assert (facts["address"], facts["project"], facts["reason"]) == ("you@mx.test", None, "asked")


def test_what_is_no_address_is_refused():
    with pytest.raises(CommandError):
        ekiden("suppression", "add", "nonsense")
