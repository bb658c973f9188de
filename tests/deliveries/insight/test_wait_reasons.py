from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation

from deliveries.insight.wait_reasons import Halt, Situation, moment, sentence, short, span

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
DUE = Situation(due_at=NOW - timedelta(seconds=2), domain="mx.test", site="mail.mx.test", ahead=0)
SOON = NOW + timedelta(minutes=5)
LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "It is next in line for mail.mx.test."),
        ({"ahead": 7}, "It waits for its turn, with 7 before it in line for mail.mx.test."),
        ({"is_routing": True}, "The mail hosts of mx.test are being looked up."),
        ({"is_claimed": True, "is_leased": True}, "It is being delivered now."),
        (
            {"is_claimed": True},
            (
                "The worker that was delivering it is gone; it is taken up again when that "
                "worker's "
                "lease is over."
            ),
        ),
        (
            {"due_at": NOW - timedelta(minutes=5)},
            "It is due, and no worker has taken it up (is one running? ./ekiden status).",
        ),
        ({"due_at": SOON}, "It is due at 12:05:00 UTC (in 5 min)."),
        (
            {"due_at": SOON, "answer": "451 4.7.1 Later."},
            "It is tried again at 12:05:00 UTC (in 5 min), after: 451 4.7.1 Later.",
        ),
        (
            {"due_at": LATER, "is_in_doubt": True, "answer": "gone"},
            "It may have arrived, and is sent once more at 13:00:00 UTC (in 60 min), after: gone.",
        ),
        (
            {"paused_until": SOON, "pause_reason": "421 Too many connections."},
            "mail.mx.test is paused until 12:05:00 UTC (in 5 min): 421 Too many connections.",
        ),
        (
            {"ahead": 600, "per_second": 20.0, "rule": "docomo"},
            "It waits for its turn, with 600 before it in line for mail.mx.test, where the rule "
            "“docomo” allows 20 messages a second:"
            " in about 30 s.",
        ),
        (
            {"ahead": 30, "per_second": 0.25},
            "It waits for its turn, with 30 before it in line for mail.mx.test, which is found "
            "to take 15 messages a minute:"
            " in about 2 min.",
        ),
        (
            {"per_second": 0.01},
            "It is next in line for mail.mx.test, which is found to take 36 messages an hour.",
        ),
        (
            {"halt": Halt("All delivery", NOW - timedelta(minutes=3), "operator", "a leak.")},
            (
                "All delivery has been stopped by operator for 3 min, until somebody resumes it: a "
                "leak."
            ),
        ),
        (
            {"halt": Halt("Delivery to mail.mx.test", NOW - timedelta(hours=3), "", "550 blocked")},
            (
                "Delivery to mail.mx.test has been stopped for 3 h, until somebody looks, by an "
                "answer of the receiver: 550 blocked."
            ),
        ),
        ({"is_held": True, "is_parked": True}, "A person holds it back, until it is released."),
        ({"is_parked": True}, "It was put aside, and is about to be let go."),
    ],
)
def test_each_situation_has_its_sentence(change, said):
    assert sentence(replace(DUE, **change), now=NOW) == said


def test_a_pause_that_ends_before_the_delivery_is_due_is_not_the_reason():
    waits = replace(DUE, due_at=LATER, paused_until=SOON, pause_reason="down", answer="451 Later")
    assert sentence(waits, now=NOW).startswith("It is tried again at 13:00")


def test_a_pause_that_is_over_is_not_the_reason():
    assert "paused" not in sentence(replace(DUE, paused_until=NOW, pause_reason="down"), now=NOW)


def test_another_day_is_told_with_its_date():
    assert moment(NOW + timedelta(days=2), now=NOW) == "2026-05-06 12:00 UTC (in 2 d)"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0 s"), (45, "45 s"), (600, "10 min"), (10_800, "3 h"), (432_000, "5 d")],
)
def test_a_span_is_told_in_its_own_unit(seconds, said):
    assert span(seconds) == said


def test_a_peers_text_is_one_short_printable_line():
    assert short("no\r\n\x1b[31mred\x9b2J") == r"no \u001b[31mred\u009b2J"
    assert len(short("x" * 5000)) == 160


def test_times_are_those_of_the_readers_zone():
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        assert moment(NOW + timedelta(minutes=5), now=NOW) == "21:05:00 JST (in 5 min)"
        assert moment(NOW + timedelta(hours=4), now=NOW) == "2026-05-05 01:00 JST (in 4 h)"


def test_spans_are_in_the_readers_language():
    with translation.override("ja"):
        assert [span(seconds) for seconds in (45, 720, 10_800, 400_000)] == [
            "45 秒",
            "12 分",
            "3 時間",
            "5 日",
        ]
