"""What receivers ask for: rows with sources, and a domain's verdict on each from what is kept."""

from datetime import UTC, date, timedelta

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from deliveries.authentication import demand_facts, demand_verdicts, demands, sampled_days
from deliveries.authentication.demand_facts import DomainFacts, ReceiverVolume
from deliveries.authentication.shipped_demands import shipped
from deliveries.models import Attempt, ReceiverDemand, Tally
from domains.models import (
    AuditEntry,
    Domain,
    DomainReport,
    OwnLight,
    SampledDay,
    SignatureCheck,
)
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")
NOW = timezone.now()
MANY = ReceiverVolume(busiest_day=6000, delivered=20_000, complaints=30)


@pytest.fixture(autouse=True)
def rows(mail_db):
    demands.sync()


@pytest.fixture
def domain():
    return Domain.objects.create(
        project=make.project(), name="shop.test", token="t", verified_at=NOW
    )


def row(name):
    return ReceiverDemand.objects.get(name=name)


def verdict(name, **facts):
    return demand_verdicts.verdict(row(name), DomainFacts(**facts))[:2]


def test_each_shipped_demand_has_a_receiver_a_page_and_a_day():
    from deliveries.shaping.rules import SHIPPED

    receivers = {each.receiver for each in shipped().values()}
    assert receivers <= SHIPPED.keys() and len(receivers) == 7
    assert all(
        each.source.startswith("https://") and each.read_on >= date(2026, 1, 1)
        for each in shipped().values()
    )


def test_what_people_changed_stays_and_what_is_shipped_anew_comes():
    ekiden("demands", "set", "google-complaints-0-3", "--limit", "0.2")
    ReceiverDemand.objects.filter(name="au-spf").update(limit=9)
    ReceiverDemand.objects.create(
        name="gone", receiver="au", measure="spf", source="https://x.test/", read_on=NOW.date(),
        is_shipped=True,
    )  # fmt: skip
    demands.sync()
    assert (row("google-complaints-0-3").limit, row("au-spf").limit) == (0.2, None)
    assert not ReceiverDemand.objects.filter(name="gone").exists()
    ekiden("demands", "reset", "google-complaints-0-3")
    assert row("google-complaints-0-3").limit == 0.3
    assert set(AuditEntry.objects.values_list("action", flat=True)) >= {"change", "reset"}


def test_what_is_asked_of_large_senders_is_not_asked_of_others():
    assert verdict("google-dmarc-many", verdicts={"dmarc": "fail"}) == ("pass", "fewer")
    volumes = {"google": MANY}
    found = verdict("google-dmarc-many", verdicts={"dmarc": "fail"}, volumes=volumes)
    assert found == ("fail", "not-met")


@pytest.mark.parametrize(("spf", "dkim", "either", "both"), [
    ("pass", "fail", "pass", "fail"), ("fail", "fail", "fail", "fail"),
    ("pass", "pass", "pass", "pass"), ("unknown", "fail", "unknown", "fail"),
    ("unknown", "pass", "pass", "unknown"),
])  # fmt: skip
def test_one_of_both_or_both_of_them(spf, dkim, either, both):
    given = {"verdicts": {"spf": spf, "dkim": dkim}, "volumes": {"google": MANY}}
    assert verdict("google-spf-or-dkim", **given)[0] == either
    assert verdict("google-spf-and-dkim-many", **given)[0] == both


@pytest.mark.parametrize(("complaints", "delivered", "state"), [
    (30, 20_000, "pass"), (61, 20_000, "fail"), (60, 20_000, "pass"), (5, 900, "unknown"),
])  # fmt: skip
def test_complaints_are_held_against_the_limit(complaints, delivered, state):
    volume = ReceiverVolume(9, delivered, complaints)
    assert verdict("yahoo-complaints-0-3", volumes={"yahoo": volume})[0] == state


def test_a_rate_of_several_domains_and_one_that_nobody_tells_cannot_be_told():
    volumes = {"yahoo": MANY, "google": MANY}
    assert verdict("yahoo-complaints-0-3", volumes=volumes, is_alone=False) == (
        "unknown", "complaints-shared",
    )  # fmt: skip
    assert verdict("google-complaints-0-3", volumes=volumes) == ("unknown", "complaints-silent")


@pytest.mark.parametrize(
    ("bulk", "clicks", "state"), [(0, 0, "unknown"), (4, 4, "pass"), (4, 3, "fail")]
)
def test_all_sampled_bulk_mail_unsubscribes_with_one_click(bulk, clicks, state):
    given = {"volumes": {"yahoo": MANY}, "bulk": bulk, "one_click": clicks}
    assert verdict("yahoo-one-click-many", **given)[0] == state


@pytest.mark.parametrize(("tls", "state"), [
    ({}, "unknown"), ({"google": (9, 9)}, "pass"), ({"google": (8, 9)}, "fail"),
])  # fmt: skip
def test_all_sampled_deliveries_go_by_tls(tls, state):
    assert verdict("google-tls-100-0", tls=tls)[0] == state


def test_the_facts_come_from_tallies_checks_and_lights(domain):
    for day, amount in ((1, 300), (1, 200), (3, 400), (9, 9000)):
        Tally.objects.create(
            hour=(NOW - timedelta(days=day)).replace(hour=5), project=domain.project,
            credential_id=1, provider="google", category="delivered", is_hard=False, amount=amount,
        )  # fmt: skip
    mail = [
        {"subject": "spf", "slip": "spf-pass", "state": "pass"},
        {"subject": "dkim", "slip": "dkim-none", "state": "fail"},
        {"subject": "spf", "slip": "spf-not-aligned", "state": "fail"},
        {"subject": "dmarc", "slip": "dmarc-own", "state": "pass"},
        {"subject": "dmarc", "slip": "dmarc-fail", "state": "fail"},
    ]
    DomainReport.objects.create(domain=domain, checked_at=NOW, report={"mail": mail})
    OwnLight.objects.create(
        address="192.0.2.1", check_name="ptr", light="good", slip="x", given={}, checked_at=NOW,
        changed_at=NOW,
    )  # fmt: skip
    facts = demand_facts.facts_of(domain, now=NOW)
    assert facts.volumes["google"] == ReceiverVolume(500, 900, 0) and facts.is_alone
    assert facts.verdicts == {
        "ptr": "pass", "spf": "pass", "dkim": "fail", "dmarc": "pass", "aligned": "fail",
    }  # fmt: skip


def test_before_the_first_check_nothing_can_be_told(domain):
    shown = ekiden_json("demands", "check", "shop.test", "--json")
    states = {each["name"]: (each["state"], each["code"]) for each in shown}
    assert states["docomo-dmarc"] == ("unknown", "unchecked")
    assert states["microsoft-dmarc-many"] == ("pass", "fewer")


def test_the_command_ends_with_1_where_a_demand_is_not_met(domain):
    DomainReport.objects.create(domain=domain, checked_at=NOW, report={"mail": [
        {"subject": "dmarc", "slip": "dmarc-none", "state": "fail"},
    ]})  # fmt: skip
    with pytest.raises(SystemExit):
        ekiden("demands", "check", "shop.test")
    assert "https://support.google.com/a/answer/81126" in ekiden("demands", "list")


@pytest.mark.parametrize("wrong", [
    ("set", "nothing", "--limit", "1"), ("set", "au-spf", "--source", "not a page"),
    ("set", "au-spf", "--asked-from", "-1"),
])  # fmt: skip
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(CommandError):
        ekiden("demands", *wrong)


# --- the sample -----------------------------------------------------------------------------------
BULK = (
    b"From: a@shop.test\r\nList-Unsubscribe: <https://u.test/x>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\nhello\r\n"
)


@pytest.mark.parametrize(("data", "bulk", "clicks"), [
    (BULK, 1, 1), (BULK.replace(b"https:", b"mailto:"), 1, 0), (b"Subject: x\r\n\r\nx\r\n", 0, 0),
    (b"Precedence: bulk\r\n\r\nx\r\n", 1, 0), (BULK.replace(b"-Post: ", b"-Post: not "), 1, 0),
])  # fmt: skip
def test_a_sampled_message_counts_as_what_it_is(domain, data, bulk, clicks):
    sampled_days.note_message(domain, data, now=NOW)
    counted = SampledDay.objects.get()
    assert (counted.amount, counted.bulk, counted.one_click) == (1, bulk, clicks)


def test_its_deliveries_are_followed_once_for_tls(domain):
    lane = make.lane("mx.test", provider="google")
    message = make.message(header_from="a@shop.test")
    for tls in ("TLSv1.3", ""):
        delivery = make.delivery("you@mx.test", message, lane=lane)
        Attempt.objects.create(delivery=delivery, outcome="delivered", stage="body", tls=tls)
    checked = NOW - timedelta(hours=2)
    SignatureCheck.objects.create(
        message_id=message.pk, domain=domain, checked_at=checked, result="pass"
    )
    assert (sampled_days.follow(now=NOW), sampled_days.follow(now=NOW)) == (1, 0)
    counted = SampledDay.objects.get()
    assert (counted.receiver, counted.amount, counted.by_tls) == ("google", 2, 1)
    assert counted.day == checked.astimezone(UTC).date()
