"""The table of what receivers answer when it was too much: each pattern is played with a reply it
was made for.
"""

import re
from pathlib import Path

import pytest

from deliveries.shaping import backoff, providers
from deliveries.shaping.backoff import PATTERNS, Block, Leave, Pause, SlowDown, find
from deliveries.smtp.outcomes import Stage
from deliveries.smtp.replies import Reply, ReplyParser
from tests.cost import assert_in_proportion


def reply(text):
    """Parse a reply as the wire would give it."""
    code, rest = text[:3], text[4:]
    [parsed] = ReplyParser().feed(f"{code} {rest}\r\n".encode())
    return parsed


def stage_of(pattern):
    return min(pattern.stages) if pattern.stages else Stage.MAIL


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_each_pattern_finds_its_example_and_none_before_it_does(pattern):
    assert find(reply(pattern.example), stage_of(pattern), pattern.provider) is pattern


# Replies as they were found in logs and tables, by the pattern that has to know them.
@pytest.mark.parametrize(
    ("provider", "text", "name"),
    [
        ("google", ("421 4.7.27 Your email has been rate limited because SPF authentication "
            "didn't pass "
            "for this message."),
         "google/unauthenticated"),
        ("google", ("421 4.7.28 Gmail has detected an unusual rate of unsolicited mail "
            "originating from "
            "your SPF domain example.org."),
         "google/domain-rate"),
        ("google", ("550 5.2.1 The user you are trying to contact is receiving mail at a rate that "
            "prevents additional messages"),
         "google/recipient-rate"),
        ("google", "421 4.4.5 Server busy, try again later.", "busy"),
        ("microsoft", "421 RP-001 (COL0-MC3-F15) Unfortunately, some messages from 192.0.2.1 "
            "weren't sent. "
            "Please try again. We have limits"
         " for how many messages can be sent per hour and per day.", "microsoft/rate"),
        ("microsoft", ("451 The mail server [192.0.2.1] has exceeded the maximum number of "
            "connections."), "microsoft/connections"),
        ("microsoft365", ("451 4.7.651 The mail server [192.0.2.1] has been temporarily rate "
            "limited due to IP "
            "reputation. (S3114)"),
         "microsoft365/rate-limited"),
        ("microsoft365", ("550 5.7.1 Service unavailable, Helo domain is listed in Spamhaus. "
            "(S8001)"), "spamhaus"),
        ("microsoft365", "550 5.2.122 The recipient has exceeded their limit for receiving",
            "microsoft365/recipient-rate"),
        ("yahoo", ("553 5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred; "
            "Retrying will NOT succeed."),
         "yahoo/refused-for-good"),
        ("yahoo", "421 Max message per connection reached, closing transmission channel",
            "session-full"),
        ("yahoo-japan", ("421 [IPTS04] Messages from 192.0.2.1 temporarily deferred due to "
            "unexpected volume "
            "or user complaints"),
         "yahoo-japan/deferred"),
        ("icloud", "550 5.7.1 Mail from IP 192.0.2.1 was rejected due to listing in Spamhaus "
            "SBL. For "
            "details please see"
         " http://www.spamhaus.org/query/bl?ip=192.0.2.1", "spamhaus"),
        ("gmx", ("554 Transaction failed Reject due to policy restrictions. For explanation visit "
            "https://postmaster.gmx.net/"), None),
        ("gmx", ("554 web.de (mxweb012) Nemesis ESMTP Service not available No SMTP service "
            "invalid "
            "DNS PTR resource record"), "gmx/no-ptr"),
        ("comcast", ("451 4.2.0 Throttled - "
            "https://postmaster.comcast.net/smtp-error-codes.php#RL000010"), "comcast/throttled"),
        ("orange", ("550 mwinf5c10 ME Service refuse. Veuillez essayer plus tard. Service refused, "
            "please try later. OFR006_103 [103]"),
         "orange/blocked"),
        ("orange", "550 5.2.0 Mail rejete. Mail rejected. ofr_506 [506]", "orange/message"),
        ("orange", ("550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. "
            "OFR_416 "
            "[416]"), None),
        ("qq", "550 Mailbox unavailable or access denied", None),
        ("netease", "421 4.5.0 HL:IFC 163 smtp3", "netease/frequency"),
        ("netease", "554 DT:SPM 163 smtp7", "netease/content"),
        ("", ("421 Too many concurrent SMTP connections from this IP address; please try again "
            "later."), "connections"),
        ("", ("421 mxcmd09.ad.aruba.it bizsmtp aeDm1w01G0T9uPK01 Too many connections, try "
            "later."), "connections"),
        ("", "421 #4.4.5 Too many TLS sessions at this time", "connections"),
        ("", "421 4.3.2 All server ports are busy", "connections"),
        ("", "452 4.3.2 Connection rate limit exceeded.", "connections"),
        ("", "421 Too much load; please try again later", "busy"),
        ("", "452 #4.3.1 queue full", "busy"),
        ("", ("451 4.7.1 <smtp.example.jp[192.0.2.3]>: Client host rejected: Please try again "
            "slower"), "fast"),
        ("", "451 Internal resource temporarily unavailable", "first-try"),
        ("", "421 Exceeded allowable connection time", "session-over"),
        ("", ("554 5.7.1 Service unavailable; Sender address [a@shop.test] blocked using "
            "dbl.spamhaus.org"), "domain-listed"),
    ],
)  # fmt: skip
def test_a_reply_from_the_field_is_known(provider, text, name):
    found = find(reply(text), Stage.MAIL, provider)
    assert (found.name if found else None) == name


def test_lines_are_read_as_one_text():
    lines = (
        b"450-4.2.1 The user you are trying to contact is receiving\r\n"
        b"450 4.2.1 mail at a rate that prevents\r\n"
    )
    [parsed] = ReplyParser().feed(lines)
    assert find(parsed, Stage.RCPT, "google").action == Leave()


def test_only_these_slow_down_for_a_permanent_refusal():
    """A message held back for its pace comes again within seconds: with a refusal that is meant for
    good, for days.
    """
    named = {
        pattern.name
        for pattern in PATTERNS
        if isinstance(pattern.action, SlowDown | Pause)
        and not (pattern.codes and max(pattern.codes) < 500)
    }
    assert named == {
        "google/unusual-rate-blocked", "microsoft365/permitted-limits", "yahoo-japan/not-allowed",
        "qq/frequency",
        "qq/sender-frequency", "qq/denied", "qq/suspected", "netease/suspended",
    }  # fmt: skip


def test_what_is_searched_is_lowered_and_so_are_the_patterns():
    assert not [
        pattern.name for pattern in PATTERNS if re.search(r"(?<!\\)[A-Z]", pattern.text.pattern)
    ]
    assert find(reply("421 TOO MANY CONNECTIONS"), Stage.GREETING, "").name == "connections"


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_hostile_text_costs_little(pattern):
    """64 KB, though no more than `LOOKED_AT` of it is ever searched."""
    for filling in (
        "too many ",
        "rate limit ",
        "a",
        "4.7.0 ",
        "messages from ",
        "user ",
        pattern.example.lower()[4:30],
    ):
        assert_in_proportion(
            lambda size, filling=filling: pattern.text.search(filling * (size // len(filling))),
            65_536,
        )


def test_a_very_long_reply_is_looked_at_in_part_only():
    assert find(Reply(421, "4.7.0", "x" * backoff.LOOKED_AT + " too fast"), Stage.MAIL, "") is None


def test_names_are_unique_and_their_providers_have_rules():
    names = [pattern.name for pattern in PATTERNS]
    assert len(set(names)) == len(names)
    assert {pattern.provider for pattern in PATTERNS} - {""} <= {
        rule.name for rule in providers.RULES
    }


def test_another_providers_pattern_does_not_speak():
    assert find(reply("550 Connection frequency limited"), Stage.MAIL, "qq").action == Pause(1800)
    assert find(reply("550 Connection frequency limited"), Stage.MAIL, "google") is None


@pytest.mark.parametrize(
    "text",
    [
        "550 5.1.1 no such user", "452 4.2.2 mailbox full", "451 4.3.0 temporary failure",
        "421 4.3.2 System shutting down",
        "550 5.7.1 message content rejected", "421 4.4.2 idle timeout",
        "450 4.1.8 sender domain not found",
    ],
)  # fmt: skip
@pytest.mark.parametrize("provider", ["", "google", "microsoft", "docomo", "yahoo"])
def test_what_says_nothing_about_our_pace_slows_nothing(text, provider):
    pattern = find(reply(text), Stage.RCPT, provider)
    assert pattern is None or pattern.action == Leave()


@pytest.mark.parametrize("carrier", ["docomo", "au", "softbank", "rakuten"])
def test_a_carrier_that_refuses_the_session_has_enough_whatever_it_says(carrier):
    text = "421 some words that nobody knows"
    assert isinstance(find(reply(text), Stage.GREETING, carrier).action, Pause)
    assert find(reply(text), Stage.BODY, carrier) is None
    assert find(reply("554 go away"), Stage.GREETING, carrier) is None


def test_every_action_is_of_use():
    assert {type(pattern.action) for pattern in PATTERNS} == {SlowDown, Pause, Block, Leave}


def test_the_page_about_receivers_names_each_answer_under_its_action():
    page = (Path(__file__).parents[3] / "docs/receivers.md").read_text(encoding="utf-8")
    for who in {pattern.provider for pattern in PATTERNS}:
        cells = []
        for action in (SlowDown, Pause, Block, Leave):
            own = [
                pattern
                for pattern in PATTERNS
                if pattern.provider == who and isinstance(pattern.action, action)
            ]
            cells.append(
                ", ".join(f"`{pattern.name.rpartition('/')[2]}`" for pattern in own) or "–"
            )
        assert f"| `{who or 'everybody'}` | {' | '.join(cells)} |" in page
