"""The home page: its figures, the time that it shows, and where its numbers lead."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.message.ids import first_id_of
from deliveries.models import TrafficCount
from domains.models import Domain
from relay_portal.access.session_age import OPENED, SEEN
from relay_portal.pages import attention, spans
from tests.deliveries import make
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.usefixtures("mail_db")
NOW = datetime(2026, 5, 4, 12, 34, 56, tzinfo=UTC)


def count(amount, event="accepted", **given):
    at = given.pop("at", timezone.now().replace(second=0, microsecond=0))
    TrafficCount.objects.create(at=at, priority=1, event=event, amount=amount, **given)


def chosen(query):
    return spans.chosen(QueryDict(query), now=NOW)


def test_figures_are_those_of_the_counts(operator):
    count(7)
    count(6, "delivered", bucket=14)
    count(2, "bounced")
    found = operator.get("/").context
    assert {tile["event"]: tile["amount"] for tile in found["tiles"] if tile["amount"]} == {
        "accepted": 7,
        "delivered": 6,
        "bounced": 2,
    }
    assert found["total"].success_rate == 75
    [(_priority, time)] = found["times"]
    assert (time.amount, 0.09 < time.p50 < 0.13) == (6, True)


def test_the_page_looks_at_no_message_for_its_figures(operator, django_assert_max_num_queries):
    with django_assert_max_num_queries(45) as seen:
        operator.get("/?range=30d")
    counting = [each["sql"] for each in seen if "count(*)" in each["sql"].lower()]
    assert not [sql for sql in counting if "deliveries_message" in sql]
    assert all("LIMIT" in sql for sql in counting if "deliveries_delivery" in sql)


def test_the_fragment_is_the_page_without_its_frame(operator):
    count(3)
    answer = operator.get("/home/figures/?range=24h")
    assert "<html" not in answer.text and 'id="home-totals"' in answer.text
    data = answer.text.split('type="application/json">')[1].split("</script>")[0]
    assert sum(json.loads(data)["series"][0]["values"]) == 3


def test_an_open_page_keeps_no_session_alive(operator):
    session = operator.session
    session[OPENED] = session[SEEN] = long_ago = int(timezone.now().timestamp()) - 600
    session.save()
    assert operator.get("/home/figures/").status_code == 200
    assert operator.session[SEEN] == long_ago
    operator.get("/")
    assert operator.session[SEEN] > long_ago


def test_support_staff_sees_no_figures_of_all_projects():
    sue = verified(person("sue", operator=False))
    assert sue.get("/home/figures/").status_code == 403


@pytest.mark.parametrize(
    ("query", "name", "unit", "length"),
    [
        ("", "1h", "minute", timedelta(hours=1)),
        ("range=24h", "24h", "hour", timedelta(hours=24)),
        ("range=24h&by=minute", "24h", "minute", timedelta(hours=24)),
        ("range=7d&by=minute", "7d", "hour", timedelta(days=7)),
        ("range=30d", "30d", "day", timedelta(days=30)),
        ("range=nonsense&by=%00", "1h", "minute", timedelta(hours=1)),
    ],
)
def test_a_usual_range_ends_with_the_unit_under_way(query, name, unit, length):
    found = chosen(query)
    assert (found.name, found.span.unit, found.is_live) == (name, unit, True)
    assert found.span.until - found.span.since == length
    assert found.span.until > NOW


def test_a_time_of_ones_own_is_in_the_portals_zone():
    with timezone.override("Asia/Tokyo"):
        found = chosen("from=2026-05-01T00:00&to=2026-05-02T00:00")
        assert found.span.since == datetime(2026, 4, 30, 15, tzinfo=UTC)
        assert chosen(found.query()).span == found.span
    assert (found.is_live, found.span.unit) == (False, "hour")


def test_an_address_that_is_passed_on_shows_the_same_time_in_every_zone():
    with timezone.override("Asia/Tokyo"):
        found = chosen("from=2026-05-01T00:00&to=2026-05-02T00:00")
        query = found.query()
    assert chosen(query).span == found.span


def test_a_time_that_is_typed_stands_in_the_address_with_its_zone(operator):
    zone = "/account/security/time-zone/"
    operator.post(zone, {"zone": "Asia/Tokyo"})
    since = (timezone.now() - timedelta(days=2)).astimezone(ZoneInfo("Asia/Tokyo"))
    typed = f"{since:%Y-%m-%d}T09:00"
    led = operator.get(f"/?from={typed}&by=hour")
    assert parse_qs(led.headers["Location"].partition("?")[2]) == {
        "from": [f"{typed}:00+09:00"], "by": ["hour"],
    }  # fmt: skip
    assert f'name="from" required value="{typed}"' in operator.get(led.headers["Location"]).text
    operator.post(zone, {"zone": "UTC"})
    page = operator.get(led.headers["Location"]).text
    assert f'name="from" required value="{since:%Y-%m-%d}T00:00"' in page


@pytest.mark.parametrize(
    "query",
    [
        "from=tomorrow",
        "from=2026-05-09T00:00",
        "from=2026-05-02T00:00&to=2026-05-01T00:00",
        "from=2001-01-01T00:00",
        "from=2026-13-41T00:00",
        "to=2026-05-01T00:00",
    ],
)
def test_what_is_no_time_is_said_and_the_last_hour_shown(query):
    found = chosen(query)
    assert (found.is_refused, found.name) == (True, "1h")


def test_a_bar_leads_to_what_was_accepted_in_its_time(operator):
    then = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=10)
    make.delivery("before@mx.test", id=first_id_of(then - timedelta(seconds=1)))
    within = make.delivery("within@mx.test", id=first_id_of(then + timedelta(seconds=30)))
    count(1, at=then)
    found = operator.get("/").context
    [url] = [
        url
        for url, amount in zip(
            found["chart"]["urls"], found["chart"]["series"][0]["values"], strict=True
        )
        if amount
    ]
    assert [row.pk for row in operator.get(url).context["cl"].result_list] == [within.pk]


def test_what_wants_attention_is_named_with_its_page(operator):
    domain = Domain.objects.create(project=make.project(), name="new.test", token="t")
    page = operator.get("/").text
    assert "new.test" in page and f"/domains/domain/{domain.pk}/" in page


def test_each_process_and_service_is_told(operator):
    names = {each.name for each in operator.get("/").context["services"]}
    assert {"PostgreSQL", "Valkey", "Delivery workers", "Maintenance workers"} <= names


def test_the_chart_is_drawn_by_a_file_of_ours(operator):
    page = operator.get("/").text
    assert "/static/relay_portal/home.js" in page and "unfold/js/chart/chart.js" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_day_by_the_minute_lists_the_newest_only(operator, monkeypatch):
    monkeypatch.setattr("relay_portal.pages.home.ROWS", 2)
    now = timezone.now().replace(second=0, microsecond=0)
    for minutes in range(5):
        count(minutes + 1, at=now - timedelta(minutes=minutes))
    answer = operator.get("/home/figures/?range=24h&by=minute")
    rows = [amounts[0][0] for _label, _each, amounts in answer.context["rows"]]
    assert rows == [1, 2]
    assert "The newest 2 rows" in answer.text
    assert sum(answer.context["chart"]["series"][0]["values"]) == 15  # the chart has all
    assert "The newest" not in operator.get("/home/figures/?range=24h&by=hour").text


def test_a_list_of_what_has_ended_says_which_part_of_the_time_it_shows(operator):
    now = timezone.now()
    for since, is_cut in ((now - timedelta(days=7), True), (now - timedelta(hours=2), False)):
        span = urlencode({"since": f"{since.isoformat()}/{now.isoformat()}", "state": "bounced"})
        page = operator.get(f"/deliveries/delivery/?{span}")
        assert ("Only what was accepted from" in page.text) is is_cut
        if is_cut:
            asked = parse_qs(page.context["messages_url"].partition("?")[2])
            assert asked["state"] == ["bounced"]
            assert datetime.fromisoformat(asked["from"][0]) == since
            assert operator.get(page.context["messages_url"]).status_code == 200
    assert "Only what was accepted" in operator.get("/deliveries/delivery/?state=bounced").text
    assert "Only what was accepted" not in operator.get("/deliveries/delivery/?state=live").text


@pytest.mark.parametrize("hour", range(-2, 5))
def test_the_usual_span_reaches_now_in_the_night_in_which_clocks_go_back(hour):
    now = datetime(2026, 10, 25, tzinfo=UTC) + timedelta(hours=hour, minutes=30)
    with timezone.override("Europe/Berlin"):
        for name, length in (("1h", timedelta(hours=1)), ("24h", timedelta(hours=24))):
            span = spans.chosen(QueryDict(f"range={name}"), now=now).span
            since, until = span.since.astimezone(UTC), span.until.astimezone(UTC)
            assert now < until <= now + timedelta(hours=1), name
            assert until - since == length, name


def test_more_domains_than_are_named_are_told_and_their_findings_not_read(operator):
    project = make.project()
    for number in range(attention.SHOWN_MOST):
        Domain.objects.create(project=project, name=f"d{number:02}.test", token="t")
    assert "and others" not in operator.get("/").text
    Domain.objects.create(project=project, name="more.test", token="t")
    with CaptureQueriesContext(connection) as asked:
        found = attention.notices()
    assert [each.name for each in found][-1] == "and others"
    assert not [each for each in asked if '"findings"' in each["sql"].partition(" FROM ")[0]]


def test_the_success_rate_leads_to_the_rates_of_as_long_a_time(operator):
    now = timezone.now()
    own = {days: urlencode({"from": (now - timedelta(days=days)).isoformat()}) for days in (3, 399)}
    for query, hours in (
        ("range=1h", 24), ("range=24h", 24), ("range=7d", 168), ("range=30d", 720),
        (own[3], 168), (own[399], 2160),
    ):  # fmt: skip
        assert f'href="/error-rates/?hours={hours}"' in operator.get(f"/?{query}").text, query
