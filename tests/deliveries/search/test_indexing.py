import json
from dataclasses import asdict
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from deliveries import jobs
from deliveries.capacity import inflow
from deliveries.models import MessageTerms
from deliveries.search import indexing, terms
from deliveries.search.lookups import SearchScope, with_terms
from tests.deliveries import make

pytestmark = pytest.mark.django_db


def indexed(subject="Your order 4711", to="you@docomo.test", **given):
    sent = make.message(subject=subject, **given)
    make.delivery(to, sent)
    indexing.take_turn()
    return sent


def found(*wanted, projects=None, **times):
    return with_terms(wanted, SearchScope(projects, **times))


def test_words_are_found_whatever_their_case_and_width():
    sent = indexed("Ｙｏｕｒ Order 4711")
    assert found(*terms.words("ORDER your")) == [sent.pk]
    assert found(*terms.words("order 4712")) == []


def test_japanese_is_found_by_any_part_of_two_characters():
    sent = indexed("ご注文の確認 (4711)")
    assert found(*terms.words("注文")) == found(*terms.words("の確認")) == [sent.pk]
    assert found(*terms.words("注確")) == []


def test_senders_domains_and_credential_are_terms():
    credential = make.credential()
    sent = indexed(
        of=credential.project, credential=credential, mail_from="Bounce@shop.test",
        header_from="Shop <info@News.shop.test>",
    )  # fmt: skip
    for term in (
        "from:bounce@shop.test", "from:@shop.test", "from:info@news.shop.test",
        "from:@news.shop.test", "to:@docomo.test", f"credential:{credential.pk}",
    ):  # fmt: skip
        assert found(term) == [sent.pk], term


def test_only_the_projects_and_the_time_that_are_asked_for_are_looked_through():
    sent, now = indexed(), timezone.now()
    assert found("order", projects=[sent.project_id]) == [sent.pk]
    assert found("order", projects=[make.project().pk]) == found("order", projects=[]) == []
    assert found("order", since=now + timedelta(seconds=1)) == []
    assert found("order", until=now - timedelta(minutes=1)) == []


def test_a_second_turn_writes_nothing_twice_and_reports_are_left_out():
    indexed()
    make.message(origin="report")
    assert indexing.take_turn()
    assert MessageTerms.objects.count() == 1


def test_each_turn_takes_all_that_came(monkeypatch):
    monkeypatch.setattr(indexing, "BATCH", 2)
    for _ in range(5):
        make.message()
    assert indexing.take_turn()
    assert MessageTerms.objects.count() == 5
    make.message()
    assert not indexing.take_turn(seconds=0)


def test_an_endless_sender_is_left_out_and_holds_nobody_up():
    sent = indexed(header_from="a" * 5000 + "@" + "b" * 5000)
    assert found("order") == [sent.pk]


def test_a_message_that_cannot_be_indexed_keeps_no_other_from_it(caplog):
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE deliveries_messageterms ADD CHECK (NOT terms @> ARRAY['poison'])"
        )
    bad, good = make.message(subject="poison"), make.message(subject="order")
    assert indexing.take_turn()
    assert found("order") == [good.pk]
    assert f"event=not-indexed message={bad.pk}" in caplog.text


def says(valkey, **word):
    """Write what a listener says of the mail that it lets in."""
    valkey.sadd(inflow.SPEAKERS, "listener-1")
    word = {**asdict(inflow.NOTHING), **word}
    valkey.set(f"{inflow.SPEAKERS}:listener-1", json.dumps(word), px=inflow.KEEP)


def test_while_apps_are_slowed_the_index_is_some_minutes_late(valkey, monkeypatch):
    indexed()
    late = make.message(subject="late")
    says(valkey, limit=900.0)
    jobs.index_messages()
    assert found("late") == []
    monkeypatch.setattr(indexing, "LATE_UNDER_LOAD", timedelta(0))
    jobs.index_messages()
    assert found("late") == [late.pk]


def test_where_no_app_is_slowed_the_index_is_written_at_once(valkey):
    indexed()
    soon = make.message(subject="soon")
    says(valkey, seconds_behind=0.1, per_second=700.0)
    jobs.index_messages()
    assert found("soon") == [soon.pk]
