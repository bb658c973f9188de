"""Answers of class `authentication` are counted with the domain that the mail was from, once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.authentication import refusals
from deliveries.authentication.mechanisms import mechanism
from deliveries.models import Attempt
from domains.models import AuthenticationRefusal, Domain
from domains.reporting import summary
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")
EARLIER = timezone.now() - timedelta(minutes=5)


@pytest.fixture
def domain():
    refusals.collect()  # begins at what is there now
    return Domain.objects.create(
        project=make.project(), name="shop.test", token="t", verified_at=timezone.now()
    )


def refused(enhanced="5.7.27", *, provider="google", author="shop@shop.test", **given):
    lane = make.lane(f"mx-{Attempt.objects.count()}.test", provider=provider)
    delivery = make.delivery(lane=lane, message=make.message(header_from=author))
    return Attempt.objects.create(
        **{"delivery": delivery, "outcome": "bounced", "stage": "body", "code": 550,
            "enhanced": enhanced, "text": "no", "category": "authentication", "at": EARLIER}
        | given
    )  # fmt: skip


def counted():
    return sorted(
        AuthenticationRefusal.objects.values_list("domain__name", "receiver", "mechanism", "amount")
    )


def test_answers_are_counted_by_domain_receiver_and_mechanism(domain):
    refused(), refused(), refused("5.7.30"), refused("5.7.515", provider="microsoft")
    refusals.collect()
    assert counted() == [
        ("shop.test", "google", "dkim", 1),
        ("shop.test", "google", "spf", 2),
        ("shop.test", "microsoft", "both", 1),
    ]


def test_a_second_look_counts_nothing_twice(domain):
    refused()
    assert refusals.collect() and not refusals.collect()
    refused()
    refusals.collect()
    assert counted() == [("shop.test", "google", "spf", 2)]


def test_what_is_young_waits_for_those_before_it(domain):
    refused()
    refused(at=timezone.now())
    refusals.collect()
    assert counted() == [("shop.test", "google", "spf", 1)]


def test_a_name_below_is_its_domains_and_a_strangers_is_nobodys(domain):
    refused(author="a@news.shop.test"), refused(author="a@other.test"), refused(author="")
    refusals.collect()
    assert counted() == [("shop.test", "google", "spf", 1)]


def test_a_receiver_without_a_name_is_its_domain_and_an_expiry_no_answer(domain):
    refused(provider="default", text="SPF failed")
    refused(stage="expiry")
    refusals.collect()
    assert counted() == [("shop.test", "mx.test", "spf", 1)]


def test_page_and_command_have_them_with_advice(domain):
    refused(text="SPF did not pass\x1b[2J")
    refusals.collect()
    [found] = ekiden_json("domain", "reports", "shop.test")["refusals"]
    assert (found["receiver"], found["answers"]) == ("google", 1)
    assert found == summary.summary(domain)["refusals"][0]
    shown = ekiden("domain", "reports", "shop.test")
    assert "google refused for SPF, 1 answers: 550 5.7.27 SPF did not pass" in shown
    assert "return path" in shown and "\x1b" not in shown


@pytest.mark.parametrize(
    ("provider", "enhanced", "text", "found"),
    [
        ("google", "4.7.32", "", "alignment"),
        ("google", "5.7.40", "", "dmarc"),
        ("default", "5.7.40", "", "other"),
        ("default", "5.7.23", "", "spf"),
        ("default", "5.7.1", "Rejected by DMARC policy, SPF and DKIM failed", "dmarc"),
        ("default", "5.7.1", "neither SPF nor DKIM passed", "both"),
        ("default", "", "bad DKIM signature", "dkim"),
    ],
)
def test_the_mechanism_is_read_by_code_and_words(provider, enhanced, text, found):
    assert mechanism(provider, enhanced, text) == found
