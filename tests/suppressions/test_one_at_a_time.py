"""Judging and lifting at the same moment."""

import threading

import pytest
from django.db import transaction
from django.utils import timezone

from deliveries.bounces import reclassify
from deliveries.models import Reclassification
from suppressions import brakes, probation
from suppressions.lifting import lift
from suppressions.one_at_a_time import wait_for_turn
from suppressions.probation import ProbeStatus
from tests.deliveries import make
from tests.deliveries.stage import in_thread
from tests.deliveries.steering.test_two_workers import is_held_up
from tests.suppressions.test_brakes import wave
from tests.suppressions.test_probation import trying
from tests.suppressions.test_recording import occurrence, turn

pytestmark = pytest.mark.usefixtures("mail_db")


def judge():
    occurrence(make.project())
    return turn


def brake():
    wave(make.project(), brakes.LEAST)
    return lambda: brakes.look(now=timezone.now())


def lift_one():
    ids = [trying().pk]
    return lambda: lift(ids, reason="asked", actor="otto")


def settle():
    fates = {trying().probe_id: ProbeStatus.DELIVERED}
    return lambda: probation.settle(lambda ids: fates, now=timezone.now())


def look_again():
    look = Reclassification.objects.create(created_by="otto")
    return lambda: reclassify._apply(look, [])


@pytest.mark.parametrize("prepare", [judge, brake, lift_one, settle, look_again])
def test_each_waits_for_its_turn(prepare):
    act = prepare()
    acting = threading.Thread(target=in_thread, args=[lambda: transaction.atomic(act)()])
    with transaction.atomic():
        wait_for_turn()
        acting.start()
        while acting.is_alive() and not is_held_up():
            pass
        assert acting.is_alive()
    acting.join()
