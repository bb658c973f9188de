"""Answers without a rule are counted by form, and what a rule changes is known beforehand."""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.bounces.unknown_answers import Effect, collect, effects, exported
from deliveries.classification.answer_forms import form_of, pattern_of
from deliveries.classification.local_rules import ParsedLocalRule
from suppressions.classes import Class
from suppressions.models import Occurrence
from tests.deliveries import make


def occurrence(
    project,
    text,
    *,
    rule="code/550",
    category="policy",
    code=550,
    days=0,
    key="hanako@example.test",
    host="mx.example.test",
):
    return Occurrence.objects.create(
        project=project,
        at=timezone.now() - timedelta(days=days),
        address_key=key,
        kind="reply",
        category=category,
        is_hard=False,
        stage="rcpt",
        host=host,
        code=code,
        text=text,
        rule=rule,
    )


@pytest.fixture
def project(db):
    return make.credential().project


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (
            "No! <hanako@example.test> (qid 4XyZ12ab3c) from 192.0.2.1",
            "no! <(address)> (qid (id)) from (ip)",
        ),
        ("See https://example.test/x?id=7 at mx1.example.test", "see (url) at (host)"),
        ("Ticket 123456, IPv6 2001:db8::1", "ticket (number), ipv6 (ip)"),
        ("Denied by house rule 7", "denied by house rule 7"),
    ],
)
def test_a_form_has_nothing_that_differs_between_messages(text, form):
    assert form_of(text) == form


def test_the_pattern_of_a_form_holds_its_words():
    assert pattern_of("denied for <(address)> by the house (id)") == "denied for * by the house"


def test_answers_of_one_form_are_counted_together(project):
    occurrence(project, "Nope <hanako@example.test> a1b2c3d4", days=3)
    occurrence(project, "Nope <jiro@example.test> z9y8x7w6")
    occurrence(project, "Mailbox full", rule="mailbox_full/full")
    occurrence(project, "Nope <taro@example.test> q1w2e3r4", days=40)
    (found,) = collect(now=timezone.now())
    assert (found.form, found.receiver, found.stage, found.amount) == (
        "nope <(address)> (id)",
        "example.test",
        "rcpt",
        2,
    )
    assert (timezone.now() - found.since).days == 3


def test_receivers_are_counted_apart(project):
    occurrence(project, "Nope")
    occurrence(project, "Nope", key="hanako@docomo.ne.jp", host="mfsmax.docomo.ne.jp")
    assert {each.receiver for each in collect(now=timezone.now())} == {"example.test", "docomo"}


def test_the_export_names_nobody(project):
    occurrence(project, "Nope <hanako@example.test> from 192.0.2.1 at mx1.example.test")
    lines = list(exported(collect(now=timezone.now())))
    assert lines[1] == "?\t\trcpt\t\t550 nope <(address)> from (ip) at (host)\t1"


def test_what_a_rule_would_change_is_counted(project):
    occurrence(project, "Nope, moved away")
    occurrence(project, "moved, unknown user", rule="unknown_user/moved", category="unknown_user")
    occurrence(project, "Something else")
    rule = ParsedLocalRule("moved", Class.RECIPIENT_REFUSED, "moved")
    assert sorted(effects(rule, now=timezone.now()), key=lambda each: each.category) == [
        Effect("policy", False, "nope, moved away", 1),
        Effect("unknown_user", False, "moved, unknown user", 1),
    ]
