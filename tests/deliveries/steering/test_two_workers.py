"""Two maintenance workers that do the same step at the same time do it once."""

import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from deliveries.models import EgressRule, Pool, TenantCase, TenantRule, WarmUp, WarmUpDay
from deliveries.steering import tenants, warming
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
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return cursor.fetchone()[0] > 0
