"""Starts the real PostgreSQL and Valkey that the tests need, once for a run, before Django reads
its settings.
"""

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

SECRET_KEY = "of the tests: " + 48 * "x"  # as all machines of an installation are given it
_started = []


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config, parser, args):
    """Start the servers before pytest-django reads the settings.

    It does so in the process that the developer started; xdist's workers inherit the URLs.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        worker = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
        os.environ["REDIS_URL"] = os.environ["REDIS_URL"].replace("db=0", f"db={worker + 1}")
        return
    data = Path(tempfile.mkdtemp(prefix="ekiden-tests-"))
    # The servers end with the run, also where a time limit ends it, at whatever moment.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    atexit.register(_end, data)
    data.chmod(0o755)
    os.environ["EKIDEN_DATA"] = str(data)
    os.environ["EKIDEN_SECRET_KEY"] = SECRET_KEY
    os.environ["EKIDEN_MAY_LOSE_MAIL"] = "yes"
    os.environ["EKIDEN_QUESTIONS"] = "5000"  # nobody minds on loopback
    from relay_portal.servers.embedded import EmbeddedPostgres, EmbeddedValkey

    postgres, valkey = EmbeddedPostgres(data, durable=False), EmbeddedValkey(data)
    for server in (postgres, valkey):
        server.prepare()
        server.start()
        _started.append(server)
    postgres.make_database("ekiden")
    os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = postgres.url, valkey.url


def _end(data):
    from relay_portal.servers.embedded import runtime_folder

    while _started:
        _started.pop().stop()
    for folder in (runtime_folder(data), data):
        shutil.rmtree(folder, ignore_errors=True)
