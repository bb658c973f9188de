"""Two maintenance workers that do the same step at the same time do it once."""

import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from deliveries.models import (
    EgressRule,
    Pool,
    Source,
    TenantCase,
    TenantRule,
    WarmUp,
    WarmUpDay,
)
from deliveries.steering import tenants, warming
from domains.operations import audit
from tests.deliveries import make
from tests.deliveries.queue.test_warm_up import plan, reserve
from tests.deliveries.stage import in_thread
from tests.deliveries.steering import test_tenants
from tests.deliveries.steering.test_warming import a_day_passes, day, happened, turn

pytestmark = pytest.mark.usefixtures("mail_db")
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def judge_as_it_was_read(progress):
    with transaction.atomic():
        warming.judge(progress, now=timezone.now())


def test_a_good_day_is_one_step():
    plan(50, 100, 200)
    make.source()
    reserve(50)
    happened(accepted=50)
    a_day_passes()
    read_before = WarmUp.objects.get()
    turn()
    judge_as_it_was_read(read_before)
    assert day() == 2


def test_a_bad_day_stays_a_step_back():
    plan(50, 100, 200)
    make.source()
    reserve(50)
    WarmUp.objects.update(day=3)
    WarmUpDay.objects.update(blocked=1)
    read_before = WarmUp.objects.get()
    turn()
    judge_as_it_was_read(read_before)
    assert (day(), WarmUpDay.objects.get().number) == (2, 100)


def test_what_a_person_called_warm_stays_so():
    plan(50, 100)
    source = make.source()
    reserve(50)
    read_before = WarmUp.objects.get()
    warming.end(source, "google", by="ops")
    judge_as_it_was_read(read_before)
    assert WarmUp.objects.get().is_warm


def test_a_source_that_is_warm_for_two_receivers_is_called_warm_once():
    source = make.source()
    for receiver in ("google", "yahoo"):
        warming.end(source, receiver, by=None)
    turn()
    assert Source.objects.get().state == "warm"
    assert [entry.actor for entry in audit.of(source)] == [warming.ACTOR]


def test_a_source_that_a_person_takes_out_of_use_meanwhile_stays_out():
    first, second = make.source("one"), make.source("two")
    for source in (first, second):
        warming.end(source, "google", by=None)

    def takes_out(execute, sql, *given):
        if sql.startswith('UPDATE "deliveries_source"'):
            with connection.cursor() as cursor:
                cursor.connection.execute(
                    "UPDATE deliveries_source SET state = 'out' WHERE name = 'two'"
                )
        return execute(sql, *given)

    with connection.execute_wrapper(takes_out):
        turn()
    assert dict(Source.objects.values_list("name", "state")) == {"one": "warm", "two": "out"}


def test_a_rule_for_tenants_acts_once():
    project = make.project(name="shop")
    test_tenants.rule(action="pool", pool=Pool.objects.create(name="bad"), is_live=False)
    test_tenants.ended(project, delivered=50, hard=50)
    test_tenants.check()
    TenantRule.objects.update(is_live=True)
    other = threading.Thread(target=in_thread, args=[test_tenants.check])
    with transaction.atomic():
        test_tenants.check()
        other.start()
        while other.is_alive() and not is_held_up():
            pass
    other.join()
    assert (EgressRule.objects.count(), TenantCase.objects.count()) == (1, 1)
    tenants.remove(TenantRule.objects.get(), now=timezone.now())
    assert not EgressRule.objects.exists()


def is_held_up():
    return held_up() > 0


def held_up():
    """Return how many connections wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return cursor.fetchone()[0]
