"""The pages of orders: what is chosen, looked at, given and stopped."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from deliveries.message.ids import first_id_of
from deliveries.models import Delivery, Lane, Order
from deliveries.models.states import DeliveryState
from tests.deliveries import make
from tests.relay_portal.portal.test_controls import WHY, do, later, written

pytestmark = pytest.mark.usefixtures("mail_db")


# --- orders ---------------------------------------------------------------------------------------
def order(browser, **form):
    return browser.post("/deliveries/order/add/", form | WHY, follow=True)


def test_what_matches_is_looked_at_before_the_order_and_nothing_is_changed_by_that(browser):
    waits = make.delivery(state=DeliveryState.DEFERRED)
    make.delivery("me@other.test")
    page = browser.get("/deliveries/order/add/?domain=mx.test&do=cancel")
    assert (page.context["found"].count, page.context["examples"][0][0]) == (1, waits)
    assert page.context["form"]["verb"].value() == "cancel"
    assert Delivery.objects.live().count() == 2 and not Order.objects.exists()


@pytest.mark.parametrize(
    ("verb", "left"),
    [
        ("cancel", {"state": "cancelled"}), ("bounce", {"state": "bounced"}),
        ("hold", {"hold": 1, "lane_id": Lane.PARKED}),
        ("reroute", {"lane_id": Lane.ROUTING}), ("retry", {"state": "deferred"}),
    ],
)  # fmt: skip
def test_each_verb_is_done_to_what_was_chosen_and_to_nothing_else(browser, verb, left):
    lane = make.lane()
    chosen = make.delivery(state=DeliveryState.DEFERRED, lane=lane, due_at=later())
    other = make.delivery("me@other.test", state=DeliveryState.DEFERRED, lane=lane, due_at=later())
    page = order(browser, verb=verb, domain="mx.test")
    assert "Finished" in page.text and "the customer asked" in page.text
    assert Delivery.objects.filter(pk=chosen.pk, **left).exists()
    other.refresh_from_db()
    assert (other.state, other.hold, other.lane_id) == (
        "deferred",
        0,
        lane.pk,
    ) and other.due_at > timezone.now()
    [(actor, action, name, reason)] = written()
    assert (actor, action, reason) == ("otto", "order", "the customer asked") and name == str(
        Order.objects.get()
    )


def test_what_is_held_is_released(browser):
    held = make.delivery(lane_id=Lane.PARKED, hold=Delivery.Hold.HELD)
    order(browser, verb="release", ids=str(held.pk))
    held.refresh_from_db()
    assert (held.hold, held.lane_id) == (Delivery.Hold.RELEASED, Lane.ROUTING)


def test_mail_is_led_to_a_host(browser):
    delivery = make.delivery(lane=make.lane())
    order(browser, verb="reroute", domain="mx.test", host="Next.test", port="2525", tls="required")
    delivery.refresh_from_db()
    assert (
        delivery.lane.is_forced
        and delivery.lane.hosts == [[0, "next.test", 2525]]
        and delivery.lane.tls == "required"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"verb": "delete"},
        {"verb": ""},
        {"host": "http://x", "verb": "reroute"},
        {"reason": ""},
        {"ids": "nonsense"},
        {"domain": "a b"},
    ],
)
def test_an_order_that_makes_no_sense_is_not_given(browser, wrong):
    make.delivery()
    browser.post("/deliveries/order/add/", {"verb": "cancel", "domain": "mx.test"} | WHY | wrong)
    assert not Order.objects.exists()


def test_everything_must_be_said(browser):
    make.delivery()
    assert (
        "everything that waits" in order(browser, verb="cancel").text and not Order.objects.exists()
    )
    order(browser, verb="cancel", everything="on")
    assert Order.objects.get().done == 1


@pytest.mark.parametrize("verb", Order.Verb)
def test_what_is_ticked_in_the_list_is_asked_about(browser, verb):
    ticked, _ = make.delivery(), make.delivery("me@other.test")
    page = browser.post(
        "/deliveries/delivery/", {"action": verb, "_selected_action": [str(ticked.pk)]}
    )
    assert page.context["selection"].ids == (ticked.pk,) and page.context["found"].count == 1
    assert page.context["form"]["verb"].value() == verb


@pytest.mark.parametrize(
    "query", ["state=deferred", "since=hour&state=live", "q=you@mx.test", "lane={lane}"]
)
def test_all_that_match_the_lists_filter_are_asked_about(browser, query):
    lane = make.lane()
    chosen = make.delivery(state=DeliveryState.DEFERRED, lane=lane)
    link = browser.get(f"/deliveries/delivery/?{query.format(lane=lane.pk)}").context["matching"]
    page = browser.get(f"/deliveries/order/add/?{link}")
    assert [each for each, _ in page.context["examples"]] == [chosen]
    assert page.context["selection"].since is not None or "since" not in query


@pytest.mark.parametrize("state", ["", "state=live&", "state=deferred&"])
def test_all_that_match_the_overviews_time_are_those_of_that_time(browser, state):
    chosen = make.delivery(state=DeliveryState.DEFERRED)
    for age in (timedelta(hours=5), timedelta(minutes=-5)):
        older = first_id_of(timezone.now() - age)
        make.delivery(id=older, state=DeliveryState.DEFERRED)
    ends = (timezone.now() - timedelta(hours=1), timezone.now() + timedelta(minutes=1))
    since = urlencode({"since": "/".join(each.isoformat() for each in ends)})
    link = browser.get(f"/deliveries/delivery/?{state}{since}").context["matching"]
    page = browser.get(f"/deliveries/order/add/?{link}")
    assert [each for each, _ in page.context["examples"]] == [chosen]


def test_a_time_at_the_end_of_the_calendar_is_no_fault(browser):
    first = "0001-01-01T00:00:00+00:00/0001-01-01T01:00:00+00:00"
    for state in ("bounced", "live", ""):
        asked = {"state": state, "since": first}
        assert browser.get("/deliveries/delivery/", asked).status_code == 200


def test_what_has_ended_is_offered_no_order(browser):
    assert browser.get("/deliveries/delivery/?state=bounced").context["matching"] == ""


def test_a_messages_recipients_are_ticked_on_its_page(browser):
    sent = make.message()
    first, second = make.delivery("a@mx.test", sent), make.delivery("b@mx.test", sent)
    page = browser.get(f"/deliveries/message/{sent.pk}/change/").text
    assert f'value="{first.pk}"' in page and "?messages=" in page
    asked = browser.post(
        "/deliveries/order/add/", {"do": "hold", "ids": [str(first.pk), str(second.pk)]}
    )
    assert asked.context["found"].count == 2 and not Order.objects.exists()
    assert browser.get(f"/deliveries/order/add/?messages={sent.pk}").context["found"].count == 2


def test_an_order_under_way_shows_how_far_it_is_and_can_be_stopped(browser):
    given = Order.objects.create(
        verb="cancel", selection={}, reason="why", created_by="otto", expected=10, seen=4, done=3
    )
    page = browser.get(f"/deliveries/order/{given.pk}/change/").text
    assert " data-live>" in page and 'max="10" value="4"' in page
    do(browser, given, "stop_order")
    page = browser.get(f"/deliveries/order/{given.pk}/change/").text
    assert "data-live" not in page and "Stopped" in page
    assert [action for _, action, _, _ in written()] == ["stop_order"]


@pytest.mark.parametrize("query", ["", "state=live", "since=hour"])
def test_our_own_reports_are_left_alone_where_the_list_leaves_them_out(browser, query):
    shown = make.delivery()
    make.delivery("postmaster@shop.test", flow=0, notify="NEVER")
    make.delivery("app@shop.test", flow=7)
    Delivery.objects.filter(pk=shown.pk).update(flow=7)
    listed = browser.get(f"/deliveries/delivery/?{query}").context
    page = browser.get(f"/deliveries/order/add/?{listed['matching']}")
    assert page.context["found"].count == len(listed["cl"].result_list) == 2
    fields = {field.name: field.value() for field in page.context["chosen"] if field.value()}
    browser.post("/deliveries/order/add/", {"verb": "cancel"} | WHY | fields)
    assert Order.objects.get().expected == 2
