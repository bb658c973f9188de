"""Every rule speaks for its example, may be looked for by its literals, and takes no longer for
hostile text.
"""

import re

import pytest

from deliveries.classification.classifier import LOOSE, PHRASES, classify
from deliveries.classification.classifier import Answer as Said
from deliveries.classification.dialects import KNOWN
from deliveries.classification.reply_text import parse
from deliveries.classification.rules import literals, normal
from suppressions.classes import Class
from tests.cost import assert_in_proportion
from tests.deliveries.bounces.sampled import table

NAMES = [rule.name for rule in PHRASES]
TEXTS = [normal(parse(row["reply"])[2]) for row in table("replies.tsv")] + [
    normal(parse(rule.example)[2]) for rule in PHRASES
]
HOSTILE = [
    "a" * 65_536, "user " * 13_000, "@" * 65_536, "a@" * 32_768, "<@>: " * 13_000, "not " * 16_000,
    "1.1.1.1 " * 8000, "mailbox is " * 6000,
    "your ip is not " * 4300, "too many message " * 3800, " " * 65_536, "(((" * 20_000,
        "550-5.7.1 " * 6500, "メール" * 20_000,
]  # fmt: skip
HOSTS = {
    "docomo": "mfsmax.docomo.ne.jp",
    "au": "msmx.au.com",
    "softbank": "mx.softbank.ne.jp",
    "yahoo": "mta5.am0.yahoodns.net",
}


def host_of(rule):
    provider = next(iter(rule.providers), "")
    return HOSTS.get(provider) or next(
        (f"mx.{known.mx_suffixes[0]}" for known in KNOWN if known.name == provider), ""
    )


def test_no_two_rules_have_one_name():
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("rule", PHRASES, ids=NAMES)
def test_a_rule_speaks_for_its_example(rule):
    code, enhanced, text = parse(rule.example)
    enhanced = "" if rule in LOOSE else enhanced  # a telling code would speak before it
    found = classify(
        Said(text, code, enhanced, next(iter(sorted(rule.stages)), None), host_of(rule))
    )
    assert found.rule == rule.name


@pytest.mark.parametrize("rule", PHRASES, ids=NAMES)
def test_whatever_a_rule_matches_has_one_of_its_literals(rule):
    keys = literals(rule.pattern)
    assert all(len(key) > 1 for key in keys)
    assert all(any(key in text for key in keys) for text in TEXTS if rule.search(text))


@pytest.mark.parametrize("rule", PHRASES, ids=NAMES)
def test_a_rule_takes_no_time_for_hostile_text(rule):
    for text in HOSTILE:
        assert_in_proportion(lambda size, text=text: rule.search(text[:size]), len(text))


def test_a_text_is_cut_before_it_is_searched():
    for text in HOSTILE:
        assert_in_proportion(lambda size, text=text: classify(Said(text[:size], 550)), len(text))


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("abc", ("abc",)),
        ("ab?c+de", ("de",)),
        ("(abc|de)f", ("abc", "de")),
        ("(abc)?de|[x]yz", ("de", "yz")),
        (r"a\.b{0,2}c", ("a.",)),
        ("x(?!abcdef)y", ("x",)),
        (r"\d+", ("",)),
    ],
)
def test_the_literals_of_a_pattern_are_what_each_match_must_hold(pattern, keys):
    assert literals(pattern) == keys


def test_an_address_is_no_word_of_the_reason():
    assert "spam" not in normal("550 <spam@virus.example.test>: no such user")


def test_each_class_that_a_refusal_can_have_has_a_rule():
    made_elsewhere = {Class.COMPLAINT, Class.AUTO_REPLY, Class.DELIVERED, Class.OTHER}
    assert {rule.class_ for rule in PHRASES} == set(Class) - made_elsewhere


def test_only_dead_addresses_and_domains_that_take_no_mail_are_hard():
    hard = {
        (rule.class_, rule.detail if rule.class_ is Class.NETWORK else "")
        for rule in PHRASES
        if rule.is_hard
    }
    assert hard == {
        (Class.UNKNOWN_USER, ""),
        (Class.UNKNOWN_DOMAIN, ""),
        (Class.NETWORK, "accepts_no_mail"),
    }


def test_names_say_class_and_words():
    assert all(re.fullmatch(rf"{rule.class_}/[a-z0-9-]+", rule.name) for rule in PHRASES)
