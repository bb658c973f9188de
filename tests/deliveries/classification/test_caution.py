"""An address is dead by two signs that do not depend on each other, or by one that is certain."""

import pytest

from deliveries.classification.classifier import Answer, classify
from deliveries.classification.reply_text import parse
from deliveries.smtp.outcomes import Stage
from suppressions.classes import Class
from tests.commands import ekiden


def of(reply, stage=None, host=""):
    code, enhanced, text = parse(reply)
    return classify(Answer(text, code, enhanced, stage, host))


@pytest.mark.parametrize(
    ("reply", "stage"),
    [
        ("550 5.1.1 <a@b.test>: user unknown", None),
        ("550 <a@b.test>: user unknown", Stage.RCPT),
        ("550 5.1.1 RESOLVER.ADR.RecipNotFound; not found", None),
        ("550 5.1.2 <a@b.test>: host unknown", None),
        ("550 5.1.1", None),
        ("521 5.3.2 System not accepting network messages", None),
    ],
)
def test_two_signs_or_a_certain_one_make_it_dead(reply, stage):
    assert of(reply, stage).is_hard


@pytest.mark.parametrize(
    ("reply", "stage"),
    [
        ("550 user unknown", None),
        ("550 user unknown", Stage.BODY),
        ("550 5.7.1 user unknown", Stage.RCPT),
        ("450 4.1.1 <a@b.test>: user unknown: could not verify, try again later", Stage.RCPT),
        ("550 5.1.1 <a@b.test>: unverified address: LDAP lookup failure", Stage.RCPT),
        ("550 mailbox unavailable: reject due to policy restrictions", Stage.RCPT),
        ("550 5.1.1 mailbox unavailable because of your reputation", Stage.RCPT),
        ("552 5.2.2 <a@b.test>: mailbox full", Stage.RCPT),
        ("550 5.2.1 account disabled for inactivity", Stage.RCPT),
        ("450 4.4.3 Host not found, try again", None),
        ("550 5.1.2 host unknown: temporary name server failure", None),
        ("550 5.1.2 domain does not exist", Stage.BODY),
        ("550 5.2.1 Mailbox not available", Stage.RCPT),
        ("550 5.1.1 Access denied", Stage.RCPT),
        ("550 5.5.1 Recipient rejected", Stage.RCPT),
        ("550 User unknown or not authorised to receive external mail", Stage.RCPT),
        ("550 5.1.1 invalid recipient: mail from your country is not accepted", Stage.RCPT),
        ("450 4.1.1 <a@b.test>: unverified address: mx.b.test said: 550 user unknown", Stage.RCPT),
        (
            "550-Called: 192.0.2.1 550-Response: 550 User unknown 550 Sender verify failed",
            Stage.RCPT,
        ),
    ],
)
def test_what_speaks_against_it_keeps_it_alive(reply, stage):
    assert not of(reply, stage).is_hard


def test_words_that_give_another_reason_give_the_class():
    assert (
        of(
            "550-Requested action not taken: mailbox unavailable 550-Reject due to policy "
            "restrictions",
            Stage.RCPT,
        ).class_
        is Class.POLICY
    )


def test_signs_are_kept_with_their_weight():
    found = of("550 5.7.1 user unknown", Stage.RCPT)
    assert [(sign.weight, sign.says) for sign in found.signs] == [
        (1, "words"), (-1, "the code 5.7.1, which is about a rule"),
        (1, "said when the recipient was named"),
    ]  # fmt: skip


def test_why_names_what_spoke_for_and_against():
    said = ekiden("classify", "--reply", "550 5.7.1 user unknown", "--stage", "rcpt", "--why")
    assert (
        "for      +1 words\nagainst  -1 the code 5.7.1" in said
        and "sum      +1: not dead (dead from +2)" in said
    )


def test_without_why_no_sign_is_named():
    assert "sum" not in ekiden("classify", "--reply", "550 5.7.1 user unknown", "--stage", "rcpt")
