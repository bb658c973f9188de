from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from deliveries.models import Delivery, Source, SourceCount, WarmUp, WarmUpDay
from deliveries.steering import warming
from domains.operations import audit
from tests.commands import ekiden
from tests.deliveries import make
from tests.deliveries.queue.test_warm_up import at_once, plan, reserve

pytestmark = pytest.mark.usefixtures("mail_db")
DAY = timedelta(days=1)


@pytest.fixture
def source():
    plan(50, 100, 200)
    return make.source()


def happened(*events, at=None, receiver="google", **amounts):
    for event, amount in amounts.items():
        SourceCount.objects.create(
            hour=at or timezone.now(), source="one", receiver=receiver, project_id=1, event=event,
            amount=amount,
        )  # fmt: skip


def a_day_passes():
    """Make yesterday of today."""
    for row in WarmUpDay.objects.order_by("date"):
        row.date -= DAY
        row.save()
    for row in SourceCount.objects.all():
        row.hour -= DAY
        row.save()
    for row in WarmUp.objects.all():
        row.judged_on -= DAY
        row.begun_at -= DAY
        row.save()


def turn():
    warming.take_turn(now=timezone.now())


def day():
    return WarmUp.objects.get().day


def verdicts():
    return list(WarmUpDay.objects.order_by("date").values_list("verdict", flat=True))


def said(source):
    return audit.of(source).first().reason


def test_a_good_day_leads_to_the_next_number(source):
    reserve(50)
    happened(accepted=50)
    a_day_passes()
    turn()
    assert (day(), verdicts()) == (2, ["good"])
    assert reserve(1000) == [100]


def test_a_number_that_was_opened_before_yesterday_was_judged_is_set_right(source):
    reserve(50)
    happened(accepted=50)
    a_day_passes()
    assert reserve(1000) == [50]
    turn()
    assert reserve(1000) == [50], "half of the 100"


def test_a_day_without_mail_leads_nowhere(source):
    reserve(1)
    a_day_passes()
    turn()
    assert (day(), verdicts()) == (1, ["idle"])


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"accepted": 89, "throttled": 11}, "11 of 100 tries were deferred for pace"),
        ({"accepted": 200, "complaint": 1}, "1 complaints, and 200 messages accepted"),
    ],
)
def test_a_bad_day_leads_one_day_back_at_once_and_says_so(source, what, why):
    WarmUp.objects.create(
        source=source, receiver="google", day=3, judged_on=timezone.now().date() - DAY
    )
    reserve(120)
    happened(**what)
    turn()
    turn()
    assert (day(), verdicts()) == (2, ["back"])
    assert "One day back, to day 2" in said(source)
    assert why in said(source)
    assert reserve(10) == [0], "120 are more than the 100 of the second day"


@pytest.mark.parametrize(
    "what", [{"accepted": 90, "throttled": 10}, {"accepted": 1000, "complaint": 3}]
)
def test_what_is_at_the_border_is_good_enough(source, what):
    reserve(50)
    happened(**what)
    turn()
    assert verdicts() == [""]


def test_a_block_leads_one_day_back(source):
    WarmUp.objects.create(
        source=source, receiver="google", day=3, judged_on=timezone.now().date() - DAY
    )
    reserve(10)
    WarmUpDay.objects.update(blocked=1)
    turn()
    assert (day(), verdicts()) == (2, ["back"])


def test_what_waits_beyond_a_lowered_number_is_led_home(source):
    home = make.lane()
    lane = make.source_lane(source, home, provider="google")
    WarmUp.objects.create(
        source=source, receiver="google", day=2, judged_on=timezone.now().date() - DAY
    )
    reserve(60)
    for _ in range(60):
        make.delivery(lane=lane)
    WarmUpDay.objects.update(blocked=1)
    turn()
    assert Delivery.objects.filter(lane=lane).count() == 50
    assert Delivery.objects.filter(lane=home).count() == 10
    assert WarmUpDay.objects.get().led == 50


def test_after_the_last_day_the_source_is_warm(source):
    for _ in range(3):
        reserve(50)
        happened(accepted=10)
        a_day_passes()
        turn()
    source.refresh_from_db()
    assert WarmUp.objects.get().is_warm
    assert source.state == "warm"
    assert "warm for all" in said(source)


def test_a_source_is_not_warm_while_one_receiver_is_not(source):
    reserve(1, receiver="yahoo")
    WarmUp.objects.create(
        source=source, receiver="google", is_warm=True, judged_on=timezone.now().date()
    )
    turn()
    source.refresh_from_db()
    assert source.state == "warming"


def test_thirty_silent_days_make_a_receiver_forget_the_source(source):
    reserve(50)
    for days, is_there in ((30, True), (31, False)):
        WarmUp.objects.update(begun_at=timezone.now() - days * DAY)
        WarmUpDay.objects.update(date=datetime.now(UTC).date() - days * DAY, accepted=5)
        turn()
        assert WarmUp.objects.exists() is is_there


def test_a_source_that_is_silent_for_thirty_days_is_cold_unless_it_is_the_last():
    make.source("one", state="warm")
    Source.objects.update(state_since=timezone.now() - 31 * DAY)
    turn()
    assert Source.objects.get().state == "warm"
    make.source("two", state="warm")
    turn()
    assert Source.objects.get(name="one").state == "cold"
    assert Source.objects.get(name="two").state == "warm"


def test_a_source_that_sends_stays_warm():
    make.source("one", state="warm")
    make.source("two", state="warm")
    Source.objects.update(state_since=timezone.now() - 31 * DAY)
    happened(accepted=1, at=timezone.now() - 29 * DAY)
    turn()
    assert Source.objects.get(name="one").state == "warm"


def test_a_warm_up_can_begin_at_a_later_day(source):
    warming.begin(source, day=2, by="otto")
    assert reserve(1000) == [100]
    warming.begin(source, day=3, by="otto")
    assert reserve(1000) == [100]
    assert WarmUpDay.objects.get().led == 200


def test_in_thirty_days_with_many_choosers_at_once_no_number_is_exceeded(source):
    numbers = [7 * number for number in range(1, 31)]
    plan(*numbers)
    led = []
    for _ in numbers:
        led.append(sum(at_once(4, 29)))
        happened(accepted=led[-1])
        turn()
        row = WarmUpDay.objects.order_by("date").last()
        assert row.led == row.accepted == row.number
        a_day_passes()
        turn()
    assert led == numbers
    assert Source.objects.get().state == "warm"


def finished(source):
    """Bring the warm-up of the source to its end with google."""
    plan(5)
    warming.begin(source, by="ops")
    reserve(5)
    happened(accepted=5)
    a_day_passes()
    turn()
    source.refresh_from_db()
    assert source.state == "warm"
    return source


def test_a_source_that_has_become_warm_begins_small_with_a_receiver_that_it_never_wrote_to(source):
    finished(source)
    assert reserve(1000, receiver="google") == [1000]
    plan(7, 9, receiver="yahoo")
    assert reserve(1000, receiver="yahoo") == [7]
    happened(accepted=7, receiver="yahoo")
    a_day_passes()
    turn()
    assert reserve(1000, receiver="yahoo") == [9]
    assert Source.objects.get().state == "warm"


def test_a_source_that_was_added_warm_is_warm_for_all():
    make.source(state="warm")
    assert reserve(1000, receiver="yahoo") == [1000]


def test_a_person_calls_a_source_warm_for_one_receiver_or_for_all(source):
    finished(source)
    plan(7, receiver="yahoo")
    reserve(1, receiver="yahoo")
    ekiden("source", "warm", "one", "--done", "--receiver", "default")
    assert reserve(1000, receiver="yahoo") == [6]
    assert reserve(1000, receiver="default") == [1000]
    ekiden("source", "warm", "one", "--done")
    assert reserve(1000, receiver="yahoo") == [1000]
    assert "By a person's word" in said(source)


def test_a_receiver_that_a_warm_source_has_not_written_to_for_30_days_begins_anew(source):
    make.source("other", state="warm")
    finished(source)
    WarmUp.objects.update(begun_at=timezone.now() - 60 * DAY)
    WarmUpDay.objects.filter(accepted__gt=0).update(date=timezone.now() - 60 * DAY)
    SourceCount.objects.all().delete()
    happened(accepted=1, at=timezone.now() - 29 * DAY)
    turn()
    assert reserve(1000) == [1000]
    SourceCount.objects.update(hour=timezone.now() - 31 * DAY)
    WarmUpDay.objects.update(led=0)
    turn()
    assert reserve(1000) == [5]


def test_a_source_that_rested_goes_on_where_its_warm_up_stood(source):
    warming.begin(source, by="ops")
    reserve(20)
    ekiden("source", "rest", "one", "--reason", "asked")
    assert reserve(20) == [0]
    ekiden("source", "use", "one")
    assert Source.objects.get().state == "warming"
    assert reserve(1000) == [30]


def test_what_waits_for_a_source_when_its_warm_up_begins_is_led_anew(source):
    home = make.lane()
    led = make.source_lane(source, home, provider="google")
    waiting, in_hand = make.delivery(lane=led), make.delivery("b@mx.test", lane=led, claim=3)
    ended = make.delivery("c@mx.test", lane=led, state="delivered", ended_at=timezone.now(),
                          due_at=None)  # fmt: skip
    warming.begin(source, by="ops")
    lanes = dict(Delivery.objects.values_list("id", "lane_id"))
    assert lanes == {waiting.pk: home.pk, in_hand.pk: led.pk, ended.pk: led.pk}
