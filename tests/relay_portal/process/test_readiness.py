"""What is asked of the parts, where one of them does not answer."""

import socket

import pytest
from django.core.management import call_command
from django.db import connection

from deliveries.queue import unwritten_outcomes
from deliveries.steering import pauses
from relay_portal.management.commands.status import span
from relay_portal.process import readiness


@pytest.mark.django_db
def test_no_command_waits_for_minutes_for_a_database_that_does_not_answer():
    assert 0 < connection.get_connection_params()["connect_timeout"] <= 10


@pytest.mark.django_db
def test_status_tells_what_is_paused(capsys):
    pauses.stop("domain", domain="mx.test", reason="they asked", by="otto")
    pauses.stop("all", reason="a flood", by="otto")
    with pytest.raises(SystemExit):
        call_command("status")
    said = capsys.readouterr().out
    assert (
        "EMERGENCY STOP: no mail is delivered (a flood)" in said
        and "PAUSED: recipient domain mx.test (they asked)" in said
    )


def test_a_valkey_that_is_frozen_is_down_within_seconds(settings, tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "valkey.sock"))
        silent.listen()
        settings.REDIS_URL = f"unix://{tmp_path}/valkey.sock"
        assert not readiness.has_valkey()


@pytest.mark.django_db
def test_status_tells_what_workers_left_behind(settings, capsys, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    unwritten_outcomes.save(unwritten_outcomes.folder(), [])
    for words in ([], ["--json"]):
        with pytest.raises(SystemExit):
            call_command("status", *words)
    said = capsys.readouterr().out
    assert (
        f"LEFT BEHIND: 1 files of outcomes wait in {tmp_path}/outcomes" in said
        and '"outcome_files": 1' in said
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (792, "13 min"),
        (7200, "2 h"),
        (172_799, "47 h"),
        (1_000_000, "11 days"),
    ],
)
def test_a_span_is_said_in_the_unit_that_people_read(seconds, said):
    assert span(seconds) == said
