"""The running service for the tests from outside.

A test module asks for the fixture `service` (see `tests/outside/service.py` for all that it gives).
It is one `./ekiden up` for the module; a module that needs other settings says so at its top:
`SETTINGS = {"EKIDEN_MAX_SESSIONS": "50"}`. Such tests are clients on loopback: they import nothing
of what they test, act by SMTP, HTTP and commands, and use PostgreSQL and the log to judge alone.
"""

import pytest

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
