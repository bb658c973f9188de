"""Every pattern of the back-off table, answered by a receiver: what becomes of the delivery, and
of its lane.
"""

from typing import Any

import pytest

from deliveries.models import Attempt, Delivery, Lane, ShapingRule
from deliveries.shaping import rules
from deliveries.shaping.backoff import PATTERNS, Block, Leave, Pause, SlowDown
from tests.deliveries import make
from tests.deliveries.stage import play

pytestmark = [pytest.mark.usefixtures("mail_db"), pytest.mark.timeout(600)]

EVERYWHERE = [pattern for pattern in PATTERNS if not pattern.stages]
OPENING = [pattern for pattern in PATTERNS if pattern.stages]


def host_of(number, pattern):
    return f"mx{number}.{pattern.provider or 'everybody'}.test"


def receivers():
    """Return each provider's rule, recognised by host names of our own."""
    rules.sync()
    for provider in {pattern.provider for pattern in PATTERNS} - {""}:
        ShapingRule.objects.filter(name=provider).update(
            mx_suffixes=[f"{provider}.test"], tls="none", is_edited=True
        )


def zones_of(patterns):
    zones: dict[str, dict[str, list[Any]]] = {}
    for number, pattern in enumerate(patterns):
        zones[f"d{number}.test"] = {"MX": [(10, host_of(number, pattern))]}
        zones[host_of(number, pattern)] = {"A": ["127.0.0.1"]}
    return zones


def check(number, pattern):
    delivery = Delivery.objects.get(domain=f"d{number}.test")
    attempt = Attempt.objects.filter(delivery=delivery).earliest(
        "id"
    )  # on a slow machine the next may have followed
    lane = Lane.objects.get(site=host_of(number, pattern))
    assert lane.provider in ("", pattern.provider or "default"), pattern.name
    match pattern.action:
        case Leave():
            assert attempt.outcome in ("deferred", "bounced"), pattern.name
            assert lane.pace.get("limit") != "learned" and lane.closed_at is None, pattern.name
        case SlowDown():
            assert (attempt.outcome, delivery.state, delivery.attempt_count) == (
                "throttled",
                "deferred",
                0,
            ), pattern.name
            assert lane.pace["limit"] == "learned" and lane.closed_at is None, pattern.name
        case Pause(seconds):
            assert (attempt.outcome, delivery.state, delivery.attempt_count) == (
                "throttled",
                "deferred",
                0,
            ), pattern.name
            assert (
                0.8 * seconds < (lane.paused_until - attempt.at).total_seconds() < 1.2 * seconds
            ), pattern.name
            assert attempt.text in lane.pause_reason, pattern.name
        case Block():
            assert (attempt.outcome, delivery.state, delivery.attempt_count) == (
                "throttled",
                "deferred",
                0,
            ), pattern.name
            assert (
                lane.closed_at is not None
                and attempt.text in lane.close_reason
                and lane.closed_by == ""
            ), pattern.name


def test_every_pattern_is_heeded(settings):
    receivers()
    for number in range(len(EVERYWHERE)):
        make.delivery(to=f"you@d{number}.test")

    def answer(argument):
        return EVERYWHERE[int(argument.partition("@d")[2].partition(".")[0])].example

    def is_over():
        return Attempt.objects.values("delivery").distinct().count() == len(EVERYWHERE)

    play(
        settings,
        lambda mx: mx.on("RCPT", answer),
        zones=zones_of(EVERYWHERE),
        until=is_over,
        seconds=60,
    )
    assert len(EVERYWHERE) > 100
    for number, pattern in enumerate(EVERYWHERE):
        check(number, pattern)


@pytest.mark.parametrize("pattern", OPENING, ids=lambda pattern: pattern.name)
def test_a_carrier_that_answers_so_at_the_greeting_is_heeded_too(settings, pattern):
    receivers()
    make.delivery(to="you@d0.test")
    play(
        settings,
        lambda mx: mx.on("GREETING", pattern.example),
        zones=zones_of([pattern]),
        until=lambda: Attempt.objects.exists(),
    )
    check(0, pattern)
