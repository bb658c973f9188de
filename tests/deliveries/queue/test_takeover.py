"""A drain whose predecessor on the same machine was killed; leases last an hour here, so that
nothing is waited out.
"""

import asyncio
import subprocess
import sys
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from deliveries.models import Attempt, Delivery, Lane
from deliveries.queue import drain_files
from deliveries.queue.drain_files import HolderFile
from tests.deliveries import make
from tests.deliveries.stage import drain_until, in_thread, play, scene
from tests.fakes.mx_actions import Wait
from tests.test_layers import ROOT

pytestmark = pytest.mark.usefixtures("mail_db")

PROGRAM = """
import sys, django
django.setup()
from pathlib import Path
from django.conf import settings
from django.db import connection
from deliveries.sending.drain_process import run_drain
connection.settings_dict["NAME"] = sys.argv[1]
settings.EKIDEN_DATA, settings.EKIDEN_DNS = Path(sys.argv[2]), [sys.argv[3]]
settings.EKIDEN_DELIVERY_PORT = int(sys.argv[4])
settings.EKIDEN_PRIVATE_NETWORKS = ["127.0.0.0/8"]
run_drain(600)
"""


@pytest.fixture(autouse=True)
def data(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    return tmp_path


def hour():
    return timezone.now() + timedelta(hours=1)


def stages(delivery):
    return [attempt.stage for attempt in Attempt.objects.filter(delivery=delivery).order_by("id")]


def test_the_lanes_of_a_dead_drain_are_taken_over_at_once(settings):
    holder = uuid4()
    lane = make.lane("dead.test", holder=holder, epoch=4, leased_until=hour())
    waiting, sent, queued = (
        make.delivery(to=f"{name}@mx.test", lane=lane, claim=claim)
        for name, claim in (("a", 4), ("b", 4), ("c", 0))
    )
    own = HolderFile(drain_files.folder(), holder, marks=4)
    own.mark(sent.id)
    own.close(owes=True)
    play(settings)
    assert (stages(waiting), stages(sent), stages(queued)) == (
        ["body"],
        ["interrupted", "body"],
        ["body"],
    )
    assert drain_files.files(drain_files.folder()) == []


def test_the_lanes_of_a_living_drain_are_left_to_it(settings):
    holder = uuid4()
    lane = make.lane("living.test", holder=holder, epoch=4, leased_until=hour())
    make.delivery(to="a@mx.test", lane=lane, claim=4)
    own = HolderFile(drain_files.folder(), holder, marks=4)
    other = make.delivery(to="b@mx.test")
    play(settings, until=lambda: Delivery.objects.filter(pk=other.pk, state="delivered").exists())
    own.close()
    assert Delivery.objects.get(lane=lane).state == "queued"
    assert (Lane.objects.get(pk=lane.pk).holder, Lane.objects.get(pk=lane.pk).epoch) == (holder, 4)


@pytest.mark.parametrize(("moment", "doubts"), [("GREETING", 0), ("BODY", 1)])
def test_what_a_killed_worker_never_offered_is_not_in_doubt(
    settings, data, monkeypatch, moment, doubts
):
    make.rule(connections=1)
    of = make.message()
    for number in range(5):
        make.delivery(to=f"u{number}@mx.test", of=of)

    def is_under_way(mx):
        return (
            mx.sessions
            and (moment == "GREETING" or mx.messages)
            and Delivery.objects.filter(claim__gt=0).count() == 5
        )

    async def main():
        async with scene(settings) as (mx, dns):
            mx.on(
                moment,
                [Wait(600), "250 2.0.0 taken"],
                "220 mx.test" if moment == "GREETING" else "250 2.0.0 taken",
            )
            words = [
                sys.executable,
                "-c",
                PROGRAM,
                connection.settings_dict["NAME"],
                str(data),
                dns.url,
                str(mx.port),
            ]
            killed = await asyncio.create_subprocess_exec(
                *words, cwd=ROOT, stdout=subprocess.DEVNULL
            )
            try:
                async with asyncio.timeout(60):
                    while not await asyncio.to_thread(in_thread, lambda: is_under_way(mx)):
                        await asyncio.sleep(0.05)
            finally:
                killed.kill()
                await killed.wait()
            await drain_until(lambda: not Delivery.objects.live().exists(), 60)

    asyncio.run(main())
    assert Delivery.objects.filter(state="delivered").count() == 5
    assert Attempt.objects.filter(outcome="in_doubt").count() == doubts
