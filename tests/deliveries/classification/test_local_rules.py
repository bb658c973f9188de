"""Rules that people add: what they say, that they speak first, and that they reach those who
classify.
"""

import pytest

from deliveries.classification import classifier, loaded_rules
from deliveries.classification.classifier import Answer, classify
from deliveries.classification.local_rules import (
    PATTERN_MOST,
    LocalRules,
    ParsedLocalRule,
    alternatives,
)
from deliveries.models import Attempt
from deliveries.models import LocalRule as Row
from deliveries.smtp.outcomes import Stage
from suppressions.classes import Class
from tests.commands import ekiden, ekiden_json
from tests.cost import assert_in_proportion
from tests.deliveries import make
from tests.deliveries.stage import play


@pytest.fixture(autouse=True)
def none_left():
    yield
    classifier.add(None)


def rule(pattern="kunde * verzogen", **given):
    return ParsedLocalRule(
        **{"name": "moved", "class_": Class.UNKNOWN_USER, "pattern": pattern, "is_hard": True}
        | given
    )


def says(text, *rules, **answer):
    classifier.add(LocalRules(rules))
    return classify(Answer(text, **answer)).rule


@pytest.mark.parametrize(
    "text", ["Der Kunde ist leider verzogen", "KUNDE\r\n verzogen", "kunde <you@mx.test> verzogen"]
)
def test_words_are_found_in_their_order_in_any_case(text):
    assert says(text, rule()) == "local/moved"


@pytest.mark.parametrize("text", ["verzogen ist der Kunde", "Kunde", "", "kundeverzoge"])
def test_other_texts_are_left_to_the_shipped_rules(text):
    assert says(text, rule()) != "local/moved"


def test_it_speaks_before_the_shipped_rules():
    found = says(
        "550 5.1.1 User unknown",
        rule("user unknown", class_=Class.POLICY, is_hard=False),
        code=550,
        enhanced="5.1.1",
        stage=Stage.RCPT,
    )
    assert found == "local/moved"


def test_alternatives_providers_stages_and_codes():
    assert says("gone away", rule("moved house|gone away")) == "local/moved"
    docomo = rule("gone away", providers=frozenset({"docomo"}))
    assert says("gone away", docomo, host="mfsmax.docomo.ne.jp") == "local/moved"
    assert says("gone away", docomo, host="mx.test") != "local/moved"
    assert (
        says("gone away", rule("gone away", stages=frozenset({Stage.BODY})), stage=Stage.RCPT)
        != "local/moved"
    )
    assert says("gone away", rule("gone away", codes=frozenset({554})), code=550) != "local/moved"


@pytest.mark.parametrize(
    "pattern", ["", "*", "|", "no", "a*b", "long enough|x", "x" * (PATTERN_MOST + 1)]
)
def test_what_would_speak_about_everything_is_refused(pattern):
    with pytest.raises(ValueError, match=r"characters"):
        alternatives(pattern)


def test_no_pattern_takes_long():
    pattern = "*".join(["aaaa"] * 60) + "*b"
    rules = [rule(pattern, name=f"r{number}") for number in range(50)]
    assert_in_proportion(lambda size: says("a" * size, *rules), 2000, factor=4)


def test_the_version_of_the_tables_is_stable_and_told():
    assert classifier.version() == classifier.version()
    assert classifier.version() in ekiden("classify", "--tables")


# --- from the database ---
@pytest.mark.django_db
def test_rows_are_read_and_what_is_switched_off_is_not():
    Row.objects.create(
        name="moved", category="unknown_user", is_hard=True, pattern="kunde * verzogen", example="x"
    )
    Row.objects.create(
        name="off", category="policy", pattern="anything else", example="x", is_active=False
    )
    Row.objects.create(name="broken", category="policy", pattern="x", example="x")
    loaded_rules.load()
    assert classify(Answer("Kunde verzogen")).rule == "local/moved"
    assert not classify(Answer("anything else")).rule.startswith("local/")


@pytest.mark.django_db
def test_the_command_lets_them_speak_when_asked():
    Row.objects.create(
        name="moved", category="unknown_user", is_hard=True, pattern="kunde * verzogen", example="x"
    )
    asked = ("classify", "--reply", "550 Kunde verzogen")
    assert ekiden_json(*asked)["class"] != "unknown_user"
    assert ekiden_json(*asked, "--local")["rule"] == "local/moved"


@pytest.mark.usefixtures("mail_db")
def test_a_running_worker_follows(settings):
    Row.objects.create(
        name="moved", category="unknown_user", is_hard=True, pattern="kunde * verzogen", example="x"
    )
    make.delivery()
    play(settings, lambda mx: mx.on("RCPT", "550 5.7.1 Der Kunde ist verzogen"))
    assert Attempt.objects.get().rule == "local/moved"
