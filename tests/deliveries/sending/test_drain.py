"""A drain with real PostgreSQL and Valkey, from queued rows to a scripted MX found through real
DNS.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.models import Attempt, Delivery, Lane
from suppressions.models import Suppression
from tests.deliveries import make
from tests.deliveries.stage import play
from tests.fakes.mx_actions import Drop, TakeAndDrop

pytestmark = pytest.mark.usefixtures("mail_db")


def states():
    return dict(Delivery.objects.values_list("recipient", "state"))


def tried(count=1):
    return lambda: Attempt.objects.count() >= count


def test_a_message_reaches_the_mx_that_dns_names(settings):
    delivery = make.delivery()
    mx = play(settings)
    [message] = mx.messages
    field, _, content = message.content.partition(b"\r\n")
    assert field.startswith(b"X-Feedback-Token: ")
    assert content == make.CONTENT
    assert (message.recipients[0], states()) == ("you@mx.test", {"you@mx.test": "delivered"})
    delivery.refresh_from_db()
    assert delivery.lane.site == "in.mx.test"
    attempt = Attempt.objects.get()
    assert (attempt.host, attempt.address, attempt.source, attempt.code) == (
        "in.mx.test",
        "127.0.0.1",
        "127.0.0.1",
        250,
    )


def test_the_reverse_path_names_the_delivery(settings):
    from deliveries.bounces import return_path
    from deliveries.bounces.keys import return_path_key

    delivery = make.delivery()
    [message] = play(settings).messages
    local_part, _, domain = message.reverse_path.partition("@")
    assert domain == settings.EKIDEN_HOSTNAME
    assert return_path.parse(local_part, key=return_path_key(), now=timezone.now()) == delivery.id


def test_a_null_reverse_path_stays_null(settings):
    make.delivery(of=make.message(mail_from=""))
    assert [message.reverse_path for message in play(settings).messages] == [""]


def test_a_refusal_bounces_the_delivery_and_owes_a_report(settings):
    make.delivery()
    play(settings, lambda mx: mx.on("RCPT", "550 5.1.1 no such user"))
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.owes_report) == ("bounced", True)
    assert (Attempt.objects.get().stage, Attempt.objects.get().text) == ("rcpt", "no such user")


@pytest.mark.parametrize(
    ("of", "notify"),
    [
        ({"mail_from": ""}, ""),
        ({}, "NEVER"),
        ({}, "SUCCESS,DELAY"),
        ({"sends_reports": False}, ""),
        (None, "FAILURE"),
    ],
)
def test_b5_no_report_follows_a_report_or_an_unwanted_failure(settings, of, notify):
    given = dict(of or {})
    project = make.project(sends_reports=given.pop("sends_reports", True))
    make.delivery(of=make.message(of=project, **given), notify=notify)
    play(settings, lambda mx: mx.on("RCPT", "550 5.1.1 no such user"))
    assert (Delivery.objects.get().state, Delivery.objects.get().owes_report) == (
        "bounced",
        of is None,
    )


def test_a_deferral_is_tried_again_after_the_projects_wait(settings):
    make.delivery(of=make.message(of=make.project(retry_schedule=[1])))
    mx = play(settings, lambda mx: mx.on("RCPT", "451 4.7.1 greylisted", "250 2.1.5 ok"))
    assert len(mx.messages) == 1
    assert [attempt.outcome for attempt in Attempt.objects.all()] == ["deferred", "delivered"]


def test_many_deliveries_share_few_connections(settings):
    make.rule(connections=3)
    of = make.message()
    for number in range(60):
        make.delivery(to=f"u{number}@mx.test", of=of)
    mx = play(settings)
    assert len(mx.messages) == 60
    assert len(mx.sessions) <= 3


def test_a_connection_carries_no_more_messages_than_allowed(settings):
    make.rule(connections=1, messages_per_connection=4)
    of = make.message()
    for number in range(10):
        make.delivery(to=f"u{number}@mx.test", of=of)
    mx = play(settings)
    assert len(mx.sessions) == 3


@pytest.mark.parametrize(
    "zones", [None, {"other.test": {}}], ids=["with a mail host", "without a domain"]
)
def test_a_suppressed_address_gets_nothing(settings, zones):
    delivery = make.delivery()
    Suppression.objects.create(address_key=delivery.recipient_key, reason="complained")
    mx = play(settings, zones=zones)
    assert (mx.messages, states()) == ([], {"you@mx.test": "suppressed"})


def test_a_reply_lost_after_the_final_dot_is_in_doubt_and_waits(settings):
    make.delivery()
    play(settings, lambda mx: mx.on("BODY", TakeAndDrop()), until=tried())
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.is_in_doubt) == ("deferred", True)
    assert delivery.due_at - timezone.now() > timedelta(minutes=50)
    assert Attempt.objects.get().outcome == "in_doubt"


def test_a_delivery_in_doubt_twice_is_not_tried_a_third_time(settings):
    make.delivery(of=make.message(of=make.project(retry_schedule=[1])))
    play(settings, lambda mx: mx.on("BODY", TakeAndDrop()))
    assert (Delivery.objects.get().state, Attempt.objects.count()) == ("bounced", 2)


def test_a_project_may_count_what_is_in_doubt_as_delivered(settings):
    make.delivery(of=make.message(of=make.project(in_doubt="delivered")))
    play(settings, lambda mx: mx.on("BODY", TakeAndDrop()))
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.is_in_doubt) == ("delivered", True)


def test_a_site_that_refuses_sessions_is_left_alone_and_the_rest_is_not_tried(settings):
    make.rule(connections=1)
    of = make.message()
    for number in range(5):
        make.delivery(to=f"u{number}@mx.test", of=of)
    play(
        settings,
        lambda mx: mx.on("GREETING", "421 4.3.2 too busy"),
        until=lambda: Lane.objects.filter(failures__gt=0).exists(),
    )
    lane = Lane.objects.get(site="in.mx.test")
    assert "too busy" in lane.pause_reason
    assert lane.paused_until > timezone.now()
    assert Attempt.objects.count() == 1
    assert Delivery.objects.filter(attempt_count=0, claim=0, state="queued").count() == 4


def test_a_connection_that_dies_between_two_messages_costs_no_attempt(settings):
    make.rule(connections=1)
    of = make.message()
    for number in range(2):
        make.delivery(to=f"u{number}@mx.test", of=of)
    mx = play(settings, lambda mx: mx.on("BODY", ["250 2.0.0 taken", Drop()], "250 2.0.0 taken"))
    assert (len(mx.messages), Attempt.objects.count()) == (2, 2)


def test_mail_with_8_bit_data_is_given_in_ascii_to_a_host_without_8bitmime(settings):
    content = make.CONTENT + "日本語\r\n".encode()
    make.delivery(of=make.message(content=content, eight_bit=True))

    def plain(mx):
        mx.extensions = ("PIPELINING",)

    mx = play(settings, plain)
    assert (states(), Attempt.objects.get().enhanced) == ({"you@mx.test": "delivered"}, "2.0.0")
    assert mx.messages[0].content.isascii()


def test_a_message_whose_content_is_gone_bounces_and_the_rest_flows(settings):
    from deliveries.models import Content

    gone = make.delivery(to="gone@mx.test")
    Content.objects.filter(pk=gone.message_id).delete()
    make.delivery()
    play(settings)
    assert states() == {"gone@mx.test": "bounced", "you@mx.test": "delivered"}
