"""The rows of `bench.portal` are such as the service writes; each page that it times answers."""

from datetime import timedelta

import pytest
from django.db.models import Count, Sum
from django.utils import timezone

from bench import portal, portal_rows
from bench.portal import PageTime
from deliveries.models import Attempt, Delivery, Message, MessageTerms, TrafficCount
from deliveries.search import indexing

pytestmark = pytest.mark.django_db


@pytest.fixture
def filled():
    portal_rows.fill(1000)


def test_rows_and_counts_agree(filled):
    counted = TrafficCount.objects.values("event").annotate(n=Sum("amount"))
    of = {row["event"]: row["n"] for row in counted}
    states = dict(Delivery.objects.values_list("state").annotate(n=Count("*")).order_by())
    assert (of.pop("accepted"), of) == (1000, states)
    assert (Message.objects.count(), MessageTerms.objects.count()) == (200, 200)
    assert Attempt.objects.count() == 1000 - states["suppressed"]
    today = Message.objects.filter(accepted_at__gt=timezone.now() - timedelta(days=1))
    assert 95 <= today.count() <= 100


def test_the_terms_are_those_that_the_index_would_have(filled):
    written = {each.pk: set(each.terms) for each in MessageTerms.objects.all()}
    indexing.renew(list(written))
    assert written == {each.pk: set(each.terms) for each in MessageTerms.objects.all()}


def test_every_page_that_is_timed_answers(filled):
    client = portal.owner()
    for _name, path, _most in portal.pages(1000):
        assert portal.ask(client, path) > 0


def test_a_page_is_slow_by_what_it_takes_after_the_first_look():
    quick = PageTime("home", "/", 300, 900.0, 40.0, 35.0, 9.0, 12, ("SELECT 1", 3.0))
    slow = PageTime("search", "/?q=", 200, 250.0, 201.0, 30.0, 171.0, 3, ("SELECT 2", 190.0))
    lines = portal.table([quick, slow])
    assert lines[2] == "| home | 900 | 40 | 300 | 35 | 9 | 12 |"
    assert lines[3] == "| search (slow) | 250 | 201 | 200 | 30 | 171 | 3 |"
    assert (quick.is_slow_alone, slow.is_slow_alone) == (False, True)
