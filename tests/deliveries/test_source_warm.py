from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.models import Source, SourceCount, Tally, WarmUp, WarmUpPlan
from domains.foundation.command import CommandError
from domains.models import AuditEntry
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make
from tests.deliveries.queue.test_warm_up import plan, reserve

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.fixture
def source():
    plan(50, 100, 200)
    return make.source(state="cold")


def state():
    return Source.objects.get(name="one").state


def test_a_source_is_warmed_up_from_a_day_on_and_called_warm(source):
    assert "from day 2 on" in ekiden("source", "warm", "one", "--day", "2")
    assert state() == "warming"
    assert reserve(1000) == [100]
    ekiden("source", "warm", "one", "--done")
    assert state() == "warm"
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["warm_up"] * 2


def test_progress_shows_the_number_and_what_was_done_of_it(source):
    ekiden("source", "warm", "one")
    reserve(30)
    WarmUp.objects.create(source=source, receiver="yahoo", judged_on=timezone.now().date())
    google, yahoo = sorted(ekiden_json("source", "progress"), key=lambda each: each["receiver"])
    assert (google["day"], google["days"], google["number"], google["led"]) == (1, 3, 50, 30)
    assert (yahoo["number"], yahoo["led"]) == (50, 0)
    assert "1/3" in ekiden("source", "progress", "one")


def test_a_dry_run_shows_for_each_day_and_receiver_what_goes_and_what_is_too_much(source):
    make.source("two", state="warm")
    yesterday = timezone.now() - timedelta(days=1)
    for at in (yesterday - timedelta(days=1), yesterday):
        Tally.objects.create(
            hour=at, project_id=1, credential_id=1, provider="google", category="delivered",
            is_hard=False, amount=300,
        )  # fmt: skip
    found = ekiden_json("source", "warm", "one", "--dry-run")
    assert found["share"] == 0.5
    assert [
        (each["day"], each["number"], each["wanted"], each["led"], each["overflow"])
        for each in found["days"]
    ] == [(1, 50, 150, 50, 100), (2, 100, 150, 100, 50)]
    assert "Nothing was changed" in ekiden("source", "warm", "one", "--dry-run")
    assert state() == "cold"
    assert not SourceCount.objects.exists()


def test_numbers_are_shown_changed_and_reset(source):
    ekiden("source", "numbers", "default", "10,20,30")
    assert WarmUpPlan.objects.get(receiver="default").numbers == [10, 20, 30]
    assert "10 20 30" in ekiden("source", "numbers", "default")
    ekiden("source", "numbers", "default", "--reset")
    assert WarmUpPlan.objects.get(receiver="default").numbers[:4] == [50, 100, 200, 500]


def test_numbers_of_a_receiver_that_ships_none_are_removed_by_a_reset(source):
    make.rule("tiny", mx_suffixes=["tiny.test"])
    ekiden("source", "numbers", "tiny", "10")
    ekiden("source", "numbers", "tiny", "--reset")
    assert not WarmUpPlan.objects.filter(receiver="tiny").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("warm", "nobody"), "There is no source nobody"),
        (("warm", "one", "--day", "0"), "--day is a number from 1"),
        (("numbers", "default", "10,5"), "none below that of the day before"),
        (("numbers", "default", "many"), "is no list such as"),
        (("numbers", "nobody", "10"), "shaping rule with the name nobody. Known: "),
        (("numbers", "--reset"), "Name the receiver"),
    ],
)
def test_a_mistake_is_said_in_words(source, words, said):
    with pytest.raises(CommandError, match=said):
        ekiden("source", *words)
