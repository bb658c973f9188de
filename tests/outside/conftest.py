"""The running service for the tests from outside.

A test module asks for the fixture `service` (see `tests/outside/service.py` for all that it gives).
It is one `./ekiden up` for the module; a module that needs other settings says so at its top:
`SETTINGS = {"EKIDEN_MAX_SESSIONS": "50"}`. Such tests are clients on loopback: they import nothing
of what they test, act by SMTP, HTTP and commands, and use PostgreSQL and the log to judge alone.
"""

import os

import pytest

from tests.journeys.rig import wait_until
from tests.outside import debian
from tests.outside.machine import ROOT, SERVICES, Machine, install, prepare, repository
from tests.outside.service import started


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/outside/" in str(item.path):
            item.add_marker("outside")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(
                    pytest.mark.timeout(600)
                )  # a loaded machine is slow to start a whole service


@pytest.fixture(scope="module")
def service(request):
    with started(**getattr(request.module, "SETTINGS", {})) as running:
        yield running


@pytest.fixture
def machine(installed):
    """Yield the machine, with all of its units running before and after the test."""
    yield installed
    wait_until(lambda: all(installed.is_up(unit) for unit in SERVICES), "all units run", 60)
    assert installed.ask("systemctl --failed --no-legend --plain") == ""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Yield a machine on which the documentation was typed in up to its last `ekiden status`."""
    folder = tmp_path_factory.mktemp("units")
    try:
        mounts = {
            debian.WHEELS: debian.wheels(ROOT / "requirements.txt"),
            "/srv/outside": ROOT / "tests/outside",
        }
        repository(folder / "ekiden.git")
        with debian.booted(
            folder / "machine", mounts=mounts | {"/srv/clone": folder / "ekiden.git"}
        ) as system:
            machine = Machine(system)
            prepare(machine)
            install(machine)
            yield machine
    except debian.CannotBoot as reason:
        text = f"no machine can be booted here: {reason}"
        pytest.fail(text) if os.environ.get("CI") == "true" and os.geteuid() == 0 else pytest.skip(
            text
        )
