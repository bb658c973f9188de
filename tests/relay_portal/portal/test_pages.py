"""What the pages show and do."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.models import Attempt, InboundMail, Route
from deliveries.models.states import LIVE, DeliveryState
from smtp_listener.models import SandboxMessage
from suppressions.models import Suppression
from tests.deliveries import make
from tests.relay_portal.portal import rows
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.django_db


def ended(state, of=None, **given):
    return make.delivery(of=of, state=state, due_at=None, ended_at=timezone.now(), **given)


# --- every page -----------------------------------------------------------------------------------
NOTICE = "./ekiden live"


def test_while_the_sandbox_is_in_use_every_page_says_so(operator, client):
    pages = [
        (client, "/account/login/"),
        (operator, "/"),
        (operator, "/domains/project/add/"),
        (operator, "/account/security/"),
    ]
    assert not any(NOTICE in browser.get(path).text for browser, path in pages)
    Route.objects.create(pattern="*", host="127.0.0.1", port=2526, is_sandbox=True)
    assert all(NOTICE in browser.get(path).text for browser, path in pages)


@pytest.mark.parametrize(
    "path",
    [
        "/search/?s=a&page=abc",
        "/deliveries/delivery/?state=delivered"
        "&since=2026-01-01T00:00:00%2B00:00/9999-12-31T23:59:59%2B00:00",
    ],
)
def test_an_odd_address_is_answered(path):
    otto = person()
    type(otto).objects.update(time_zone="Asia/Tokyo")
    assert verified(otto).get(path).status_code == 200


def test_every_page_has_a_language_switch(operator, client):
    assert all(
        'name="language"' in browser.get(path).text
        for browser, path in [(client, "/account/login/"), (operator, "/queues/")]
    )


def test_the_portal_speaks_japanese(operator):
    operator.post("/language/", {"language": "ja"})
    assert (
        "配送所要時間" in operator.get("/").text
        and "送信抑止" in operator.get("/suppressions/suppression/").text
    )


def test_health_tells_strangers_only_whether(client):
    assert (client.get("/health/").status_code, client.get("/health/").text) == (200, "ok\n")


def test_health_fails_without_valkey(client, settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    answer = client.get("/health/")
    assert (answer.status_code, answer.text) == (503, "unavailable\n")


# --- messages and deliveries ----------------------------------------------------------------------
def found(browser, query, page="deliveries/message"):
    """Return the rows of the list; where there is one, its page is opened at once."""
    answer = browser.get(f"/{page}/", {"q": query})
    if answer.status_code == 302:
        return [UUID(answer.headers["Location"].split("/")[3])]
    return [row.pk for row in answer.context["cl"].result_list]


def test_a_message_is_found_by_each_of_its_names(operator):
    sent = make.message(message_id="<order-1@shop.test>")
    make.delivery("a..b@docomo.test", sent)
    make.delivery(of=make.message())
    for query in (
        str(sent.pk),
        "<order-1@shop.test>",
        "order-1@shop.test",
        "a..b@docomo.test",
        '<"a..b"@DOCOMO.test>',
    ):
        assert found(operator, query) == [sent.pk], query
    assert found(operator, "nobody@docomo.test") == found(operator, "no address") == []


def test_a_search_finds_only_mail_of_ones_own_projects():
    own = make.project()
    theirs = make.delivery("you@mx.test")
    mine = make.delivery("you@mx.test", make.message(own))
    sue = verified(person("sue", operator=False, projects=[own]))
    assert found(sue, "you@mx.test") == [mine.message_id]
    assert found(sue, "you@mx.test", "deliveries/delivery") == [mine.pk]
    assert (
        found(sue, str(theirs.message_id))
        == found(sue, str(theirs.pk), "deliveries/delivery")
        == []
    )


def test_a_message_tells_its_attempts_and_why_it_waits(operator):
    delivery = make.delivery()
    Attempt.objects.create(
        delivery=delivery,
        outcome="deferred",
        stage="rcpt",
        host="mx9.test",
        code=450,
        text=rows.TRICKY,
    )
    page = operator.get(f"/deliveries/delivery/{delivery.pk}/change/", follow=True).text
    assert "mx9.test" in page and "being looked up" in page
    assert rows.TRICKY not in page and "&lt;script&gt;" in page


def test_the_lists_of_mail_count_nothing_and_sort_by_their_key_alone(operator):
    for _ in range(60):
        make.delivery(of=make.message())
    for page in (
        "deliveries/message/?o=4",
        "deliveries/delivery/?o=3.-0&state=queued&_facets=True",
        "suppressions/suppression/?o=0",
    ):
        with CaptureQueriesContext(connection) as asked:
            assert operator.get(f"/{page}").status_code == 200
        statements = [query["sql"] for query in asked]
        assert not any("COUNT(" in sql for sql in statements), page
        of_mail = [sql for sql in statements if "savedsearch" not in sql]
        [listed] = [sql for sql in of_mail if "LIMIT 50" in sql]
        assert re.search(r'ORDER BY "\w+"\."id" DESC LIMIT 50', listed), page


def test_the_number_of_statements_does_not_grow_with_the_list(operator):
    for _ in range(3):
        make.delivery(of=make.message())
    operator.get("/deliveries/message/")
    with CaptureQueriesContext(connection) as few:
        operator.get("/deliveries/message/")
    for _ in range(30):
        make.delivery(of=make.message())
    with CaptureQueriesContext(connection) as many:
        operator.get("/deliveries/message/")
    assert len(many) == len(few)


@pytest.mark.parametrize("state", DeliveryState)
def test_each_state_has_its_list(operator, state):
    rows_of = {
        each: make.delivery(state=each) if each in LIVE else ended(each) for each in DeliveryState
    }
    listed = (
        operator.get(f"/deliveries/delivery/?state={state}&since=today").context["cl"].result_list
    )
    assert [row.pk for row in listed] == [rows_of[state].pk]


# --- the overview ---------------------------------------------------------------------------------
def test_the_overview_shows_what_is_stuck_and_leads_there(operator):
    lane = make.lane(
        "slow.test",
        paused_until=timezone.now() + timedelta(minutes=5),
        pause_reason="421 slow down",
    )
    waits = make.delivery("waits@slow.test", lane=lane)
    failed = ended(DeliveryState.BOUNCED)
    Attempt.objects.create(
        delivery=failed, outcome="bounced", stage="rcpt", code=550, text=rows.TRICKY
    )
    page = operator.get("/").text
    links = (
        f"/deliveries/delivery/?lane={lane.pk}",
        f"/deliveries/message/{waits.message_id}/",
        "state=bounced",
    )
    assert all(part in page for part in ("421 slow down", "550", *links))
    assert rows.TRICKY not in page
    assert [
        row.pk
        for row in operator.get(f"/deliveries/delivery/?lane={lane.pk}").context["cl"].result_list
    ] == [waits.pk]


def test_the_overview_shows_in_red_that_mail_may_go_to_private_networks(operator, settings):
    assert "EKIDEN_PRIVATE_NETWORKS" not in operator.get("/").text
    settings.EKIDEN_PRIVATE_NETWORKS = ["10.20.0.0/16"]
    page = operator.get("/").text
    assert "portal-danger" in page and "private networks 10.20.0.0/16" in page


def test_support_staff_begins_at_its_messages():
    assert (
        verified(person("sue", operator=False)).get("/").headers["Location"]
        == "/deliveries/message/"
    )


def test_support_staff_does_not_see_the_queues():
    assert verified(person("sue", operator=False)).get("/queues/").status_code == 403


def test_the_queues_page_says_that_valkey_is_gone(operator, settings):
    settings.RQ_QUEUES = {
        name: {"URL": "unix:///nowhere/valkey.sock"} for name in settings.RQ_QUEUES
    }
    assert "out of reach" in operator.get("/queues/").text


def test_a_search_that_finds_nothing_says_what_can_be_searched_for(operator):
    page = operator.get("/deliveries/message/", {"q": "nobody@docomo.test"}).text
    assert (
        "Nothing matches" in page
        and "What can be searched for: Recipient, sender, words of a subject, or any id" in page
    )
    assert "reset your filters" not in operator.get("/deliveries/message/").text


def test_what_became_of_a_report_is_told_in_the_readers_language(operator):
    InboundMail.objects.create(kind="report", finding="the delivery has bounced", data=b"")
    operator.post("/language/", {"language": "ja"})
    assert "配送を不達にした" in operator.get("/deliveries/inboundmail/").text


def test_a_suppression_of_the_whole_installation_says_so(operator):
    row = Suppression.objects.create(address_key="gone@mx.test", reason="asked")
    for page in ("/suppressions/suppression/", f"/suppressions/suppression/{row.pk}/change/"):
        text = operator.get(page).text
        assert "the whole installation" in text and "Empty:" not in text


def test_the_hosts_of_a_lane_are_written_as_hosts(operator):
    lane = make.lane(hosts=[[10, "mx.test", 25]])
    assert "mx.test:25 (10)" in operator.get(f"/deliveries/lane/{lane.pk}/change/").text


def test_a_mail_that_cannot_be_parsed_is_shown_by_its_source(operator):
    headers = (
        b"Subject: =?unicode_escape?q?\\x?=\r\nContent-Type: text/plain; charset=zlib_codec\r\n"
    )
    data = headers + b"Content-Transfer-Encoding: base64\r\n\r\n!!\xff\r\n"
    row = SandboxMessage.objects.create(recipient="you@mx.test", data=data)
    page = operator.get(f"/smtp_listener/sandboxmessage/{row.pk}/change/")
    assert page.status_code == 200 and "zlib_codec" in page.text
    assert operator.get("/smtp_listener/sandboxmessage/").status_code == 200
