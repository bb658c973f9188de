"""The doctor shows what grows, and how long the disk lasts at that pace."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from deliveries.insight import growth as noted
from relay_portal.doctor import growth
from relay_portal.doctor.finding import Level

pytestmark = pytest.mark.usefixtures("mail_db")
NOW = datetime.now(UTC)


def told(check=growth.database):
    return [(finding.level, finding.text) for finding in check()]


def test_the_largest_tables_are_named_with_their_rows():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO deliveries_submission SELECT int8send(n), gen_random_uuid(), now() FROM "
            "generate_series(1, 40000) n"
        )
        # else they may be counted once more, behind the count of ANALYZE
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("VACUUM (ANALYZE) deliveries_submission")
    [first] = [
        finding
        for finding in growth.database()
        if finding.figures.get("table") == "deliveries_submission"
    ]
    assert (first.figures["rows"], first.figures["bytes"] > 2**20) == (40_000, True)


def test_the_growth_is_that_since_the_first_day_noted(valkey):
    size = noted.database_size()
    noted.note(now=NOW - timedelta(days=2))
    noted.note(now=NOW)
    found = noted.since_noted(size + 200, now=NOW)
    assert (found.per_day, found.since) == (100, (NOW - timedelta(days=2)).date())
    assert 0 < valkey.ttl(noted.KEY) <= noted.KEY_LASTS


def test_a_day_is_noted_once_and_old_days_are_left_out(valkey):
    for days in (20, 1, 0, 0):
        noted.note(now=NOW - timedelta(days=days))
    assert sorted(map(bytes.decode, valkey.hkeys(noted.KEY))) == [
        f"{NOW - timedelta(days=days):%Y-%m-%d}" for days in (1, 0)
    ]


@pytest.mark.parametrize(
    "nonsense", ["x", "[]", '{"at": "2026-01-01"}', '{"at": "2026-01-01", "bytes": 1}']
)
def test_what_means_nothing_is_passed_over(valkey, nonsense):
    valkey.hset(noted.KEY, "x", nonsense)
    valkey.expire(noted.KEY, 60)
    assert noted.since_noted(1, now=NOW) is None


@pytest.mark.parametrize(("per_day", "level"), [(2**62, Level.WARNING), (2**20, Level.GOOD)])
def test_a_disk_that_is_full_soon_is_a_warning(per_day, level):
    assert [finding.level for finding in growth._lasts(per_day)] == [level]


def test_another_machines_disk_is_not_guessed_at(settings):
    settings.DATABASE_URL = "postgres://db.example.com/ekiden"
    assert list(growth._lasts(2**62)) == []


def test_dead_rows_that_nobody_removes_are_a_warning(monkeypatch):
    monkeypatch.setattr(growth, "DEAD_LEAST", 0)
    monkeypatch.setattr(growth, "DEAD_PART", -1)
    assert Level.WARNING in {level for level, _ in told()}


def test_the_parts_of_the_data_folder_are_told(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "x.log").write_bytes(b"x" * 100_000)
    [finding] = growth.folders()
    assert finding.figures["folders"]["log"] >= 100_000


def test_valkeys_memory_is_told(valkey):
    assert "keys" in told(growth.valkey)[0][1]


def test_json_holds_the_figures_of_each_finding():
    printed = StringIO()
    with suppress(SystemExit):  # no worker runs here
        call_command("doctor", "--json", stdout=printed)
    assert {type(finding["figures"]) for finding in json.loads(printed.getvalue())} == {dict}
    [first, *_] = growth.database()
    assert set(first.figures) == {"database_bytes", "bytes_per_day"}
