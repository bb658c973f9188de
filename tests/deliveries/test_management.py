import pytest
from django.core.management.base import CommandError

from deliveries.models import Attempt, Route
from deliveries.routing import routes
from suppressions.models import Suppression
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.fixture
def no_wait(monkeypatch):
    monkeypatch.setattr(routes, "ROUTES_KEEP", -0.1)


def test_one_message_is_an_object_and_several_are_a_list():
    first = make.delivery()
    assert ekiden_json("trace", "you@mx.test")["message"]["id"] == str(first.message_id)
    second = make.delivery()
    assert [each["message"]["id"] for each in ekiden_json("trace", "you@mx.test")] == [
        str(second.message_id),
        str(first.message_id),
    ]


def test_a_trace_for_people_tells_the_answer_and_why_it_waits():
    delivery = make.delivery()
    Attempt.objects.create(
        delivery=delivery,
        outcome="deferred",
        stage="rcpt",
        host="mx.test",
        code=451,
        text="Later\x1b[2J",
    )
    printed = ekiden("trace", str(delivery.message_id))
    assert "… you@mx.test" in printed
    assert r"451 Later\u001b[2J" in printed
    assert "are being looked up" in printed
    assert "\x1b" not in printed


def test_what_is_not_there_is_a_mistake():
    with pytest.raises(CommandError, match=r"No message: nobody@mx\.test"):
        ekiden("trace", "nobody@mx.test")


def test_conservation_ends_well_when_nothing_is_missing():
    make.delivery()
    assert ekiden_json("conservation")["live"] == 1
    assert "None is missing" in ekiden("conservation")


def test_conservation_ends_with_1_when_something_is_missing():
    make.message()
    with pytest.raises(SystemExit) as ended:
        ekiden("conservation")
    assert ended.value.code == 1


def test_a_route_is_added_listed_and_removed(no_wait):
    ekiden("route", "add", "*.Mx.test", "[2001:db8::1]:2525", "--tls", "verified")
    assert ekiden_json("route", "list") == [
        {
            "pattern": "*.mx.test",
            "host": "2001:db8::1",
            "port": 2525,
            "tls": "verified",
            "smarthost": None,
            "is_sandbox": False,
        }
    ]
    assert "*.mx.test" in ekiden("route", "list")
    ekiden("route", "remove", "*.mx.test")
    assert not Route.objects.exists()


@pytest.mark.parametrize(
    "target",
    [
        "mx.test",
        "mx.test:",
        "mx.test:0",
        "mx.test:70000",
        ":25",
        "2001:db8::1:25",
        "a b:25",
        "mx.test:²",
    ],
)
def test_a_route_leads_to_a_host_and_port(target):
    with pytest.raises(CommandError, match="is no HOST:PORT"):
        ekiden("route", "add", "mx.test", target)


def test_an_unknown_route_is_a_mistake():
    with pytest.raises(CommandError, match=r"No such route: mx\.test"):
        ekiden("route", "remove", "mx.test")


def test_of_an_address_without_messages_its_suppression_is_told():
    for key, project, reason in (
        ("you@mx.test", make.project(), "550 no such user"),
        ("@mx.test", None, "a\nb"),
        ("me@mx.test", None, "x"),
    ):
        Suppression.objects.create(
            address_key=key, project=project, source="automatic", category="other", reason=reason
        )
    with pytest.raises(CommandError) as caught:
        ekiden("trace", "You@MX.test")
    text = str(caught.value)
    assert "you@mx.test is suppressed for the project" in text and "UTC: 550 no such user." in text
    assert (
        "@mx.test is suppressed for all" in text and "me@mx.test" not in text and "\n" not in text
    )
