"""One-click unsubscription: what a mail provider posts, and what a person sees."""

import asyncio
import re

import pytest
from django.utils import timezone

from deliveries.bounces import learning
from deliveries.intake import unsubscribing
from deliveries.intake.unsubscribing import Wish
from deliveries.message import compression
from deliveries.models import Content
from suppressions.models import Occurrence, Suppression
from tests.deliveries import make
from tests.deliveries.intake.test_committer import HEADERS, running, submission

pytestmark = pytest.mark.usefixtures("mail_db")
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(autouse=True)
def public(settings):
    settings.EKIDEN_PUBLIC_URL = "https://mail.test"


@pytest.fixture
def project():
    return make.project(name="shop")


@pytest.fixture
def link(project):
    return unsubscribing.url_of(Wish(project.pk, "you@mx.test")).removeprefix("https://mail.test")


def test_one_post_without_a_cookie_suppresses_for_the_project(client, project, link):
    answer = client.post(link, ONE_CLICK)
    assert (answer.status_code, dict(answer.cookies)) == (200, {})
    learning.take_turn(now=timezone.now())
    row = Suppression.objects.get()
    assert (row.project, row.address_key, row.source, row.probation_at) == (
        project,
        "you@mx.test",
        "unsubscribe",
        None,
    )


def test_it_is_posted_from_another_site_and_in_another_form(link):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    assert (
        strict.post(
            link, "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded"
        ).status_code
        == 200
    )
    assert Occurrence.objects.count() == 1


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_at_the_link_unsubscribes_nobody(client, link, method):
    answer = getattr(client, method)(link)
    assert (answer.status_code, dict(answer.cookies)) == (200, {})
    assert not Occurrence.objects.exists()


def test_a_person_gets_a_page_with_one_button_in_his_language(client, link):
    assert "Shall you@mx.test get no more mail of shop?" in client.get(link).text
    assert "you@mx.test" in client.get(link, headers={"Accept-Language": "ja"}).text
    assert 'lang="ja"' in client.get(link, headers={"Accept-Language": "ja"}).text
    assert "gets no more mail" in client.post(link, ONE_CLICK).text


@pytest.mark.parametrize("body", [{}, {"List-Unsubscribe": "x"}, {"other": "One-Click"}])
def test_another_body_is_a_bad_request(client, link, body):
    assert client.post(link, body).status_code == 400
    assert not Occurrence.objects.exists()


def test_a_forged_link_is_none_and_guessing_ends(client, link, valkey):
    forged = link[:-3] + ("aa/" if link[-3:] != "aa/" else "bb/")
    assert client.post(forged, ONE_CLICK).status_code == 404
    statuses = {client.get(f"/u/{'a' * 60}{number}/").status_code for number in range(30)}
    assert statuses == {404, 429}
    assert client.post(link, ONE_CLICK).status_code == 200  # the right one is not refused


def test_without_valkey_it_works_all_the_same(client, link, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert client.post(link, ONE_CLICK).status_code == 200
    assert client.get("/u/x/").status_code == 404


def test_a_second_click_is_harmless(client, link):
    client.post(link, ONE_CLICK)
    learning.take_turn(now=timezone.now())
    assert client.post(link, ONE_CLICK).status_code == 200
    assert Occurrence.objects.count() == 1


def test_a_hundred_clicks_before_anybody_looks_are_one(client, link):
    assert {client.post(link, ONE_CLICK).status_code for _ in range(100)} == {200}
    assert Occurrence.objects.count() == 1


def test_a_click_after_a_lift_counts_again(client, link):
    client.post(link, ONE_CLICK)
    Occurrence.objects.update(is_void=True)
    client.post(link, ONE_CLICK)
    assert Occurrence.objects.count() == 2


def test_a_link_of_a_project_that_is_gone_is_none(client, project, link):
    project.delete()
    assert client.post(link, ONE_CLICK).status_code == 404


# --- the header ---
def sent(**given):
    handed_in = submission(make.credential(), **given)

    async def main():
        async with running() as intake:
            await intake.accept(handed_in)

    asyncio.run(main())
    return compression.decompress(bytes(Content.objects.latest("message_id").data), most=1_000_000)


def test_the_fields_are_added_and_lead_to_the_recipient():
    data = sent(sender={"adds_unsubscribe": True})
    [url] = re.findall(rb"\r\nList-Unsubscribe: <https://mail\.test/u/([a-z2-7]+)/>\r\n", data)
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in data
    assert unsubscribing.read(url.decode()).address_key == "you@mx.test"


@pytest.mark.parametrize(
    "because",
    ["the project does not want it", "there is no public address", "there are two recipients"],
)
def test_without_need_no_field_is_added(settings, because):
    given = {"sender": {"adds_unsubscribe": because != "the project does not want it"}}
    if because == "there is no public address":
        settings.EKIDEN_PUBLIC_URL = ""
    if because == "there are two recipients":
        given["recipients"] = ("you@mx.test", "other@mx.test")
    assert b"List-Unsubscribe" not in sent(**given)


def test_the_apps_own_field_stays_alone():
    data = sent(
        sender={"adds_unsubscribe": True},
        headers=HEADERS + b"List-Unsubscribe: <mailto:leave@shop.test>\r\n",
    )
    assert data.count(b"List-Unsubscribe") == 1


def test_both_fields_are_signed():
    from domains.senders.dkim import SIGNED

    assert {b"list-unsubscribe", b"list-unsubscribe-post"} <= SIGNED
