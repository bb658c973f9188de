import pytest
from django.core.management.base import CommandError

from deliveries.models import Delivery, Lane, Route
from relay_portal.console import sandbox
from tests.commands import ekiden
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


def states():
    return dict(Delivery.objects.values_list("recipient", "state"))


def test_the_sandbox_is_an_ordinary_route_for_all_domains(settings):
    ekiden("sandbox")
    route = Route.objects.get()
    assert (route.pattern, route.port, route.is_sandbox) == (
        "*",
        settings.EKIDEN_SANDBOX_PORT,
        True,
    )


def test_mail_that_waits_for_the_sandbox_never_gets_out():
    route = sandbox.enter()
    lane = make.lane(f"route:{route.host}:{route.port}:{route.tls}")
    shop, wiki = (make.message(make.project(name=name)) for name in ("shop", "wiki"))
    make.delivery("in-sandbox@mx.test", shop, lane=lane)
    make.delivery("not-routed-yet@mx.test", wiki)
    make.delivery("by-another-route@mx.test", lane=make.lane("route:mail.test:25:opportunistic"))
    assert "waited for the sandbox: 1 of shop, 1 of wiki." in ekiden("live", "--yes")
    assert states() == {
        "in-sandbox@mx.test": "cancelled",
        "not-routed-yet@mx.test": "cancelled",
        "by-another-route@mx.test": "queued",
    }
    assert not Route.objects.exists()


def test_mail_of_other_routes_that_waits_to_be_routed_stays():
    sandbox.enter()
    Route.objects.create(pattern="partner.test", host="127.0.0.1", port=32599)
    make.delivery("acknowledged@partner.test")
    make.delivery("paused@partner.test", lane=Lane.objects.get(pk=Lane.PARKED))
    make.delivery("test@elsewhere.test")
    ekiden("live", "--yes")
    assert states() == {
        "acknowledged@partner.test": "queued",
        "paused@partner.test": "queued",
        "test@elsewhere.test": "cancelled",
    }


def test_parked_mail_for_the_sandbox_does_not_get_out_when_its_pause_ends():
    sandbox.enter()
    make.delivery("test@elsewhere.test", lane=Lane.objects.get(pk=Lane.PARKED))
    ekiden("live", "--yes")
    assert states() == {"test@elsewhere.test": "cancelled"}


def test_going_live_says_what_real_sending_needs(settings):
    settings.EKIDEN_HOSTNAME = "box.localdomain"
    sandbox.enter()
    said = ekiden("live", "--yes")
    assert "port 25" in said
    assert "box.localdomain is no public name" in said


def test_nobody_goes_live_by_accident(monkeypatch):
    sandbox.enter()
    with pytest.raises(CommandError, match="--yes"):
        ekiden("live")
    assert Route.objects.exists()


@pytest.mark.parametrize("command", ["live", "sandbox"])
def test_a_step_that_is_done_already_is_told(command):
    if command == "sandbox":
        sandbox.enter()
    with pytest.raises(CommandError, match="already"):
        ekiden(command)


def test_another_catch_all_route_is_not_pushed_aside():
    Route.objects.create(pattern="*", host="mail.test", port=25)
    with pytest.raises(CommandError, match="route remove"):
        ekiden("sandbox")
    assert Lane.objects.filter(site__startswith="route").count() == 0


@pytest.mark.parametrize(
    ("bind", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "::1"),
        ("192.0.2.9", "192.0.2.9"),
    ],
)
def test_who_listens_everywhere_is_reached_on_this_machine(settings, bind, host):
    settings.EKIDEN_BIND = bind
    assert sandbox.enter().host == host
