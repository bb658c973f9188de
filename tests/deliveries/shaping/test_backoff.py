"""The table of what receivers answer when it was too much: each pattern is played with a reply it was made for."""

import time

import pytest

from deliveries.outcomes import Stage
from deliveries.shaping import backoff, providers
from deliveries.shaping.backoff import PATTERNS, Block, Leave, Pause, SlowDown, find
from deliveries.smtp.replies import Reply, ReplyParser


def reply(text):
    """As the wire would give it."""
    code, rest = text[:3], text[4:]
    [parsed] = ReplyParser().feed(f"{code} {rest}\r\n".encode())
    return parsed


def stage_of(pattern):
    return min(pattern.stages) if pattern.stages else Stage.MAIL


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_each_pattern_finds_its_example_and_none_before_it_does(pattern):
    assert find(reply(pattern.example), stage_of(pattern), pattern.provider) is pattern


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_hostile_text_costs_little(pattern):
    for filling in ("too many ", "rate limit ", "a", "4.7.0 ", "messages from "):
        began = time.process_time()
        pattern.text.search(filling * (backoff.LOOKED_AT // len(filling)))
        assert time.process_time() - began < 0.05


def test_a_very_long_reply_is_looked_at_in_part_only():
    assert find(Reply(421, "4.7.0", "x" * 10_000 + " too fast"), Stage.MAIL, "") is None


def test_names_are_unique_and_their_providers_have_rules():
    names = [pattern.name for pattern in PATTERNS]
    assert len(set(names)) == len(names)
    assert {pattern.provider for pattern in PATTERNS} - {""} <= {rule.name for rule in providers.RULES}


def test_another_providers_pattern_does_not_speak():
    assert find(reply("550 Connection frequency limited"), Stage.MAIL, "qq").action == Pause(1800)
    assert find(reply("550 Connection frequency limited"), Stage.MAIL, "google") is None


@pytest.mark.parametrize(
    "text",
    [
        "550 5.1.1 no such user", "452 4.2.2 mailbox full", "451 4.3.0 temporary failure", "421 4.3.2 System shutting down",
        "550 5.7.1 message content rejected", "421 4.4.2 idle timeout", "450 4.1.8 sender domain not found",
    ],
)  # fmt: skip
@pytest.mark.parametrize("provider", ["", "google", "microsoft", "docomo", "yahoo"])
def test_what_says_nothing_about_our_pace_slows_nothing(text, provider):
    pattern = find(reply(text), Stage.RCPT, provider)
    assert pattern is None or pattern.action == Leave()


def test_a_stage_can_decide():
    text = "421 Service not available"
    assert isinstance(find(reply(text), Stage.GREETING, "docomo").action, Pause)
    assert find(reply(text), Stage.BODY, "docomo") is None


def test_every_action_is_of_use():
    assert {type(pattern.action) for pattern in PATTERNS} == {SlowDown, Pause, Block, Leave}


def test_a_look_costs_less_than_50_microseconds():
    said = reply("450 4.2.0 something that no pattern knows, of a usual length for a reply of this kind")
    find(said, Stage.RCPT, "google")
    began = time.process_time()
    for _ in range(500):
        find(said, Stage.RCPT, "google")
    assert (time.process_time() - began) / 500 < 50e-6
