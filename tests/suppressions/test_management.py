from datetime import timedelta

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from domains.models import Project
from suppressions.models import Suppression
from tests.commands import ekiden, ekiden_json

pytestmark = pytest.mark.django_db


def test_an_address_is_suppressed_for_all_under_its_key():
    ekiden("suppression", "add", '"You"@MX.test', "--reason", "asked by letter")
    row = Suppression.objects.get()
    assert (row.address_key, row.project, row.source, row.reason) == (
        "you@mx.test",
        None,
        "person",
        "asked by letter",
    )


def test_a_projects_suppression_is_its_own():
    shop = Project.objects.create(name="shop")
    ekiden("suppression", "add", "you@mx.test", "--project", "shop")
    assert Suppression.objects.get().project == shop
    with pytest.raises(CommandError, match="whole installation"):
        ekiden("suppression", "lift", "you@mx.test", "--reason", "asked")
    ekiden("suppression", "lift", "you@mx.test", "--project", "shop", "--reason", "asked")
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


def test_a_whole_domain_until_a_day():
    ekiden("suppression", "add", "@MX.test", "--until", "2099-01-31")
    row = Suppression.objects.get()
    assert (row.address_key, row.until.year) == ("@mx.test", 2099)


@pytest.mark.parametrize("day", ["2001-01-01", "soon"])
def test_a_day_that_is_over_or_none_is_refused(day):
    with pytest.raises(CommandError):
        ekiden("suppression", "add", "you@mx.test", "--until", day)


def test_the_list_finds_by_domain():
    ekiden("suppression", "add", "you@mx.test")
    ekiden("suppression", "add", "you@elsewhere.test")
    assert [
        facts["address"] for facts in ekiden_json("suppression", "list", "--find", "@mx.test")
    ] == ["you@mx.test"]


def test_an_old_dead_address_is_lifted_only_for_certain():
    last = timezone.now() - timedelta(days=400)
    Suppression.objects.create(
        address_key="you@mx.test", reason="550 no", is_hard=True, last_seen_at=last
    )
    with pytest.raises(CommandError, match="new owner"):
        ekiden("suppression", "lift", "you@mx.test", "--reason", "asked")
    ekiden("suppression", "lift", "you@mx.test", "--reason", "asked", "--yes")
    assert not Suppression.objects.exists()
