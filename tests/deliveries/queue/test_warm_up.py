import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from deliveries.backends.database import Database
from deliveries.models import Source, SourceCount, WarmUp, WarmUpDay, WarmUpPlan
from deliveries.models.states import DeliveryState
from deliveries.queue import warm_up, warm_up_plans
from tests.deliveries import make
from tests.deliveries.queue.test_ledger import entry, write

pytestmark = pytest.mark.usefixtures("mail_db")


def reserve(*wanted, receiver="google", source="one", now=None):
    """Return what each of these gets, one after the other."""

    async def main():
        database = Database("test")
        try:
            return [
                await warm_up.reserve(database, source, receiver, each, now=now) for each in wanted
            ]
        finally:
            await database.close()

    return asyncio.run(main())


def at_once(choosers, wanted):
    """Return what so many choosers, each with a connection of its own, get at the same time."""

    async def one():
        database = Database("test")
        try:
            return [await warm_up.reserve(database, "one", "google", wanted) for _ in range(5)]
        finally:
            await database.close()

    async def main():
        return await asyncio.gather(*(one() for _ in range(choosers)))

    return [each for got in asyncio.run(main()) for each in got]


def plan(*numbers, receiver="google"):
    WarmUpPlan.objects.update_or_create(receiver=receiver, defaults={"numbers": list(numbers)})


def test_no_more_than_the_number_of_the_day_is_given():
    make.source()
    plan(50, 100)
    assert reserve(30, 30, 30) == [30, 20, 0]
    row = WarmUpDay.objects.get()
    assert (row.day, row.number, row.led, row.receiver) == (1, 50, 50, "google")


def test_many_choosers_at_once_get_the_number_and_not_one_more():
    make.source()
    plan(101)
    assert sum(at_once(8, 7)) == 101
    assert WarmUpDay.objects.get().led == 101


def test_each_receiver_has_a_day_and_numbers_of_its_own():
    make.source()
    plan(50, receiver="default")
    plan(80)
    WarmUp.objects.create(
        source=Source.objects.get(), receiver="yahoo", day=3, judged_on=timezone.now()
    )
    plan(50, 100, 200, receiver="yahoo")
    assert reserve(1000) == [80]
    assert reserve(1000, receiver="yahoo") == [200]
    assert reserve(1000, receiver="tiny") == [50]


def test_without_rows_of_plans_the_shipped_numbers_hold():
    make.source()
    assert reserve(1000) == [warm_up_plans.DEFAULT[0]]


def test_the_number_begins_anew_at_midnight_of_utc_less_what_waits():
    source, home = make.source(), make.lane()
    led = make.source_lane(source, home, provider="google")
    plan(50)
    evening = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
    assert reserve(60, now=evening) == [50]
    for _ in range(4):
        make.delivery(lane=led)
    assert reserve(60, now=evening + timedelta(minutes=2)) == [46]


def test_what_was_accepted_before_the_day_was_opened_counts():
    source, home = make.source(), make.lane()
    led = make.source_lane(source, home, provider="google")
    plan(50)
    delivery = make.delivery(lane=led, claim=1)
    write(entry(delivery, provider="google"))
    assert reserve(60) == [49]


def test_a_source_that_is_warm_takes_all_and_one_that_is_out_takes_nothing():
    source = make.source(state="warm")
    assert reserve(1000) == [1000]
    for state in ("cold", "resting", "out"):
        Source.objects.filter(pk=source.pk).update(state=state)
        assert reserve(1000) == [0]
    assert reserve(1000, source="unknown") == [0]


def test_a_receiver_for_which_the_source_is_warm_has_no_number():
    source = make.source()
    WarmUp.objects.create(source=source, receiver="google", is_warm=True, judged_on=timezone.now())
    assert reserve(1000, 1000) == [1000, 1000]
    assert warm_up.sentence("one", "google") == ""


def test_the_sentence_says_the_number_the_day_and_when_more_go():
    make.source()
    plan(50, 100)
    reserve(50)
    said = warm_up.sentence("one", "google")
    assert said.startswith("one warms up for google, day 1 of 2: 50 of 50 messages")
    assert "00:00 UTC" in said
    assert warm_up.sentence("another", "google") == ""


def test_the_ledger_counts_mail_of_sources_only_and_by_what_happened():
    source, home = make.source(), make.lane()
    led = make.source_lane(source, home)
    write(
        entry(make.delivery(lane=home), provider="google"),
        entry(make.delivery(lane=led), provider="google"),
        entry(make.delivery(lane=led), DeliveryState.BOUNCED, provider="google", is_hard=True),
        entry(make.delivery(lane=led), DeliveryState.BOUNCED, provider="google"),
        entry(make.delivery(lane=led), DeliveryState.DEFERRED, provider="google",
              outcome="throttled", wait=9.0, is_try=False),
    )  # fmt: skip
    found = {row.event: (row.source, row.receiver, row.amount) for row in SourceCount.objects.all()}
    assert found == dict.fromkeys(("accepted", "refused", "throttled"), ("one", "google", 1))


def test_shipped_plans_become_rows_and_what_people_changed_stays():
    warm_up_plans.sync()
    assert set(WarmUpPlan.objects.values_list("receiver", flat=True)) == set(warm_up_plans.SHIPPED)
    WarmUpPlan.objects.filter(receiver="google").update(numbers=[7], is_edited=True)
    WarmUpPlan.objects.filter(receiver="yahoo").update(numbers=[7])
    warm_up_plans.sync()
    assert warm_up_plans.numbers_of("google") == [7]
    assert warm_up_plans.numbers_of("yahoo") == list(warm_up_plans.YAHOO)
    assert warm_up_plans.numbers_of("tiny") == list(warm_up_plans.DEFAULT)


@pytest.mark.parametrize("numbers", warm_up_plans.SHIPPED.values(), ids=warm_up_plans.SHIPPED)
def test_a_shipped_plan_lasts_thirty_days_and_never_falls(numbers):
    assert len(numbers) == warm_up_plans.DAYS
    WarmUpPlan(receiver="x", numbers=list(numbers)).clean()
