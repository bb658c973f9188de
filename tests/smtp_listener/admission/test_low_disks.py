"""A disk that is too full to take mail is told by every machine, whichever it is."""

import json
import time
from dataclasses import asdict

import pytest
from django.core.management import call_command
from django.test import Client

from relay_portal.doctor import machine
from smtp_listener.admission import low_disks
from smtp_listener.admission.disk import Disk, LowDisk
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.usefixtures("mail_db")
ELSEWHERE = LowDisk("node2", "/srv/ekiden", 100, 1000)


def tell(valkey, low, at=None):
    valkey.hset(low_disks.KEY, low.node, json.dumps({"at": at or time.time(), **asdict(low)}))
    valkey.expire(low_disks.KEY, low_disks.KEEP)


def status(capsys):
    with pytest.raises(SystemExit):
        call_command("status", "--json")
    as_json = json.loads(capsys.readouterr().out)
    with pytest.raises(SystemExit):
        call_command("status")
    return as_json, capsys.readouterr().out


def test_a_listener_tells_the_others(listener, valkey, tmp_path):
    listener.listener.disk = Disk(tmp_path, 2**60)
    listener.run(low_disks.tell(listener.listener.counters, listener.listener.disk))
    [told] = valkey.hvals(low_disks.KEY)
    assert (
        json.loads(told)["folder"] == str(tmp_path)
        and 0 < valkey.ttl(low_disks.KEY) <= low_disks.KEEP
    )


def test_a_listener_with_room_says_nothing(listener, valkey):
    listener.run(low_disks.tell(listener.listener.counters, listener.listener.disk))
    assert not valkey.exists(low_disks.KEY)


def test_this_machine_is_looked_at_though_valkey_is_away(settings):
    settings.REDIS_URL, settings.EKIDEN_LOW_DISK = "redis://127.0.0.1:1/0", 2**60
    [found] = low_disks.find()
    assert (found.node, found.folder, found.mark) == (
        low_disks.node(),
        str(settings.EKIDEN_DATA),
        2**60,
    )


def test_old_words_and_nonsense_are_passed_over(valkey):
    tell(valkey, ELSEWHERE, at=time.time() - low_disks.KEEP - 1)
    for number, nonsense in enumerate(("x", "[]", "{}", '{"at": "now"}')):
        valkey.hset(low_disks.KEY, f"n{number}", nonsense)
    assert low_disks.find() == []
    tell(valkey, ELSEWHERE)
    assert low_disks.find() == [ELSEWHERE]


@pytest.mark.parametrize(
    ("free", "level", "words"),
    [(100, "BAD", "answers all mail"), (600, "WARNING", "not yet that of apps")],
)
def test_status_and_doctor_say_where_and_how_little(valkey, capsys, free, level, words):
    tell(valkey, LowDisk("node2", "/srv/ekiden", free * 2**20, 1000 * 2**20))
    [finding] = machine.low_disk()
    assert finding.level.name == level and words in finding.text
    assert f"/srv/ekiden on node2 has {free}.0 MiB free of the 1000.0 MiB" in finding.text
    as_json, said = status(capsys)
    [low] = as_json["low_disks"]
    assert (low["node"], low["free"], low["refuses_apps"]) == (
        "node2",
        free * 2**20,
        level == "BAD",
    )
    assert f"DISK FULL: {finding.text}" in said


def test_only_refused_apps_make_it_not_ready(valkey, capsys, monkeypatch):
    monkeypatch.setattr("relay_portal.process.readiness.parts", lambda: {"PostgreSQL": True})
    monkeypatch.setattr("relay_portal.process.readiness.supervised", list)
    tell(valkey, LowDisk("node2", "/srv", 999, 1000))
    call_command("status", "--json")
    assert json.loads(capsys.readouterr().out)["ready"]
    tell(valkey, ELSEWHERE)
    with pytest.raises(SystemExit):
        call_command("status", "--json")
    assert not json.loads(capsys.readouterr().out)["ready"]


def test_metrics_have_it_while_it_lasts(valkey, settings):
    settings.EKIDEN_METRICS_TOKEN = "t"
    asked = {"headers": {"Authorization": "Bearer t"}}
    assert "ekiden_low_disk_free_bytes{" not in Client().get("/metrics/", **asked).text
    tell(valkey, ELSEWHERE)
    line = 'ekiden_low_disk_free_bytes{node="node2",folder="/srv/ekiden",refuses="apps"} 100'
    assert line in Client().get("/metrics/", **asked).text


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "The disk is full: no mail is taken."), ("ja", "ディスクがいっぱい")],
)
def test_the_overview_has_it_in_both_languages(valkey, language, words):
    browser = verified(person())
    assert words not in browser.get("/", headers={"Accept-Language": language}).text
    tell(valkey, ELSEWHERE)
    page = browser.get("/", headers={"Accept-Language": language}).text
    assert words in page and "/srv/ekiden" in page and "node2" in page
