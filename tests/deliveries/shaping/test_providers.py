"""The shipped rules: recognised by whole labels, complete, and sane."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from deliveries.models import Route
from deliveries.shaping.providers import DEFAULT, RULES, ReceiverRule, effective, match

PAGE = Path(__file__).parents[3] / "docs/receivers.md"
LIMITS = [field.name for field in fields(ReceiverRule) if field.type == "int | None"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_is_found_by_its_hosts_and_its_domains(rule):
    for suffix in rule.mx_suffixes:
        assert match(RULES, hosts=[f"mx1.{suffix}"], domain="shop.test") is rule
        assert match(RULES, hosts=[suffix], domain="shop.test") is rule
    for domain in rule.domains:
        assert match(RULES, hosts=["mx.test"], domain=domain) is rule
        assert match(RULES, hosts=["mx.test"], domain=f"sub.{domain}") is rule


def test_a_suffix_matches_whole_labels():
    assert match(RULES, hosts=["mx.notgoogle.com"], domain="shop.test") is DEFAULT
    assert match(RULES, hosts=["google.com.evil.test"], domain="shop.test") is DEFAULT


def test_the_longest_suffix_goes_first_and_the_best_host():
    long, short = ReceiverRule("long", "", ("in.mx.test",)), ReceiverRule("short", "", ("mx.test",))
    assert match([short, long], hosts=["a.in.mx.test"], domain="") is long
    assert (
        match([short, long], hosts=["unknown.test", "b.mx.test", "a.in.mx.test"], domain="")
        is short
    )


def test_the_host_says_more_than_the_domain():
    assert match(RULES, hosts=["aspmx.l.google.com"], domain="docomo.ne.jp").name == "google"


def test_names_suffixes_and_domains_belong_to_one_rule_each():
    for names in (
        [rule.name for rule in RULES],
        [s for rule in RULES for s in rule.mx_suffixes],
        [d for rule in RULES for d in rule.domains],
    ):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("rule", [*RULES, DEFAULT], ids=lambda rule: rule.name)
def test_limits_are_positive_and_what_is_left_open_is_filled_in(rule):
    whole = effective(rule, DEFAULT)
    assert all(getattr(rule, name) is None or getattr(rule, name) > 0 for name in LIMITS)
    assert whole.connections and whole.messages_per_connection and whole.body_timeout >= 600
    assert whole.tls in ("", *Route.Tls.values)


def test_an_edited_default_fills_in():
    assert (
        effective(
            ReceiverRule("a", "A"), replace(DEFAULT, connections=2, tls="required")
        ).connections
        == 2
    )
    assert effective(ReceiverRule("a", "A"), replace(DEFAULT, tls="required")).tls == "required"


def test_the_resets_of_carriers_and_of_yahoo_japan_mean_too_fast():
    named = {rule.name for rule in RULES if rule.resets_are_throttling}
    assert named == {"docomo", "au", "softbank", "rakuten", "yahoo-japan"}


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("aspmx.l.google.com", "google"), ("alt1.gmail-smtp-in.l.google.com", "google"),
        ("aspmx2.googlemail.com", "google"),
        ("outlook-com.olc.protection.outlook.com", "microsoft"),
        ("contoso-com.mail.protection.outlook.com", "microsoft365"),
        ("contoso-com.a-v1.mx.microsoft", "microsoft365"), ("mta7.am0.yahoodns.net", "yahoo"),
        ("mx1.mail.yahoo.co.jp", "yahoo-japan"),
        ("mx01.mail.icloud.com", "icloud"), ("mfsmax.docomo.ne.jp", "docomo"),
        ("msmx.au.com", "au"), ("lsean.ezweb.ne.jp", "au"),
        ("mx.softbank.ne.jp", "softbank"), ("mx00.emig.gmx.net", "gmx"), ("mx-ha.web.de", "gmx"),
        ("mx00.mail.com", "gmx"),
        ("mx1a1.comcast.net", "comcast"), ("smtp-in.orange.fr", "orange"),
        ("smtpz4.laposte.net", "orange"), ("mxs.mail.ru", "mail-ru"),
        ("mx3.qq.com", "qq"), ("163mx01.mxmail.netease.com", "netease"),
        ("mail.protection.outlook.com.evil.test", "default"),
    ],
)  # fmt: skip
def test_the_hosts_that_receivers_have_today_are_known(host, name):
    assert match(RULES, hosts=[host], domain="shop.test").name == name


def test_a_carriers_subdomains_are_its_own():
    assert match(RULES, hosts=["mx.test"], domain="t.vodafone.ne.jp").name == "softbank"
    assert match(RULES, hosts=["mx.test"], domain="biz.ezweb.ne.jp").name == "au"


def ticked(names):
    return ", ".join(f"`{name}`" for name in names) or "–"


@pytest.mark.parametrize("rule", [*RULES, DEFAULT], ids=lambda rule: rule.name)
def test_the_page_about_receivers_says_what_the_rules_say(rule):
    figures = [
        "–" if limit is None else f"{limit:,}"
        for limit in (rule.connections, rule.messages_per_connection, rule.per_second)
    ]
    rest = [rule.tls or "–", "yes" if rule.resets_are_throttling else "–"]
    cells = [
        f"`{rule.name}`",
        rule.title,
        ticked(rule.mx_suffixes),
        ticked(rule.domains),
        *figures,
        *rest,
    ]
    assert f"| {' | '.join(cells)} |" in PAGE.read_text(encoding="utf-8")


def test_no_rule_has_a_limit_that_the_page_leaves_out():
    for rule in RULES:
        assert (
            rule.connections_per_minute
            is rule.per_minute
            is rule.per_hour
            is rule.per_day
            is rule.reply_timeout
            is rule.body_timeout
            is None
        )
        assert rule.recipients_per_transaction in (None, 1)
