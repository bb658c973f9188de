"""Where one source carries all mail, a message goes straight to that source's lane at the site."""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.models import (
    Delivery,
    EgressRule,
    Node,
    Pool,
    PoolMember,
    Source,
    SourceRest,
    SourceState,
)
from tests.deliveries import make
from tests.deliveries.intake.test_committer import accept, submission

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.fixture
def lanes():
    """Make a source that a node has, a site, and the source's lane there."""
    source = Source.objects.create(name="east", ipv4="127.0.0.2")
    PoolMember.objects.create(pool=Pool.objects.create(name="default"), source=source)
    Node.objects.create(name="one", sources=["east"], seen_at=timezone.now())
    home = make.lane()
    make.leads_to(home, "mx.test")
    return home, make.lane(source="east", home=home)


def led_to(credential):
    accept(submission(credential))
    return Delivery.objects.get().lane


def test_it_goes_straight_to_the_lane_of_the_only_source(credential, lanes):
    assert led_to(credential) == lanes[1]


def test_it_goes_to_the_site_where_the_source_has_no_lane_yet(credential, lanes):
    lanes[1].delete()
    assert led_to(credential) == lanes[0]


def a_second_source():
    Source.objects.create(name="west", ipv4="127.0.0.3")


def a_rule():
    EgressRule.objects.create(sending_domain="news.test", pool=Pool.objects.get())


def a_rest():
    SourceRest.objects.create(source=Source.objects.get(), receiver="docomo", reason="blocked")


def no_member():
    PoolMember.objects.all().delete()


def no_node():
    Node.objects.update(seen_at=timezone.now() - timedelta(minutes=1))


def warming():
    Source.objects.update(state=SourceState.WARMING)


def warming_with_each():
    Source.objects.update(warms_each=True)


@pytest.mark.parametrize(
    "change",
    [a_second_source, a_rule, a_rest, no_member, no_node, warming, warming_with_each],
    ids=lambda change: change.__name__,
)
def test_the_site_chooses_wherever_there_may_be_a_choice(credential, lanes, change):
    change()
    assert led_to(credential) == lanes[0]


def test_a_rest_that_is_over_asks_for_no_choice(credential, lanes):
    a_rest()
    SourceRest.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert led_to(credential) == lanes[1]


def test_a_pool_that_nobody_has_made_is_all_sources(credential, lanes):
    Pool.objects.all().delete()
    assert led_to(credential) == lanes[1]
