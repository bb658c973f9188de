"""The pages about receivers at work: what they are called, who comes first, and their past."""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.models import BackOff, LanePace
from tests.deliveries import make

pytestmark = pytest.mark.django_db
LIST = "/deliveries/lane/"


def test_a_receiver_is_called_by_its_domain_its_host_and_port_or_the_sandbox(operator, settings):
    make.leads_to(make.lane("mx1.test"), "docomo.test")
    make.leads_to(make.lane("mx2.test"), "a.test", "b.test")
    make.lane("smart.test", is_routed=True, hosts=[[0, "smart.test", 587]])
    sandbox = [[0, "127.0.0.1", settings.EKIDEN_SANDBOX_PORT]]
    make.lane("box", is_routed=True, hosts=sandbox)
    page = operator.get(LIST).text
    for name in ("docomo.test", "mx2.test (several domains)", "smart.test:587", "Sandbox"):
        assert f">{name}<" in page


def test_those_in_trouble_stand_on_top(operator):
    now = timezone.now()
    make.lane("paused.test", paused_until=now + timedelta(hours=1))
    make.lane("closed.test", closed_at=now)
    make.lane("failing.test", failures=2)
    make.lane("well.test")
    page = operator.get(LIST).text
    places = [page.index(f">{name}.test<") for name in ("closed", "paused", "failing", "well")]
    assert places == sorted(places)


def test_the_page_of_one_draws_its_pace_and_tells_its_back_offs(operator):
    lane, now = make.lane(), timezone.now()
    minute = now.replace(second=0, microsecond=0) - timedelta(minutes=2)
    LanePace.objects.create(lane=lane, at=minute, allowed=5, learned=2.5, connections=3, sent=120)
    BackOff.objects.create(lane=lane, at=now, kind="slowed", rate=2.5, reply="421 <b>slow down")
    page = operator.get(f"{LIST}{lane.pk}/change/")
    in_use, learned, allowed = page.context["chart"]["series"]
    assert 2.0 in in_use["values"] and 2.5 in learned["values"] and 5.0 in allowed["values"]
    assert "421 &lt;b&gt;slow down" in page.text
    assert "2.50 a second" in page.text


def test_a_longer_time_has_fewer_points_and_another_lane_none(operator):
    lane, other, now = make.lane(), make.lane("other.test"), timezone.now()
    LanePace.objects.create(lane=lane, at=now - timedelta(days=3), connections=1, sent=1800)
    page = operator.get(f"{LIST}{lane.pk}/change/?range=7d")
    assert 1.0 in page.context["chart"]["series"][0]["values"]
    assert len(page.context["chart"]["labels"]) == 336
    assert "No figures in that time" in operator.get(f"{LIST}{other.pk}/change/?range=x").text


def test_a_lane_of_many_domains_says_that_there_are_more(operator):
    lane = make.lane()
    make.leads_to(lane, *(f"d{number:03}.test" for number in range(100)))
    assert "d099.test, …" not in operator.get(f"{LIST}{lane.pk}/change/").text
    make.leads_to(lane, "more.test")
    assert "d099.test, …" in operator.get(f"{LIST}{lane.pk}/change/").text
