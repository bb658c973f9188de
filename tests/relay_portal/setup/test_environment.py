import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from relay_portal.setup import environment
from relay_portal.setup.environment import setting


def test_a_variable_that_is_empty_or_not_set_has_the_default(monkeypatch):
    monkeypatch.delenv("EKIDEN_WORKERS", raising=False)
    assert setting("EKIDEN_WORKERS", environment.at_least(1), 1) == 1
    monkeypatch.setenv("EKIDEN_WORKERS", "")
    assert setting("EKIDEN_WORKERS", environment.at_least(1), 1) == 1


@pytest.mark.parametrize(
    ("cast", "good", "value"),
    [
        (environment.port, "2587", 2587),
        (environment.port, "0", 0),
        (environment.fixed_port, "8000", 8000),
        (environment.at_least(1), "12", 12),
        (environment.one_of("refuse", "repair"), "Repair", "repair"),
        (environment.words, " 192.0.2.1:53, 192.0.2.2 ,", ["192.0.2.1:53", "192.0.2.2"]),
        (environment.networks, "10.0.0.0/8,::1", ["10.0.0.0/8", "::1/128"]),
        (environment.address, "::1", "::1"),
        (environment.host_name, "Relay.Example.COM.", "relay.example.com"),
        (environment.resolvers, "192.0.2.1, [::1]:5353", ["192.0.2.1", "[::1]:5353"]),
        (environment.time_zone, "Asia/Tokyo", "Asia/Tokyo"),
        (environment.url_of("redis", "unix"), "unix:///run/valkey.sock", "unix:///run/valkey.sock"),
    ],
)
def test_a_value_is_read_as_it_is_meant(monkeypatch, cast, good, value):
    monkeypatch.setenv("EKIDEN_X", good)
    assert setting("EKIDEN_X", cast, None) == value


@pytest.mark.parametrize(
    ("cast", "bad"),
    [
        (environment.port, "smtp"),
        (environment.port, "65536"),
        (environment.port, "-1"),
        (environment.fixed_port, "0"),
        (environment.fixed_port, "65536"),
        (environment.at_least(1), "0"),
        (environment.at_least(1), "1.5"),
        (environment.one_of("refuse", "repair"), "drop"),
        (environment.networks, "10.0.0.1/8"),
        (environment.address, "localhost"),
        (environment.host_name, "relay..example"),
        (environment.host_name, "relay_ example"),
        (environment.resolvers, "name.server"),
        (environment.time_zone, "Mars"),
        (environment.time_zone, "/etc/passwd"),
        (environment.url_of("redis"), "valkey.example:6379"),
    ],
)
def test_a_value_that_cannot_be_meant_names_its_variable(monkeypatch, cast, bad):
    monkeypatch.setenv("EKIDEN_X", bad)
    with pytest.raises(ImproperlyConfigured, match=r"^EKIDEN_X="):
        setting("EKIDEN_X", cast, None)


def test_a_database_that_cannot_be_meant_names_its_variable():
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL"):
        environment.database("postgres://ekiden@db.test:port/ekiden")


def test_a_machine_without_a_domain_gets_a_name_that_leads_nowhere(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "Box")
    assert environment.own_host_name() == "box.localdomain"


def test_no_number_among_the_settings_goes_unchecked():
    """A bare `int` takes negative days; `at_least` says what is wrong."""
    text = (Path(environment.__file__).parents[1] / "settings.py").read_text()
    assert re.findall(r"setting\([^,]+, (?:int|float)\b", text) == []


@pytest.mark.parametrize(
    ("cores", "listeners", "workers"), [(1, 1, 1), (2, 2, 1), (4, 4, 1), (8, 8, 2), (32, 8, 8)]
)
def test_processes_follow_the_cores_that_we_may_use(monkeypatch, cores, listeners, workers):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(cores)))
    assert (environment.listeners_by_cores(), environment.workers_by_cores()) == (
        listeners,
        workers,
    )
