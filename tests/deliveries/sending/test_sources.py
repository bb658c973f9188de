"""Mail leaves by the source that its pool and the rules say, and by another where that one is
away.
"""

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.insight import tracing
from deliveries.insight.receiver_names import receiver_name
from deliveries.jobs import watch_sources
from deliveries.models import (
    Attempt,
    Delivery,
    EgressRule,
    Lane,
    Node,
    Pool,
    PoolMember,
    Source,
    SourceRest,
)
from deliveries.queue.ledger_entries import PASSED
from deliveries.queue.source_lanes import LOST_CLAIM
from deliveries.steering import pauses
from deliveries.steering.selection import Selection, count
from domains.models import SetAside
from tests.deliveries import make
from tests.deliveries.stage import play

pytestmark = pytest.mark.usefixtures("mail_db")


def source(name, address, *, pool="default", weight=100, **given):
    made = Source.objects.create(name=name, ipv4=address, ehlo_name=f"{name}.us.test", **given)
    in_pool = Pool.objects.get_or_create(name=pool)[0]
    PoolMember.objects.create(pool=in_pool, source=made, weight=weight)
    return made


def many(number, **given):
    of = make.message(**given)
    return [make.delivery(to=f"u{each}@mx.test", of=of) for each in range(number)]


def by_source():
    return Counter(Attempt.objects.filter(outcome="delivered").values_list("source", flat=True))


def test_mail_is_shared_out_by_weight_and_each_source_says_its_own_name(settings):
    source("east", "127.0.0.2", weight=300)
    source("west", "127.0.0.3", weight=100)
    many(200)
    mx = play(settings)
    assert set(by_source()) == {"127.0.0.2", "127.0.0.3"}
    assert 110 <= by_source()["127.0.0.2"] <= 185
    assert {c for c in mx.commands if c.startswith("EHLO")} == {
        "EHLO east.us.test",
        "EHLO west.us.test",
    }
    assert mx.violations == []


def test_without_sources_mail_leaves_as_the_setting_says(settings):
    settings.EKIDEN_SOURCE = "127.0.0.4"
    make.delivery()
    play(settings)
    assert set(by_source()) == {"127.0.0.4"}
    assert set(Lane.objects.exclude(site="").values_list("home_id", flat=True)) == {None}


def test_a_rule_leads_a_project_to_its_pool(settings):
    source("east", "127.0.0.2")
    own = source("own", "127.0.0.3", pool="own")
    shop = make.project()
    EgressRule.objects.create(project=shop, pool=own.memberships.get().pool)
    make.delivery(of=make.message(shop))
    make.delivery("other@mx.test")
    play(settings)
    shops = Attempt.objects.filter(delivery__project=shop).values_list("source", flat=True)
    assert set(shops) == {"127.0.0.3"}
    assert by_source() == {"127.0.0.2": 1, "127.0.0.3": 1}


def test_a_rule_may_ask_for_the_sending_domain(settings):
    source("east", "127.0.0.2")
    own = source("own", "127.0.0.3", pool="own")
    EgressRule.objects.create(sending_domain="shop.test", pool=own.memberships.get().pool)
    make.delivery()
    make.delivery("b@mx.test", of=make.message(header_from="a@other.test"))
    play(settings)
    assert by_source() == {"127.0.0.2": 1, "127.0.0.3": 1}


def test_a_second_try_leaves_by_the_address_of_the_first(settings):
    source("east", "127.0.0.2")
    source("west", "127.0.0.3")
    shop = make.project(retry_schedule=[1, 1, 1])
    of = make.message(shop)
    for number in range(20):
        make.delivery(to=f"u{number}@mx.test", of=of)
    play(settings, lambda mx: mx.on("RCPT", *["450 4.2.0 greylisted"] * 20, "250 2.1.5 ok"))
    tried = {}
    for attempt in Attempt.objects.exclude(source=""):
        tried.setdefault(attempt.delivery_id, set()).add(attempt.source)
    assert len(tried) == 20
    assert {len(sources) for sources in tried.values()} == {1}


def test_mail_of_a_source_that_rests_for_the_receiver_goes_by_others(settings):
    east = source("east", "127.0.0.2")
    source("west", "127.0.0.3")
    SourceRest.objects.create(source=east, receiver="default", reason="blocked")
    many(20)
    play(settings)
    assert by_source() == {"127.0.0.3": 20}


def test_mail_in_the_lane_of_a_source_that_goes_out_of_use_is_led_to_others(settings):
    east = source("east", "127.0.0.2", state="out")
    source("west", "127.0.0.3")
    home = make.lane("in.mx.test", hosts=[[10, "in.mx.test", 25]])
    make.leads_to(home, "mx.test")
    lane = make.lane("in.mx.test", source=east.name, home=home, hosts=home.hosts)
    many(20)
    Delivery.objects.update(lane=lane)
    watch_sources()
    assert set(Delivery.objects.values_list("lane_id", flat=True)) == {home.pk}


@pytest.mark.parametrize("change", ["out of the pool", "a rule"])
def test_what_waits_in_a_sources_lane_follows_when_pools_change(settings, change):
    east, west = source("east", "127.0.0.2"), source("west", "127.0.0.3")
    home = make.lane("in.mx.test", hosts=[[10, "in.mx.test", 25]])
    make.leads_to(home, "mx.test")
    lane = make.lane("in.mx.test", source=east.name, home=home, hosts=home.hosts)
    many(20)
    Delivery.objects.update(lane=lane)
    if change == "a rule":
        pool = Pool.objects.create(name="other")
        PoolMember.objects.create(pool=pool, source=west, weight=1)
        EgressRule.objects.create(position=1, pool=pool)
    else:
        east.memberships.all().delete()
    led = Delivery.objects.filter(lane__source=west.name)
    play(settings, until=lambda: led.count() == 20)


def test_mail_waits_while_no_source_of_its_pool_may_carry_it(settings):
    source("east", "127.0.0.2", state="resting")
    (waiting,) = many(1)
    play(
        settings,
        until=lambda: Delivery.objects.filter(
            due_at__gt=timezone.now() + timedelta(seconds=9)
        ).exists(),
    )
    waiting.refresh_from_db()
    assert (waiting.state, waiting.attempt_count, waiting.attempts.count()) == ("queued", 0, 0)
    said = tracing.why_waiting(waiting, now=timezone.now())
    assert said.startswith("No source may carry it now: east rests. It is looked at again at ")


def test_a_node_says_which_sources_it_can_bind(settings):
    settings.EKIDEN_NODE = "here.test"
    source("east", "127.0.0.2")
    source("elsewhere", "192.0.2.77")
    many(20)
    play(settings)
    assert Node.objects.get().sources == ["east"]
    assert by_source() == {"127.0.0.2": 20}


def test_a_source_without_a_node_for_five_minutes_loses_its_mail_to_the_others(settings):
    source("east", "127.0.0.2")
    gone = source("gone", "192.0.2.77")
    home = make.lane("in.mx.test", hosts=[[10, "in.mx.test", 25]])
    make.leads_to(home, "mx.test")
    lane = make.lane("in.mx.test", source=gone.name, home=home, hosts=home.hosts)
    many(5)
    Delivery.objects.update(lane=lane)
    for seconds, lanes in ((290, {lane.pk}), (310, {home.pk})):
        seen_at = timezone.now() - timedelta(seconds=seconds)
        Node.objects.update_or_create(
            name="other.test", defaults={"sources": ["gone"], "seen_at": seen_at}
        )
        watch_sources()
        assert set(Delivery.objects.values_list("lane_id", flat=True)) == lanes


def stranded(site):
    home = make.lane(site)
    lane = make.lane(site, source="gone", home=home)
    return make.delivery(lane=lane), home


@pytest.mark.usefixtures("valkey")
def test_a_lane_that_cannot_be_led_home_holds_up_no_other(poison):
    (bad, _), (good, home) = stranded("bad.test"), stranded("good.test")
    poison(bad)
    watch_sources()
    assert Delivery.objects.get(pk=good.pk).lane_id == home.pk
    assert SetAside.objects.get().kind == "lane"


def test_what_a_dead_worker_had_in_hand_is_led_home_as_in_doubt():
    delivery, home = stranded("mx.test")
    Delivery.objects.filter(pk=delivery.pk).update(claim=7)
    watch_sources()
    delivery.refresh_from_db()
    assert (delivery.lane_id, delivery.claim) == (home.pk, LOST_CLAIM)
    assert LOST_CLAIM < 0 and LOST_CLAIM != PASSED  # claimed, and no entry's of the ledger


def test_a_person_who_pauses_a_receiver_pauses_it_at_every_source():
    _, home = stranded("mx.test")
    blocked = make.lane("mx.test", source="other", home=home, closed_at=timezone.now())
    pauses.close(home, reason="asked", by="otto")
    assert set(Lane.objects.filter(home=home).values_list("closed_by", flat=True)) == {"otto", ""}
    assert count(Selection(lane=home.pk)) == 1
    pauses.reopen(home)
    assert set(Lane.objects.filter(closed_at__isnull=False)) == {blocked}


def test_the_lane_of_a_source_is_called_as_its_receiver_is():
    _, home = stranded("mx.test")
    make.leads_to(home, "shop.test")
    assert {receiver_name(each) for each in Lane.objects.with_domains().filter(site="mx.test")} == {
        "shop.test"
    }
