from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from suppressions.classes import Class
from suppressions.policy import PRESETS, STANDARD, AddressEvent, Group, decide, group_of

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def event(class_=Class.UNKNOWN_USER, *, days=0.0, hard=None, unsubscribed=False):
    is_hard = class_ in (Class.UNKNOWN_USER, Class.UNKNOWN_DOMAIN) if hard is None else hard
    return AddressEvent(NOW - timedelta(days=days), class_, is_hard, unsubscribed)


def group(*events, rules=STANDARD, delivered=None):
    delivered_at = None if delivered is None else NOW - timedelta(days=delivered)
    verdict = decide(events, rules, now=NOW, delivered_at=delivered_at)
    return verdict and verdict.group


SOFT = Class.RECIPIENT_REFUSED


def test_one_hard_bounce_is_enough():
    assert group(event()) is Group.PERMANENT


def test_three_soft_bounces_in_a_row_are_enough_and_two_are_not():
    assert group(event(SOFT, days=2), event(SOFT, days=1)) is None
    assert group(event(SOFT, days=2), event(SOFT, days=1), event(SOFT)) is Group.TEMPORARY


def test_a_delivery_in_between_begins_the_count_anew():
    bounces = event(SOFT, days=9), event(SOFT, days=8), event(SOFT)
    assert group(*bounces, delivered=4) is None
    assert (
        group(*bounces, delivered=4, rules=replace(STANDARD, is_in_a_row=False)) is Group.TEMPORARY
    )


def test_soft_bounces_that_lie_too_far_apart_do_not_add_up():
    assert group(event(SOFT, days=40), event(SOFT, days=20), event(SOFT)) is None


def test_bounces_of_several_groups_do_not_add_up():
    assert group(event(SOFT, days=2), event(Class.OTHER, days=1), event(Class.OTHER)) is None


@pytest.mark.parametrize(
    "class_",
    [
        Class.REPUTATION,
        Class.CONTENT,
        Class.AUTHENTICATION,
        Class.RATE_LIMITED,
        Class.VIRUS,
        Class.TOO_LARGE,
    ],
)
def test_what_is_the_senders_fault_or_ours_never_suppresses(class_):
    assert group_of(event(class_)) is None
    assert group(*[event(class_, days=days) for days in range(20)], rules=PRESETS["strict"]) is None


def test_a_mailbox_suppresses_only_when_it_has_been_full_for_the_whole_period():
    full = Class.MAILBOX_FULL
    assert group(event(full, days=13), event(full, days=5), event(full)) is None
    assert group(event(full, days=14), event(full)) is Group.FULL
    assert group(event(full, days=14), event(full), delivered=7) is None


def test_a_complaint_suppresses_at_once_unless_the_project_does_not_want_it():
    assert group(event(Class.COMPLAINT), delivered=0) is Group.COMPLAINT
    assert group(event(Class.COMPLAINT), rules=replace(STANDARD, heeds_complaints=False)) is None


def test_an_unsubscription_always_suppresses():
    off = replace(PRESETS["complaints"], heeds_complaints=False)
    assert group(event(Class.OTHER, unsubscribed=True), rules=off) is Group.UNSUBSCRIBE


def test_a_count_of_0_switches_a_line_off():
    assert group(*[event(days=day) for day in range(9)], rules=PRESETS["complaints"]) is None


def test_the_verdict_says_since_when_how_often_and_until_when():
    verdict = decide([event(days=3), event(days=1)], replace(STANDARD, lasts_days=10), now=NOW)
    assert (verdict.first_at, verdict.count) == (NOW - timedelta(days=3), 2)
    assert verdict.until == NOW + timedelta(days=9)
    assert verdict.probation_at == NOW + timedelta(days=179)


@pytest.mark.parametrize("unsubscribed", [False, True])
def test_nobody_who_complained_or_unsubscribed_is_tried_again(unsubscribed):
    verdict = decide(
        [event(Class.COMPLAINT, unsubscribed=unsubscribed)],
        replace(STANDARD, lasts_days=10),
        now=NOW,
    )
    assert (verdict.until, verdict.probation_at) == (None, None)
