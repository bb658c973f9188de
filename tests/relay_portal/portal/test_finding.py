"""The box that finds a message, and what narrows the list."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.bounces import return_path
from deliveries.bounces.keys import return_path_key
from deliveries.models import Attempt, Refusal, Stop
from deliveries.search import indexing
from domains.models import Project
from suppressions.models import Suppression
from tests.deliveries import make
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.django_db
LIST = "/deliveries/message/"


@pytest.fixture
def sent():
    row = make.message(subject="Your order 4711", message_id="<1@shop.test>")
    make.delivery("hanako@docomo.test", row)
    indexing.take_turn()
    return row


def listed(browser, **asked):
    return [row.pk for row in browser.get(LIST, asked).context["cl"].result_list]


def page_of(row):
    return f"/deliveries/message/{row.pk}/change/"


def inputs(row):
    delivery = row.deliveries.get()
    path = return_path.make(delivery.pk, key=return_path_key(), now=timezone.now())
    return [
        str(row.pk), str(delivery.pk), str(row.pk)[:13], f"250 2.0.0 OK queued as {row.pk}",
        "<1@shop.test>", f"{path.upper()}@relay.test", "Hanako@docomo.test", "@docomo.test",
        "hana", "order your", "shop@shop.test",
        f"Return-Path: <{path}@relay.test>\nFinal-Recipient: rfc822; x@y.test\n",
        "Final-Recipient: rfc822; hanako@docomo.test\nAction: failed",
        "Reporting-MTA: dns; mx.test\nMessage-ID: <1@shop.test>\n" + "x" * 5000,
    ]  # fmt: skip


def test_whatever_names_one_message_leads_to_its_page_and_says_why(operator, sent):
    for text in inputs(sent):
        answer = operator.post(f"{LIST}find/", {"q": text}, follow=True)
        assert answer.redirect_chain[-1][0].partition("?")[0] == page_of(sent), text
        assert "was taken for" in answer.text, text


def test_nobody_finds_a_message_of_another_project(sent):
    client = verified(person("sue", operator=False, projects=[make.project()]))
    for text in inputs(sent):
        answer = client.post(f"{LIST}find/", {"q": text}, follow=True)
        assert answer.status_code == 200, text
        assert str(sent.pk) not in [str(row.pk) for row in answer.context["cl"].result_list], text


def test_several_are_listed_with_what_the_input_was_taken_for(operator, sent):
    make.delivery("hanako@docomo.test", make.message())
    page = operator.get(LIST, {"q": "hanako@docomo.test"})
    assert len(page.context["cl"].result_list) == 2
    assert "an address, of a recipient or a sender: hanako@docomo.test" in page.text


def test_an_address_tells_of_its_suppression_and_its_refusals(operator, sent):
    credential = make.credential(sent.project)
    Suppression.objects.create(
        project=sent.project, address_key="gone@docomo.test", reason="Unknown recipient"
    )
    Refusal.objects.create(
        project=sent.project, credential_id=credential.pk, recipient="gone@docomo.test",
        recipient_key="gone@docomo.test", command="RCPT", code=550, text="suppressed",
    )  # fmt: skip
    page = operator.get(LIST, {"q": "gone@docomo.test"}).text
    assert "gone@docomo.test is suppressed in" in page
    assert "Refused when an app handed it in, 1 times" in page
    stranger = verified(person("sue", operator=False, projects=[make.project()]))
    page = stranger.get(LIST, {"q": "gone@docomo.test"}).text
    assert "is suppressed in" not in page
    assert "Refused when" not in page


def test_the_list_is_narrowed_by_each_of_its_fields(operator, sent):
    credential = make.credential()
    other = make.message(credential.project, credential=credential, mail_from="a@news.test")
    failed = make.delivery(
        "you@gmail.test", other, state="bounced", due_at=None, ended_at=timezone.now()
    )
    Attempt.objects.create(
        delivery=failed, outcome="bounced", stage="rcpt", code=550, category="unknown_user"
    )
    make.leads_to(make.lane("mx.gmail.test"), "gmail.test")
    indexing.take_turn()
    for asked in (
        {"project": credential.project_id}, {"credential": credential.pk},
        {"sender": "News.test"}, {"domain": "@gmail.test"}, {"receiver": "gmail"},
        {"state": "bounced"}, {"class": "unknown_user"},
        {"state": "bounced", "class": "unknown_user", "domain": "gmail.test", "span": "1h"},
    ):  # fmt: skip
        assert listed(operator, **asked) == [other.pk], asked
    assert listed(operator, state="live") == listed(operator, q="order", span="1h") == [sent.pk]
    assert listed(operator, to="2020-01-01T00:00") == []
    assert listed(operator, **{"from": "2020-01-01T00:00"}) == [other.pk, sent.pk]


@pytest.mark.parametrize(
    "asked",
    [
        {"project": "x"}, {"credential": "9" * 30}, {"from": "2020-99-01T00:00"}, {"state": "no"},
        {"class": "\0"}, {"sender": "a b\0"}, {"receiver": "\0"}, {"q": "\0"}, {"span": "1y"},
        {"to": "9999-12-31T23:59"}, {"q": "%"}, {"q": "'"}, {"q": "@"}, {"q": "b-" + "a" * 44},
    ],
)  # fmt: skip
def test_nonsense_in_the_address_is_answered(operator, sent, asked):
    assert operator.get(LIST, asked).status_code == 200


def test_support_staff_cannot_ask_for_another_project(sent):
    client = verified(person("sue", operator=False, projects=[make.project()]))
    assert listed(client, project=sent.project_id) == []
    assert sent.project.name not in client.get(LIST).text


def test_a_message_says_that_its_recipient_is_suppressed_with_lift_beside_it(operator, sent):
    row = Suppression.objects.create(
        project=sent.project, address_key="hanako@docomo.test", reason="Unknown recipient: 550"
    )
    page = operator.get(page_of(sent)).text
    assert "hanako@docomo.test is suppressed in" in page
    assert f"/suppressions/suppression/lift/?ids={row.pk}" in page
    row.until = timezone.now()
    row.save()
    assert "is suppressed in" not in operator.get(page_of(sent)).text


def test_a_message_that_waits_leads_to_its_receiver_and_its_pause(operator, sent):
    delivery = sent.deliveries.get()
    stop = Stop.objects.create(
        scope="domain", domain="docomo.test", reason="test", created_by="otto"
    )
    page = operator.get(page_of(sent)).text
    assert f"/deliveries/lane/{delivery.lane_id}/change/" in page
    assert f"/deliveries/stop/{stop.pk}/change/" in page
    support = verified(person("sue", operator=False, projects=[sent.project]))
    assert "/deliveries/lane/" not in support.get(page_of(sent)).text


def test_a_pasted_text_is_no_markup(operator, sent):
    page = operator.get(LIST, {"q": "<script>alert(1)</script> a@b.test"}).text
    assert "<script>alert(1)" not in page


def test_what_an_address_was_refused_is_found_however_it_was_written(operator, sent):
    credential = make.credential(sent.project)
    for recipient in ("gone@docomo.test", "other@docomo.test"):
        Refusal.objects.create(
            project=sent.project, credential_id=credential.pk, recipient=recipient,
            recipient_key=recipient, command="RCPT", code=550, text="suppressed",
        )  # fmt: skip
    page = operator.get(LIST, {"q": "Hana <gone@docomo.test>"})
    link = re.search(r'href="(/deliveries/refusal/[^"]+)"', page.text)[1]
    found = operator.get(link.replace("&amp;", "&")).context["cl"].result_list
    assert [each.recipient for each in found] == ["gone@docomo.test"]


def test_the_form_keeps_what_was_chosen_among_many(operator):
    Project.objects.bulk_create(Project(name=f"p{number:03}") for number in range(300))
    last = make.credential(make.project(name="z-last"))
    for name, row in (("project", last.project), ("credential", last)):
        page = operator.get(LIST, {name: row.pk}).text
        assert f'<option value="{row.pk}" selected>' in page, name


def test_each_recipient_of_a_large_message_can_be_seen(operator):
    sent = make.message()
    for number in range(200):
        make.delivery(f"r{number}@mx.test", of=sent)
    page = f"/deliveries/message/{sent.pk}/change/"
    assert "There are more recipients" not in operator.get(page).text
    last = make.delivery("last@mx.test", of=sent)
    shown = operator.get(page).text
    assert "There are more recipients" in shown and "last@mx.test" not in shown
    for path in (f"{LIST}?q=last@mx.test", f"/deliveries/delivery/{last.pk}/change/"):
        assert f'id="{last.pk}"' in operator.get(path, follow=True).text


@pytest.mark.parametrize("waits", [timedelta(), timedelta(hours=1)])
def test_a_page_asks_no_more_of_the_database_for_more_recipients(operator, waits):
    lane, due = make.lane(), timezone.now() + waits
    asked = []
    for number in (1, 1, 6):
        sent = make.message()
        for each in range(number):
            make.delivery(f"r{each}@mx.test", of=sent, lane=lane, due_at=due)
        with CaptureQueriesContext(connection) as queries:
            assert "r0@mx.test" in operator.get(page_of(sent)).text
        asked.append(len(queries))
    # Five recipients more; what is kept for some seconds may be asked for anew.
    assert asked[2] < asked[1] + 5
