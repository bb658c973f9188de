"""What operators stop, resume and order in the portal: the state it leaves, and what is written
down.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.models import Delivery, Lane, Order, Stop
from domains.models import AuditEntry
from tests.deliveries import make
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.usefixtures("mail_db")

WHY = {"reason": "the customer asked"}


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


def test_what_waits_for_a_person_is_not_called_tried(browser):
    project = make.project()
    assert "0 deliveries are tried now." in do(browser, project, "flush").text
    for _ in range(2):
        make.delivery(of=make.message(project))
    assert "2 deliveries are tried now." in do(browser, project, "flush").text
    do(browser, project, "pause")
    said = do(browser, project, "flush").text
    assert "0 deliveries are tried now. 2 wait all the same" in said


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
