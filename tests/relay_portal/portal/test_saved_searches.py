"""Searches under names, the word about what is left off, and exports from wish to file."""

import csv
import io
import threading
from datetime import timedelta
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.utils import timezone

from deliveries import jobs
from deliveries.models import Attempt, ExportPart, Message, MessageExport, SavedSearch
from deliveries.search import exporting, narrowing
from domains.models import AuditEntry
from tests.deliveries import make
from tests.deliveries.stage import in_thread
from tests.deliveries.steering.test_two_workers import is_held_up
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.usefixtures("mail_db")
LIST = "/deliveries/message/"


def save(browser, name="bounced", **asked):
    return browser.post(f"{LIST}save/", {"name": name, **(asked or {"state": "bounced"})})


def test_a_search_is_kept_under_its_name_and_leads_back(browser):
    assert save(browser).headers["Location"] == f"{LIST}?state=bounced"
    page = browser.get(LIST).text
    assert 'href="?state=bounced"' in page and "bounced" in page
    save(browser, state="deferred")
    assert SavedSearch.objects.get().query == "state=deferred"
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["change", "add"]


def test_a_kept_time_is_the_same_moment_in_every_zone(browser):
    zone = "/account/security/time-zone/"
    browser.post(zone, {"zone": "Asia/Tokyo"})
    save(browser, **{"from": "2026-05-04T21:00"})
    query = SavedSearch.objects.get().query
    assert parse_qs(query) == {"from": ["2026-05-04T21:00:00+09:00"]}
    assert 'name="from" value="2026-05-04T21:00"' in browser.get(f"{LIST}?{query}").text
    browser.post(zone, {"zone": "UTC"})
    assert 'name="from" value="2026-05-04T12:00"' in browser.get(f"{LIST}?{query}").text


def test_an_address_that_is_passed_on_means_the_same_moment(browser):
    browser.post("/account/security/time-zone/", {"zone": "Asia/Tokyo"})
    led = browser.post(f"{LIST}find/", {"to": "2026-05-04T21:00"}).headers["Location"]
    assert parse_qs(led.partition("?")[2]) == {"to": ["2026-05-04T21:00:00+09:00"]}


def test_a_search_is_its_owners_alone(browser):
    save(browser)
    other = verified(person("olga"))
    assert "?state=bounced" not in other.get(LIST).text
    path = f"{LIST}saved/{SavedSearch.objects.get().pk}/forget/"
    assert other.post(path).status_code == 404
    assert browser.post(path).status_code == 302
    assert not SavedSearch.objects.exists()


@pytest.mark.parametrize("given", [{"name": " ", "state": "bounced"}, {"name": "x"}])
def test_nothing_or_nameless_is_not_kept(browser, given):
    browser.post(f"{LIST}save/", given)
    assert not SavedSearch.objects.exists()


def test_what_is_left_off_is_said(browser, monkeypatch):
    for _ in range(3):
        make.delivery(state="bounced", ended_at=timezone.now(), due_at=None)
    assert "Only the newest" not in browser.get(f"{LIST}?state=bounced").text
    monkeypatch.setattr(narrowing, "MATCHED_MOST", 2)
    monkeypatch.setattr(narrowing.narrow, "__kwdefaults__", {"most": 2})
    assert "Only the newest" in browser.get(f"{LIST}?state=bounced").text


def export(browser, **asked):
    browser.post(f"{LIST}export/", asked)
    row = MessageExport.objects.latest("pk")
    exporting.run(row.pk)
    row.refresh_from_db()
    return row


def fetched(browser, row):
    answer = browser.post(f"/deliveries/messageexport/{row.pk}/do/download/")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_an_export_has_a_line_for_each_recipient_with_its_last_answer(browser):
    delivery = make.delivery("a@mx.test", of=make.message(subject="Your order"))
    make.delivery("b@mx.test", of=delivery.message)
    for code in (451, 452):
        Attempt.objects.create(delivery=delivery, outcome="deferred", stage="rcpt", code=code)
    row = export(browser)
    assert (row.state, row.messages, row.rows) == ("done", 1, 2)
    first, second = fetched(browser, row)
    assert (first["recipient"], first["subject"], first["code"]) == (
        "a@mx.test",
        "Your order",
        "452",
    )
    assert (second["recipient"], second["code"]) == ("b@mx.test", "")
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {"export", "download"}


def test_no_cell_is_a_formula(browser):
    make.delivery(of=make.message(subject="=HYPERLINK(1)", mail_from="+x@shop.test"))
    [line] = fetched(browser, export(browser))
    assert (line["subject"], line["reverse_path"]) == ("'=HYPERLINK(1)", "'+x@shop.test")


def test_an_export_is_narrowed_as_the_list_is(browser):
    make.delivery("a@mx.test")
    make.delivery("b@mx.test", state="bounced", ended_at=timezone.now(), due_at=None)
    assert [line["recipient"] for line in fetched(browser, export(browser, state="bounced"))] == [
        "b@mx.test"
    ]
    assert [line["recipient"] for line in fetched(browser, export(browser, q="a@mx.test"))] == [
        "a@mx.test"
    ]


def test_an_export_means_the_times_that_its_person_reads(browser):
    browser.post("/account/security/time-zone/", {"zone": "Asia/Tokyo"})
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        hour = timezone.localtime(timezone.now())
    make.delivery("now@mx.test")
    asked = {
        "from": f"{hour - timedelta(minutes=30):%Y-%m-%dT%H:%M}",
        "to": f"{hour + timedelta(minutes=30):%Y-%m-%dT%H:%M}",
    }
    assert "now@mx.test" in browser.get(LIST, asked).text
    assert [line["recipient"] for line in fetched(browser, export(browser, **asked))] == [
        "now@mx.test"
    ]


def test_an_export_goes_on_where_its_worker_died_and_writes_nothing_twice(browser, monkeypatch):
    for number in range(5):
        make.delivery(f"u{number}@mx.test")
    monkeypatch.setattr(exporting, "BATCH", 2)
    browser.post(f"{LIST}export/", {})
    row, write = MessageExport.objects.get(), exporting._write

    def dies(export, batch):
        write(export, batch)
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "_write", dies)
    with pytest.raises(KeyboardInterrupt):
        exporting.run(row.pk)
    monkeypatch.setattr(exporting, "_write", write)
    MessageExport.objects.update(leased_until=None)
    jobs.carry_on()
    row.refresh_from_db()
    recipients = [line["recipient"] for line in fetched(browser, row)]
    assert (row.state, sorted(recipients)) == (
        "done",
        [f"u{number}@mx.test" for number in range(5)],
    )


def test_a_limited_person_exports_their_projects_alone():
    mine, other = make.message(), make.message()
    make.delivery("mine@mx.test", of=mine)
    make.delivery("other@mx.test", of=other)
    client = verified(person("lim", role="operator", is_limited=True, projects=[mine.project]))
    assert [line["recipient"] for line in fetched(client, export(client))] == ["mine@mx.test"]


def test_an_export_names_no_project_of_others():
    mine, other = make.message(), make.credential(make.project(name="secret plans"))
    client = verified(person("lim", role="operator", is_limited=True, projects=[mine.project]))
    for asked in ({"project": other.project_id}, {"credential": other.pk}):
        row = export(client, **{name: str(value) for name, value in asked.items()})
        for page in (f"/deliveries/messageexport/{row.pk}/change/", "/deliveries/messageexport/"):
            assert "secret plans" not in client.get(page).text


def test_an_export_of_more_is_not_there_and_support_staff_asks_for_none(browser):
    row = export(browser)
    other = verified(person("lim", role="operator", is_limited=True, projects=[make.project()]))
    assert other.get(f"/deliveries/messageexport/{row.pk}/change/").status_code == 404
    support = verified(person("sue", operator=False, projects=[make.project()]))
    assert support.post(f"{LIST}export/").status_code == 403


def test_a_dropped_export_is_gone_with_its_file(browser):
    make.delivery()
    row = export(browser)
    browser.post(f"/deliveries/messageexport/{row.pk}/do/drop/")
    assert not MessageExport.objects.exists()
    assert not exporting.ExportPart.objects.exists()


def test_of_an_export_that_is_thrown_away_while_it_is_written_nothing_is_left(browser):
    make.delivery()
    browser.post(f"{LIST}export/", {})
    row = MessageExport.objects.get()
    drop = f"/deliveries/messageexport/{row.pk}/do/drop/"
    other = threading.Thread(target=in_thread, args=[lambda: browser.post(drop)])
    with transaction.atomic():
        MessageExport.objects.select_for_update().get()
        exporting._write(row, list(Message.objects.select_related("project", "credential")))
        other.start()
        while other.is_alive() and not is_held_up():
            pass
    other.join()
    assert not MessageExport.objects.exists() and not ExportPart.objects.exists()
