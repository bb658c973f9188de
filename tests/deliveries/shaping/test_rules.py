"""Shipped rules as rows: kept up to date, never over what a person changed."""

import pytest
from django.core.exceptions import ValidationError

from deliveries.models import ShapingRule
from deliveries.shaping import providers, rules
from tests.deliveries import make
from tests.deliveries.stage import play

pytestmark = pytest.mark.django_db


def test_all_shipped_rules_have_rows_and_a_second_time_changes_nothing():
    rules.sync()
    before = dict(ShapingRule.objects.values_list("name", "changed_at"))
    assert before.keys() == rules.SHIPPED.keys()
    rules.sync()
    assert dict(ShapingRule.objects.values_list("name", "changed_at")) == before


def test_an_upgrade_brings_new_figures_but_not_over_what_was_changed_here():
    rules.sync()
    ShapingRule.objects.filter(name="google").update(connections=1)
    edited = ShapingRule.objects.get(name="yahoo")
    edited.connections = 2
    rules.save(edited)
    rules.sync()
    shipped = next(rule for rule in providers.RULES if rule.name == "google")
    assert ShapingRule.objects.get(name="google").connections == shipped.connections
    assert ShapingRule.objects.get(name="yahoo").connections == 2


def test_a_rule_that_is_no_longer_shipped_goes_unless_it_was_changed():
    make.rule("old", is_shipped=True)
    make.rule("kept", is_shipped=True, is_edited=True)
    rules.sync()
    assert not ShapingRule.objects.filter(name="old").exists()
    assert not ShapingRule.objects.get(name="kept").is_shipped


def test_a_changed_rule_goes_back_to_what_is_shipped():
    rules.sync()
    row = ShapingRule.objects.get(name="docomo")
    before = row.connections
    row.connections = 99
    rules.save(row)
    rules.reset(row)
    assert (row.connections, row.is_edited) == (before, False)


def test_a_rule_of_ones_own_has_nothing_to_go_back_to():
    with pytest.raises(KeyError):
        rules.reset(make.rule("mine"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "mine"}, "never applies"),
        ({"name": "mine", "mx_suffixes": ["google.com"]}, "already belongs to the rule Google"),
        ({"name": "mine", "domains": ["not a domain"]}, "no domain name"),
        ({"name": "default", "connections": None}, "needs a number of connections"),
    ],
)
def test_what_would_not_work_is_refused_with_its_reason(given, said):
    rules.sync()
    with pytest.raises(ValidationError, match=said):
        rules.check(ShapingRule(title="Mine", **given))


def test_names_are_kept_in_canonical_form():
    row = ShapingRule(
        name="mine", title="Mine", mx_suffixes=["*.MX.Example.test"], domains=["例え.test"]
    )
    rules.check(row)
    assert (row.mx_suffixes, row.domains) == (["mx.example.test"], ["xn--r8jz45g.test"])


@pytest.mark.usefixtures("mail_db")
@pytest.mark.django_db(transaction=True)
def test_a_changed_rule_is_followed_and_a_shipped_row_is_not_read_twice(settings):
    rules.sync()
    row = ShapingRule.objects.get(name=ShapingRule.DEFAULT)
    row.messages_per_connection = 1
    rules.save(row)
    for number in range(3):
        make.delivery(to=f"u{number}@mx.test")
    assert len(play(settings).sessions) == 3
