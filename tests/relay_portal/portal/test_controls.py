"""What operators stop, resume and order in the portal: the state it leaves, and what is written
down.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.models import Delivery, Lane, Order, Stop
from deliveries.models.states import State
from domains.models import AuditEntry
from tests.deliveries import make
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.usefixtures("mail_db")

WHY = {"reason": "the customer asked"}


@pytest.fixture
def browser(mail_db):
    return verified(person())


def do(browser, row, verb, **form):
    return browser.post(
        f"/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/do/{verb}/",
        form or WHY,
        follow=True,
    )


def written():
    return list(
        AuditEntry.objects.order_by("id").values_list("actor", "action", "object_name", "reason")
    )


def later():
    return timezone.now() + timedelta(hours=2)


# --- pauses ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["project", "credential"])
def test_a_project_or_credential_is_paused_and_resumed(browser, kind):
    row = make.project() if kind == "project" else make.credential()
    assert "the customer asked" in do(browser, row, "pause").text
    standing = Stop.objects.get()
    assert (standing.scope, getattr(standing, kind), standing.created_by) == (kind, row, "otto")
    make.delivery(
        lane_id=Lane.PARKED,
        **({"of": make.message(row)} if kind == "project" else {"flow": row.pk}),
    )
    do(browser, row, "resume")
    assert not Stop.objects.exists() and Delivery.objects.get().lane_id == Lane.ROUTING
    assert written() == [
        ("otto", verb, str(row), "the customer asked") for verb in ("pause", "resume")
    ]


def test_a_lane_is_paused_and_resumed(browser):
    lane = make.lane()
    assert "the customer asked" in do(browser, lane, "pause").text
    lane.refresh_from_db()
    assert lane.closed_at and (lane.closed_by, lane.close_reason) == ("otto", "the customer asked")
    assert [
        row.pk for row in browser.get("/deliveries/lane/?state=closed").context["cl"].result_list
    ] == [lane.pk]
    do(browser, lane, "resume")
    lane.refresh_from_db()
    assert lane.closed_at is None
    assert [action for _, action, _, _ in written()] == ["pause", "resume"]


@pytest.mark.parametrize("lane", [Lane.ROUTING, Lane.PARKED])
def test_the_services_own_lanes_cannot_be_paused(browser, lane):
    assert do(browser, Lane.objects.get(pk=lane), "pause").status_code == 404


@pytest.mark.parametrize("kind", ["lane", "project", "credential"])
def test_mail_is_flushed_by_what_it_belongs_to(browser, kind):
    lane = make.lane(paused_until=later(), pause_reason="421", failures=3)
    credential = make.credential()
    delivery = make.delivery(
        of=make.message(credential.project), flow=credential.pk, lane=lane, due_at=later()
    )
    other = make.delivery("you@other.test", due_at=later())
    do(
        browser,
        {"lane": lane, "project": credential.project, "credential": credential}[kind],
        "flush",
    )
    for row in (lane, delivery, other):
        row.refresh_from_db()
    assert delivery.due_at <= timezone.now() < other.due_at and lane.paused_until is None
    assert [action for _, action, _, _ in written()] == ["flush"]


def test_an_empty_lane_forgets_its_pause_too(browser):
    lane = make.lane(paused_until=later())
    do(browser, lane, "flush")
    lane.refresh_from_db()
    assert lane.paused_until is None


def test_nothing_is_paused_without_a_reason(browser):
    project = make.project()
    assert "Say why" in do(browser, project, "pause", reason="  ").text
    assert not Stop.objects.exists() and not AuditEntry.objects.exists()


def test_a_reason_is_kept_on_one_line(browser):
    do(browser, make.project(), "pause", reason=" they\r\nasked\0 \x1b[2J")
    assert (
        Stop.objects.get().reason
        == r"they asked\u0000 \u001b[2J"
        == AuditEntry.objects.get().reason
    )


def test_a_recipient_domain_is_paused_and_resumed_on_the_pauses_page(browser):
    browser.post("/deliveries/stop/add/", {"scope": "domain", "domain": "Bücher.test", **WHY})
    standing = Stop.objects.get()
    assert standing.domain == "xn--bcher-kva.test"
    assert "xn--bcher-kva.test" in browser.get("/deliveries/stop/").text
    do(browser, standing, "resume")
    assert not Stop.objects.exists()
    name = "xn--bcher-kva.test"
    assert written() == [
        ("otto", "pause", name, "the customer asked"),
        ("otto", "resume", name, "the customer asked"),
    ]


@pytest.mark.parametrize(
    "form",
    [
        {"scope": "domain"},
        {"scope": "project"},
        {"scope": "all"},
        {"scope": "domain", "domain": "no domain"},
    ],
    ids=str,
)
def test_a_pause_of_nothing_is_refused_in_words(browser, form):
    page = browser.post("/deliveries/stop/add/", form | WHY)
    assert page.context["adminform"].form.errors and not Stop.objects.exists()


def test_a_pause_is_shown_in_words(browser):
    standing = Stop.objects.create(
        scope="domain", domain="mx.test", reason="they asked", created_by="mika"
    )
    page = browser.get(f"/deliveries/stop/{standing.pk}/change/").text
    assert "Recipient domain" in page and "they asked" in page and "&#x27;domain&#x27;" not in page


def test_a_second_pause_of_the_same_is_refused_in_words(browser):
    form = {"scope": "domain", "domain": "mx.test", **WHY}
    browser.post("/deliveries/stop/add/", form)
    assert "It is paused already." in browser.post("/deliveries/stop/add/", form).text


def test_the_emergency_stop_stands_on_every_page_until_it_is_resumed(browser, client):
    pages = [(client, "/account/login/"), (browser, "/"), (browser, "/domains/project/add/")]
    assert "Stop all delivery" in browser.get("/").text
    browser.post("/deliveries/stop/everything/", WHY)
    standing = Stop.objects.get()
    assert standing.scope == Stop.Scope.ALL and all(
        "Emergency stop" in page.get(path).text for page, path in pages
    )
    assert "the customer asked" not in client.get("/account/login/").text
    assert "Stop all delivery" not in browser.get("/").text
    do(browser, standing, "resume")
    assert not any("Emergency stop:" in page.get(path).text for page, path in pages)
    assert [(action, name) for _, action, name, _ in written()] == [
        ("pause", "All delivery"),
        ("resume", "All delivery"),
    ]


def test_the_emergency_stop_needs_a_reason_and_stands_once(browser):
    browser.post("/deliveries/stop/everything/", {})
    assert not Stop.objects.exists()
    for _ in range(2):
        browser.post("/deliveries/stop/everything/", WHY)
    assert Stop.objects.count() == 1 and len(written()) == 1


def test_the_pauses_page_leads_to_paused_lanes_too(browser):
    lane = make.lane("slow.test")
    do(browser, lane, "pause")
    page = browser.get("/deliveries/stop/").text
    assert f"/deliveries/lane/{lane.pk}/change/" in page and "slow.test" in page


def test_the_overview_lists_what_is_paused(browser):
    do(browser, make.project(name="shop"), "pause")
    do(browser, make.lane("slow.test"), "pause")
    page = browser.get("/").text
    assert "shop" in page and "slow.test" in page and page.count("the customer asked") >= 2


# --- orders ---------------------------------------------------------------------------------------
def order(browser, **form):
    return browser.post("/deliveries/order/add/", form | WHY, follow=True)


def test_what_matches_is_looked_at_before_the_order_and_nothing_is_changed_by_that(browser):
    waits = make.delivery(state=State.DEFERRED)
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
    chosen = make.delivery(state=State.DEFERRED, lane=lane, due_at=later())
    other = make.delivery("me@other.test", state=State.DEFERRED, lane=lane, due_at=later())
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
    chosen = make.delivery(state=State.DEFERRED, lane=lane)
    link = browser.get(f"/deliveries/delivery/?{query.format(lane=lane.pk)}").context["matching"]
    page = browser.get(f"/deliveries/order/add/?{link}")
    assert [each for each, _ in page.context["examples"]] == [chosen]
    assert page.context["selection"].since is not None or "since" not in query


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
    assert 'http-equiv="refresh"' in page and 'max="10" value="4"' in page
    do(browser, given, "stop_order")
    page = browser.get(f"/deliveries/order/{given.pk}/change/").text
    assert "http-equiv" not in page and "Stopped" in page
    assert [action for _, action, _, _ in written()] == ["stop_order"]


# --- who may --------------------------------------------------------------------------------------
def test_support_staff_can_pause_and_order_nothing_of_its_own_project():
    credential = make.credential()
    delivery = make.delivery(of=make.message(credential.project))
    sue = verified(person("sue", operator=False, projects=[credential.project]))
    for row in (credential, credential.project):
        for verb in ("pause", "resume", "flush"):
            assert do(sue, row, verb).status_code == 403
    for path in ("order/add/", "stop/add/", "stop/everything/"):
        assert (
            sue.post(
                f"/deliveries/{path}",
                {"verb": "cancel", "ids": str(delivery.pk), "scope": "all", **WHY},
            ).status_code
            == 403
        )
    sue.post("/deliveries/delivery/", {"action": "cancel", "_selected_action": [str(delivery.pk)]})
    delivery.refresh_from_db()
    assert (
        delivery.is_live
        and not Stop.objects.exists()
        and not Order.objects.exists()
        and not AuditEntry.objects.exists()
    )


def test_support_staff_sees_no_buttons_that_it_may_not_press():
    sent = make.message()
    make.delivery(of=sent)
    sue = verified(person("sue", operator=False, projects=[sent.project]))
    for path in (f"message/{sent.pk}/change/", "delivery/"):
        page = sue.get(f"/deliveries/{path}").text
        assert "order/add" not in page and 'type="checkbox"' not in page


def test_what_is_shown_of_a_delivery_in_a_preview_is_text(browser):
    make.delivery('"<script>alert(1)</script>"@mx.test', domain="mx.test")
    page = browser.get("/deliveries/order/add/?domain=mx.test").text
    assert "<script>alert(1)</script>" not in page and "&lt;script&gt;alert(1)" in page
