"""A test app is safe while others are live: its mail goes to the sandbox, whatever led it."""

import asyncio

import pytest

from deliveries.models import Delivery, Lane
from deliveries.steering import pauses
from domains.models import Credential, Project
from tests.commands import ekiden
from tests.deliveries import make
from tests.deliveries.stage import drain_until, scene
from tests.fakes.mx import FakeMx

pytestmark = pytest.mark.usefixtures("mail_db")


def waiting(to, sender, **given):
    return make.delivery(
        to, of=make.message(sender.project, credential=sender), flow=sender.pk, **given
    )


def play(settings):
    """Return the recipients that the world's MX got, and those of the sandbox."""

    async def main():
        async with scene(settings) as (mx, _), FakeMx() as box:
            settings.EKIDEN_SANDBOX_PORT = box.port
            await drain_until(lambda: not Delivery.objects.live().exists())
            return [[each.recipients[0] for each in host.messages] for host in (mx, box)]

    return asyncio.run(main())


def test_mail_of_a_sandboxed_project_goes_to_the_sandbox_and_others_mail_out(settings):
    test, live = make.credential(make.project(is_sandboxed=True)), make.credential()
    waiting("test@mx.test", test)
    waiting("live@mx.test", live)
    assert play(settings) == [["live@mx.test"], ["test@mx.test"]]


def test_so_does_that_of_one_credential_of_a_live_project(settings):
    live = make.credential()
    test = make.credential(live.project, is_sandboxed=True)
    waiting("test@mx.test", test)
    waiting("live@mx.test", live)
    assert play(settings) == [["live@mx.test"], ["test@mx.test"]]


def test_a_sandbox_takes_mail_to_a_domain_that_there_is_not(settings):
    waiting("you@nowhere.invalid", make.credential(make.project(is_sandboxed=True)))
    assert play(settings) == [[], ["you@nowhere.invalid"]]


def test_what_waits_in_a_receivers_lane_or_was_led_to_a_host_follows(settings):
    test = make.credential(make.project())
    lane = make.lane("in.mx.test", hosts=[[10, "in.mx.test", 25]])
    make.leads_to(lane, "mx.test")
    waiting("a@mx.test", test, lane=lane)
    led = make.lane("forced:x", hosts=[[0, "in.mx.test", 25]], is_forced=True)
    waiting("b@mx.test", test, lane=led)
    ekiden("project", "set", test.project.name, "--sandbox", "yes")
    world, box = play(settings)
    assert (world, sorted(box)) == ([], ["a@mx.test", "b@mx.test"])


def test_what_waits_for_the_sandbox_stays_there_when_the_project_goes_live(settings):
    test = make.credential(make.project(is_sandboxed=True))
    waiting("you@mx.test", test)

    def in_the_box():
        return Lane.objects.filter(site="sandbox").exists()

    async def main():
        async with scene(settings) as (mx, _):
            settings.EKIDEN_SANDBOX_PORT = 1  # nobody is there yet
            await drain_until(in_the_box)
            return mx.messages

    assert asyncio.run(main()) == []
    Project.objects.update(is_sandboxed=False)
    Lane.objects.update(paused_until=None)
    assert Delivery.objects.get().lane.site == "sandbox"


@pytest.mark.parametrize("of_whom", ["project", "credential"])
def test_what_a_pause_kept_back_in_the_sandbox_never_reaches_people(settings, of_whom):
    test = make.credential(make.project(name="shop"), name="ci", is_sandboxed=True)
    if of_whom == "project":
        ekiden("project", "set", "shop", "--sandbox", "yes")
        Credential.objects.update(is_sandboxed=False)
    waiting("test@mx.test", test, lane=Lane.objects.get(pk=Lane.PARKED))
    if of_whom == "project":
        ekiden("project", "set", "shop", "--sandbox", "no")
    else:
        ekiden("credential", "set", "ci", "--project", "shop", "--sandbox", "no")
    pauses.let_go(seconds=1)
    waiting("live@mx.test", test)
    assert play(settings) == [["live@mx.test"], ["test@mx.test"]]


def test_a_later_change_of_another_setting_moves_no_time():
    make.project(name="shop", is_sandboxed=True)
    ekiden("project", "set", "shop", "--sandbox", "no")
    left = Project.objects.get().sandboxed_until
    ekiden("project", "set", "shop", "--sandbox", "no", "--lifetime", "60")
    assert left is not None and Project.objects.get().sandboxed_until == left


def test_a_credential_goes_in_and_out_by_command():
    project = make.project()
    ekiden("credential", "create", "--project", project.name, "--name", "ci", "--sandbox")
    assert Credential.objects.get().is_sandboxed
    ekiden("credential", "set", "ci", "--project", project.name, "--sandbox", "no")
    assert not Credential.objects.get().is_sandboxed
