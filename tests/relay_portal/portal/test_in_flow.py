"""What people see of the in-flow control: on the home page, in `status`, in the metrics."""

import json
from dataclasses import asdict

import pytest
from django.core.management import call_command

from deliveries.capacity import inflow
from deliveries.capacity.inflow import InflowReport

pytestmark = pytest.mark.usefixtures("mail_db")

ALL_LATE = InflowReport(seconds_behind=1.5, per_second=300.0, urgent_seconds_behind=0.2)
URGENT_LATE = InflowReport(seconds_behind=0.02, per_second=900.0, urgent_seconds_behind=0.08)
SLOWED = InflowReport(limit=300.0, waiting=7, weight=3)


@pytest.fixture
def say(valkey):
    """Return a function with which worker and listener say their words."""

    def says(worker):
        for name, word in (("worker", worker), ("listener", SLOWED)):
            valkey.sadd(inflow.SPEAKERS, name)
            valkey.set(inflow._key(name), json.dumps(asdict(word)), ex=300)
        valkey.expire(inflow.SPEAKERS, 300)

    return says


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (ALL_LATE, "Delivery is 1.5 s behind: 300 messages a second"),
        (URGENT_LATE, "Urgent mail waits 80 ms for this machine: 300 other messages a second"),
    ],
)
def test_the_home_page_tells_what_is_late(say, operator, word, told):
    say(word)
    assert told in operator.get("/").text


def test_nothing_is_told_where_nobody_is_slowed(operator):
    assert "for their turn" not in operator.get("/").text


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (ALL_LATE, "SLOWED: delivery is 1.5 s behind what is accepted,"),
        (URGENT_LATE, "SLOWED: urgent mail waits 80 ms for this machine,"),
    ],
)
def test_status_tells_what_is_late(say, capsys, word, told):
    say(word)
    with pytest.raises(SystemExit):  # nothing runs here
        call_command("status")
    assert told in capsys.readouterr().out


def test_the_metrics_tell_how_late_urgent_mail_is(say, client, settings):
    settings.EKIDEN_METRICS_TOKEN = "a-token-of-ours"
    say(URGENT_LATE)
    answer = client.get("/metrics/", headers={"Authorization": "Bearer a-token-of-ours"})
    assert "\nekiden_inflow_urgent_seconds_behind 0.08\n" in answer.text
