"""What operators stop, resume and order from the command line: the state it leaves, and what is
written down.
"""

import getpass
from datetime import timedelta

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from deliveries.models import Lane, Stop
from domains.models import AuditEntry
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")

WHY = ("--reason", "they asked")


def written():
    return list(AuditEntry.objects.order_by("id").values_list("action", "object_name", "reason"))


def later():
    return timezone.now() + timedelta(hours=2)


THINGS = [
    (["all"], "all", "All delivery"),
    (["project", "shop"], "project", "shop"),
    (["credential", "web", "--project", "shop"], "credential", "shop/web"),
    (["domain", "MX.test"], "domain", "mx.test"),
]


@pytest.mark.parametrize(("target", "scope", "name"), THINGS, ids=str)
def test_each_thing_is_paused_and_resumed(credential, target, scope, name):
    put_aside = make.delivery(
        of=make.message(credential.project), flow=credential.pk, lane_id=Lane.PARKED
    )
    said = ekiden_json("pause", *target, *WHY)
    standing = Stop.objects.get()
    assert (standing.scope, str(standing), standing.reason) == (scope, name, "they asked")
    assert standing.created_by == f"command line ({getpass.getuser()})" and said["waiting"] == 1
    ekiden("resume", *target, *WHY)
    put_aside.refresh_from_db()
    assert not Stop.objects.exists() and put_aside.lane_id == Lane.ROUTING
    assert [each for each in written() if each[1] == name] == [
        (verb, name, "they asked") for verb in ("pause", "resume")
    ]


def test_a_lane_is_paused_and_resumed():
    lane = make.lane()
    said = ekiden("pause", "lane", "mx.test", *WHY)
    lane.refresh_from_db()
    assert (
        lane.closed_at
        and lane.close_reason == "they asked"
        and f"./ekiden resume lane {lane.pk}" in said
    )
    ekiden("resume", "lane", str(lane.pk), *WHY)
    lane.refresh_from_db()
    assert lane.closed_at is None and written() == [
        ("pause", "mx.test", "they asked"),
        ("resume", "mx.test", "they asked"),
    ]


def test_a_lane_is_known_by_number_domain_site_and_host():
    lane = make.lane("a.mx.test b.mx.test", hosts=[[10, "a.mx.test", 25], [20, "b.mx.test", 25]])
    make.leads_to(lane, "shop.test")
    for name in (str(lane.pk), "Shop.test", "b.mx.test", "a.mx.test b.mx.test"):
        assert ekiden_json("lane", "show", name)["lane"] == lane.pk


def test_a_name_of_several_lanes_is_asked_about():
    first, second = make.lane(source="192.0.2.1"), make.lane(source="192.0.2.2")
    with pytest.raises(CommandError, match=rf"Several lanes.*{first.pk} \(mx\.test\), {second.pk}"):
        ekiden("pause", "lane", "mx.test", *WHY)


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_what_is_not_there_is_a_mistake(command):
    for target in (
        ["project", "nobody"],
        ["lane", "nowhere.test"],
        ["credential", "nobody"],
        ["domain", "no domain"],
    ):
        with pytest.raises(CommandError):
            ekiden(command, *target, *WHY)
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["pause", "all"],
        ["resume", "all"],
        ["queue", "retry", "--all"],
        ["queue", "hold", "--all"],
        ["pause", "all", "--reason", " "],
    ],
)
def test_no_control_goes_without_a_reason(words):
    with pytest.raises(CommandError, match="reason"):
        ekiden(*words)
    assert not Stop.objects.exists()


def test_what_is_paused_cannot_be_paused_and_what_is_not_cannot_be_resumed():
    lane = make.lane()
    for target in (["all"], ["lane", str(lane.pk)]):
        with pytest.raises(CommandError, match="is not paused"):
            ekiden("resume", *target, *WHY)
        ekiden("pause", *target, *WHY)
        with pytest.raises(CommandError, match="is paused already"):
            ekiden("pause", *target, *WHY)
    assert [action for action, _, _ in written()] == ["pause", "pause"]


@pytest.mark.parametrize("lane", [Lane.ROUTING, Lane.PARKED])
def test_the_services_own_lanes_cannot_be_paused(lane):
    with pytest.raises(CommandError, match="the service's own"):
        ekiden("pause", "lane", str(lane), *WHY)


def test_all_that_is_paused_is_listed():
    make.lane("blocked.test", closed_at=timezone.now(), close_reason="550 blocked")
    ekiden("pause", "domain", "mx.test", *WHY)
    assert [(each["what"], each["kind"], each["reason"]) for each in ekiden_json("pause",
        "list")] == [
        ("mx.test", "domain", "they asked"), ("blocked.test", "lane", "550 blocked"),
    ]  # fmt: skip
    assert "an answer of the receiver" in ekiden("pause", "list")


# --- retry ----------------------------------------------------------------------------------------
MAIL_OF = [
    ["--all"],
    ["--project", "shop"],
    ["--credential", "web", "--project", "shop"],
    ["--domain", "mx.test"],
    ["--lane", "mx.test"],
]


@pytest.mark.parametrize("choice", MAIL_OF, ids=str)
def test_what_waits_of_a_thing_is_tried_now(credential, choice):
    lane = make.lane(paused_until=later(), failures=3)
    delivery = make.delivery(
        of=make.message(credential.project), flow=credential.pk, lane=lane, due_at=later()
    )
    other = make.delivery("me@other.test", due_at=later())
    assert ekiden_json("queue", "retry", *choice, *WHY)["done"] == (2 if choice == ["--all"] else 1)
    for row in (lane, delivery, other):
        row.refresh_from_db()
    assert delivery.due_at <= timezone.now() and (lane.paused_until, lane.failures) == (None, 0)
    assert (other.due_at <= timezone.now()) == (choice == ["--all"])


@pytest.mark.parametrize(
    "stop", [["all"], ["project", "shop"], ["domain", "mx.test"], ["lane", "mx.test"]], ids=str
)
def test_a_try_says_how_many_wait_all_the_same(credential, stop):
    make.delivery(
        of=make.message(credential.project), flow=credential.pk, lane=make.lane(), due_at=later()
    )
    make.delivery("me@other.test", lane=make.lane("other.test"), due_at=later())
    assert "all the same" not in ekiden("queue", "retry", "--all", *WHY)
    ekiden("pause", *stop, *WHY)
    assert f"{2 if stop == ['all'] else 1} of them wait all the same" in ekiden(
        "queue", "retry", "--all", *WHY
    )
    assert "all the same" not in ekiden("queue", "hold", "--all", *WHY)


def test_an_empty_lane_forgets_its_pause_too():
    lane = make.lane(paused_until=later())
    ekiden("queue", "retry", "--lane", str(lane.pk), *WHY)
    lane.refresh_from_db()
    assert lane.paused_until is None


# --- lanes and the log ----------------------------------------------------------------------------
def test_the_lanes_in_which_mail_waits_are_listed():
    make.lane("empty.test")
    lane = make.lane("full.test", closed_at=timezone.now(), close_reason="550 blocked")
    make.delivery(lane=lane)
    [listed] = ekiden_json("lane", "list")
    assert (listed["id"], listed["waiting"], listed["is_closed"]) == (lane.pk, 1, True)
    assert listed["why"].endswith("by an answer of the receiver: 550 blocked.")
    assert "paused by a person" in ekiden("lane", "list") and "full.test" in ekiden(
        "lane", "show", "full.test"
    )


def test_the_audit_log_is_read_by_person_action_and_thing():
    ekiden("pause", "all", "--reason", "flood")
    ekiden("resume", "all", "--reason", "calm")
    assert [each["what"] for each in ekiden_json("audit")] == ["resume", "pause"]
    for words in (
        ["--what", "pause"],
        ["--about", "flood"],
        ["--what", "pause", "--who", getpass.getuser(), "--about", "DELIVERY"],
    ):
        assert [each["reason"] for each in ekiden_json("audit", *words)] == ["flood"], words
    assert "flood" in ekiden("audit") and "Nothing" in ekiden("audit", "--who", "nobody-at-all")
