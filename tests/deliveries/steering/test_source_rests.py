from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from deliveries.insight import source_waits
from deliveries.models import Lane, Source, SourceBlock, SourceRest, WarmUpDay
from deliveries.steering import pauses, source_rests, sources
from domains.models import OwnLight
from domains.operations import audit
from tests.commands import ekiden
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")

SAID = "554 5.7.1 Client host [192.0.2.1] blocked using bl.spamcop.net"


@pytest.fixture
def lane():
    """Return a lane from a source that an answer of its receiver has closed."""
    source = make.source(state="warm")
    return make.source_lane(
        source, make.lane(), provider="google", closed_at=timezone.now(), close_reason=SAID
    )


def turn(after=timedelta(0)):
    source_rests.take_turn(now=timezone.now() + after)


def close(lane, at):
    Lane.objects.filter(pk=lane.pk).update(closed_at=at, close_reason=SAID)


def is_closed(lane):
    return Lane.objects.get(pk=lane.pk).closed_at is not None


def test_a_source_that_is_blocked_rests_for_that_receiver_only_and_says_why(lane):
    WarmUpDay.objects.create(
        source_id=source_of(lane).pk, receiver="google", day=1,
        date=timezone.now().date(), number=50,
    )  # fmt: skip
    turn()
    turn()
    rest = SourceRest.objects.get()
    assert (rest.source.name, rest.receiver, rest.reason) == ("one", "google", SAID)
    assert timedelta(hours=3) < rest.until - timezone.now() <= source_rests.FIRST
    assert WarmUpDay.objects.get().blocked == 1
    assert SAID in audit.of(rest.source).first().reason
    assert is_closed(lane)


def test_a_receiver_that_no_rule_names_blocks_for_its_own_site_alone():
    source, home, other = make.source(state="warm"), make.lane("tiny.test"), make.lane("small.test")
    closed = {"closed_at": timezone.now(), "close_reason": SAID}
    make.source_lane(source, home, provider="default", **closed)
    turn()
    rest, facts = SourceRest.objects.get(), source_waits.egress().sources["one"]
    assert rest.receiver == f"lane-{home.pk}"
    assert [facts.rests_for("default", site.pk) for site in (home, other)] == [True, False]
    ekiden("source", "use", "one", "--receiver", rest.receiver)
    turn()
    assert not SourceRest.objects.exists() and not Lane.objects.filter(closed_at__isnull=False)


def test_of_receivers_that_no_rule_names_two_on_one_day_make_it_a_bad_one():
    source = make.source(state="warm")
    day = WarmUpDay.objects.create(
        source=source, receiver="default", day=2, date=timezone.now().date(), number=50
    )
    counted = []
    for site in ("tiny.test", "small.test"):
        make.source_lane(
            source, make.lane(site), provider="default",
            closed_at=timezone.now(), close_reason=SAID,
        )  # fmt: skip
        turn()
        day.refresh_from_db()
        counted.append(day.blocked)
    assert counted == [0, 1]


def source_of(lane):
    return Source.objects.get(name=lane.source)


def test_after_the_rest_the_lane_is_open_again(lane):
    turn()
    turn(timedelta(hours=5))
    assert not SourceRest.objects.exists()
    assert not is_closed(lane)


def test_a_person_who_ends_the_rest_opens_the_lane(lane):
    turn()
    source_rests.end(SourceRest.objects.get(), reason="delisted", by="otto")
    turn()
    assert not is_closed(lane)
    assert not SourceRest.objects.exists()


def test_each_block_soon_after_another_doubles_the_rest_up_to_a_week(lane):
    lengths, after = [], timedelta(0)
    for _ in range(8):
        turn(after)
        block = SourceBlock.objects.first()
        lengths.append(block.seconds // 3600)
        after += timedelta(seconds=block.seconds + 1)
        turn(after)
        close(lane, timezone.now() + after)
    assert lengths == [4, 8, 16, 32, 64, 128, 168, 168]


def test_a_block_a_month_later_is_a_first_one_again(lane):
    turn()
    SourceRest.objects.all().delete()
    SourceBlock.objects.update(at=timezone.now() - timedelta(days=31))
    turn()
    assert SourceBlock.objects.first().seconds == source_rests.FIRST.total_seconds()


def test_a_lane_that_a_person_closed_or_that_has_no_source_of_its_own_is_left_alone(lane):
    Lane.objects.filter(pk=lane.pk).update(closed_by="otto")
    make.lane("other.test", closed_at=timezone.now(), close_reason=SAID)
    turn()
    assert not SourceRest.objects.exists()
    assert Lane.objects.filter(closed_at__isnull=False).count() == 2


@contextmanager
def meanwhile(change, *, table):
    """Make a change as soon as a row of the table is about to be locked or written."""
    done: list[str] = []

    def look(execute, sql, *given):
        locks = f'FROM "{table}"' in sql and "UPDATE" in sql
        if not done and (locks or sql.startswith((f'UPDATE "{table}"', f'DELETE FROM "{table}"'))):
            done.append(sql)
            change()
        return execute(sql, *given)

    with connection.execute_wrapper(look):
        yield
    assert done


def test_a_lane_that_a_person_closes_as_its_rest_ends_stays_closed(lane):
    turn()
    SourceRest.objects.all().delete()

    def otto_closes():
        pauses.reopen(lane)
        pauses.close(lane, reason="moving", by="otto")

    with meanwhile(otto_closes, table="deliveries_lane"):
        turn()
    lane.refresh_from_db()
    assert (is_closed(lane), lane.closed_by, lane.close_reason) == (True, "otto", "moving")


def test_a_rest_that_a_person_prolongs_as_it_ends_goes_on(lane):
    make.rule("google")
    turn()
    rest = SourceRest.objects.get()

    def otto_prolongs():
        sources.rest(rest.source, rest.receiver, reason="not yet", by="otto")

    with meanwhile(otto_prolongs, table="deliveries_sourcerest"):
        turn(timedelta(hours=5))
    rest.refresh_from_db()
    assert (rest.until, rest.reason) == (None, "not yet")


def listed(source, light="bad", zone="zen.spamhaus.org"):
    OwnLight.objects.update_or_create(
        address=source.ipv4, check_name=zone,
        defaults={"light": light, "slip": "own-listed", "given": {"detail": "CSS"},
            "changed_at": timezone.now(), "checked_at": timezone.now()},
    )  # fmt: skip


def test_a_listed_source_rests_at_who_is_known_to_ask_that_list_until_it_is_off():
    source = make.source(state="warm")
    listed(source)
    listed(source, zone="bl.spamcop.net")
    turn()
    turn()
    rest = SourceRest.objects.get()
    assert (rest.receiver, rest.until) == ("yahoo", None)
    assert "zen.spamhaus.org" in audit.of(source).first().reason
    listed(source, light="unknown")
    turn()
    assert SourceRest.objects.exists(), "a list that cannot tell ends nothing"
    listed(source, light="good")
    turn()
    assert not SourceRest.objects.exists()


def test_a_person_who_ends_the_rest_of_a_listed_source_is_not_contradicted():
    source = make.source(state="warm")
    listed(source)
    turn()
    SourceRest.objects.all().delete()
    turn()
    assert not SourceRest.objects.exists()
