"""The units, booted by systemd on a bare Debian that was installed by typing docs/operations.md
in, word for word.

The tests go one after the other over the same machine, as an administrator's day does; each leaves
it running.
"""

import json
import re
import time
from functools import partial

import pytest

from tests.journeys.rig import wait_until
from tests.outside import handbook
from tests.outside.machine import SERVICES, Machine

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("machine")]


# --- clients --------------------------------------------------------------------------------------
class Load:
    """Apps that hand messages in, until told to stop; then what they were told."""

    def __init__(self, machine: Machine, sessions: int = 3) -> None:
        self._machine = machine
        machine.ask("rm -f /run/stop")
        self._apps = machine.system.start(
            "python3", "/srv/outside/load.py", *machine.login, str(sessions), "/run/stop"
        )

    def __enter__(self) -> "Load":
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(1)
        self._machine.ask("touch /run/stop")
        output, errors = self._apps.communicate(timeout=300)
        assert self._apps.returncode == 0, errors
        told = json.loads(output)
        self.refused, self.shut = told["refused"], told["shut"]
        self.ids = [re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", text)[0] for text in told["accepted"]]


def deliveries(machine: Machine) -> list[str]:
    """Return the ids of the messages whose delivery stands in the mail log, once for each time."""
    text = machine.ask(
        "journalctl -t ekiden-worker --output=cat --no-pager --grep=event=delivered || true"
    )
    return re.findall(r"message=(\S+) .*event=delivered", text)


def assert_delivered_once(machine: Machine, ids: list[str]) -> None:
    assert ids
    wait_until(lambda: set(ids) <= set(deliveries(machine)), "all is delivered", 60)
    seen = deliveries(machine)
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if seen.count(one) != 1] == []


# --- the administrator's day ----------------------------------------------------------------------
def test_the_first_message_arrives_in_the_sandbox(machine):
    assert "does not answer" not in machine.type("ekiden status")
    with Load(machine, sessions=1) as app:
        pass
    assert app.refused == app.shut == []
    assert_delivered_once(machine, app.ids)
    kept = machine.ask(
        "cd / && sudo -u postgres psql -At ekiden -c 'SELECT count(*) FROM "
        "smtp_listener_sandboxmessage'"
    )
    assert int(kept) == len(app.ids)


@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_a_process_that_ends_is_started_again(machine, signal):
    before = {unit: machine.show(unit, "MainPID") for unit in SERVICES}
    machine.ask(f"systemctl kill --kill-who=main --signal={signal} {' '.join(SERVICES)}")

    def is_back(unit):
        return machine.is_up(unit) and machine.show(unit, "MainPID") not in {before[unit], "0"}

    wait_until(lambda: all(is_back(unit) for unit in SERVICES), "all units are back", 60)
    with Load(machine, sessions=1) as app:
        pass
    assert_delivered_once(machine, app.ids)


def test_a_unit_is_started_when_it_is_at_work(machine):
    """The port is open when `restart` returns, and a worker has registered."""
    for unit, port in (("ekiden-portal", 8000), ("ekiden-sandbox", 2526)):
        machine.ask(f"systemctl restart {unit} && bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'")
    machine.ask(
        "systemctl restart ekiden-scheduler ekiden-maintenance ekiden-worker@1 ekiden-worker@2"
    )
    assert "does not answer" not in machine.type("ekiden status")
    said = {unit: machine.show(unit, "StatusText") for unit in SERVICES}
    assert said["ekiden-listener@1"].startswith("Listening: submission 0.0.0.0:587")
    assert said["ekiden-worker@1"] == "Working on deliveries"
    assert all(said.values()), said


def test_the_upgrade_refuses_no_connection_and_loses_nothing(machine):
    machine.ask(
        "cd /srv/ekiden && git -c user.name=t -c user.email=t@example.com commit -q "
        "--allow-empty -m 'The next version'"
    )
    with Load(machine) as apps:
        machine.type(handbook.block("## Upgrade", "git pull"))
    assert apps.refused == []
    assert [
        one for one in apps.shut if one[0] != 421 and "SMTPServerDisconnected" not in one[1]
    ] == []
    assert_delivered_once(machine, apps.ids)
    assert json.loads(machine.type("ekiden conservation --json"))["missing"] == 0


def test_a_broken_unit_becomes_failed_and_says_why(machine):
    machine.ask(
        "mkdir -p /run/systemd/system/ekiden-worker@2.service.d && cd "
        "/run/systemd/system/ekiden-worker@2.service.d && "
        "printf "
        "'[Service]\\nEnvironment=EKIDEN_CONNECTIONS_PER_WORKER=many\\nRestartSec=100ms\\n' "
        ">broken.conf && "
        "systemctl daemon-reload && systemctl reset-failed && { systemctl restart "
        "ekiden-worker@2 || true; }"
    )
    wait_until(
        lambda: machine.show("ekiden-worker@2", "ActiveState") == "failed", "it is failed", 120
    )
    assert machine.show("ekiden-worker@2", "Result") == "exit-code"
    assert "ekiden-worker@2.service" in machine.ask("systemctl --failed --no-legend")
    assert "EKIDEN_CONNECTIONS_PER_WORKER" in machine.ask(
        "journalctl -p err -u ekiden-worker@2 -t ekiden-worker --output=cat"
    )
    machine.ask(
        "rm -r /run/systemd/system/ekiden-worker@2.service.d && systemctl daemon-reload && "
        "systemctl reset-failed ekiden-worker@2 && systemctl start ekiden-worker@2"
    )


def test_an_outage_of_the_servers_ends_no_unit(machine):
    servers = "postgresql@15-main redis-server"
    machine.ask(f"systemctl reset-failed && systemctl stop {servers}")
    try:
        restart_without_servers(machine)
        machine.ask("systemctl start postgresql@15-main")
        wait_until(lambda: machine.is_up("ekiden-listener@1"), "a listener needs no Valkey", 60)
        wait_until(
            lambda: machine.show("ekiden-worker@1", "StatusText") == "Waiting for Valkey",
            "it waits",
            60,
        )
    finally:
        machine.ask(f"systemctl start {servers}")
    assert {unit: machine.show(unit, "NRestarts") for unit in SERVICES} == dict.fromkeys(
        SERVICES, "0"
    )
    wait_until(lambda: all(machine.is_up(unit) for unit in SERVICES), "all units run", 60)
    with Load(machine) as apps:
        pass
    assert_delivered_once(machine, apps.ids)


def has_begun(machine: Machine, unit: str, former: str) -> bool:
    return machine.show(unit, "MainPID") not in {former, "0"}


def restart_without_servers(machine: Machine) -> None:
    """Restart one unit of each kind; each has ended and waits when this returns."""
    starting = {
        unit: machine.show(unit, "MainPID")
        for unit in (
            "ekiden-worker@1",
            "ekiden-scheduler",
            "ekiden-listener@1",
            "ekiden-portal",
            "ekiden-sandbox",
        )
    }
    machine.ask(f"systemctl restart --no-block {' '.join(starting)}")
    for unit, before in starting.items():
        # TimeoutStopSec of the units is 90 s
        wait_until(partial(has_begun, machine, unit, before), f"{unit} has ended and begins", 90)
    time.sleep(20)  # what cannot bear it ends within this
    assert machine.show("ekiden-worker@1", "StatusText") == "Waiting for PostgreSQL"


def test_a_process_that_hangs_is_ended_and_started_again(machine):
    """A listener whose event loop stands still; one that works is left alone under the same
    watchdog.
    """
    for number in (1, 2):
        folder = f"/run/systemd/system/ekiden-listener@{number}.service.d"
        machine.ask(
            f"mkdir -p {folder} && printf '[Service]\\nWatchdogSec=6\\nTimeoutAbortSec=1\\n' "
            f">{folder}/short.conf"
        )
    machine.ask("systemctl daemon-reload && systemctl restart ekiden-listener@1 ekiden-listener@2")
    before = {number: machine.show(f"ekiden-listener@{number}", "MainPID") for number in (1, 2)}
    machine.ask(f"kill -STOP {before[2]}")
    wait_until(
        lambda: machine.show("ekiden-listener@2", "MainPID") not in {before[2], "0"},
        "it is back",
        60,
    )
    assert "Watchdog timeout" in machine.ask("journalctl -u ekiden-listener@2 --output=cat")
    assert machine.show("ekiden-listener@1", "MainPID") == before[1]
    machine.ask("rm -r /run/systemd/system/ekiden-listener@?.service.d && systemctl daemon-reload")
    machine.ask("systemctl restart ekiden-listener@1 ekiden-listener@2")


def test_the_journal_knows_priorities_and_units(machine):
    entries = machine.entries()
    written = {entry["SYSLOG_IDENTIFIER"] for entry in entries}
    assert {unit.partition("@")[0] for unit in SERVICES} - {
        "ekiden-portal",
        "ekiden-sandbox",
    } <= written  # these two have said nothing
    serious = [entry for entry in entries if re.search(" (WARNING|ERROR) ", str(entry["MESSAGE"]))]
    assert serious
    assert {entry["PRIORITY"] for entry in serious} <= {"3", "4"}
    plain = [entry for entry in entries if " INFO " in str(entry["MESSAGE"])]
    assert {entry["PRIORITY"] for entry in plain} == {"6"}
    assert "event=delivered" not in machine.ask("journalctl -p warning -u 'ekiden-*' --output=cat")


def test_the_units_are_confined(machine):
    for unit in SERVICES:
        machine.ask(f"systemd-analyze security --threshold=15 --no-pager {unit} >/dev/null")
    refused = machine.ask(
        "journalctl --output=cat -u 'ekiden-*' --grep='Operation not permitted' || true"
    )
    assert refused in {"", "-- No entries --"}


def test_a_backup_is_restored_as_written(machine):
    with Load(machine, sessions=1) as before:
        pass
    assert_delivered_once(machine, before.ids)
    machine.type(
        handbook.block("## Backup and restore", 'pg_dump -Fc -d "$url" -f ekiden.dump\nsudo tar')
    )
    restore, cancel, go_on = handbook.blocks("## Backup and restore")[-3:]
    stop, unpack = restore.split("\n", 1)
    machine.type(stop)
    machine.ask("rm -r /var/lib/ekiden/keys && redis-cli -s /run/redis/redis-server.sock flushall")
    seen = machine.type(unpack)
    assert "0 missing" in seen or "missing" in seen, seen
    machine.type(cancel)
    machine.type(go_on)
    wait_until(lambda: all(machine.is_up(unit) for unit in SERVICES), "all units run", 60)
    with Load(machine, sessions=1) as after:
        pass
    assert_delivered_once(machine, after.ids)
