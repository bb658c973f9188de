"""What is in force decides: a real PgBouncer in each mode, a role that switches durability off, a
server without fsync.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from deliveries.backends.database import parameters
from domains.foundation.process import postgres_session
from domains.foundation.process.postgres_session import Facts, UnsafeDatabase
from tests.journeys.rig import ROOT, wait_until
from tests.ports import free_port

pytestmark = pytest.mark.usefixtures("mail_db")
GOOD = Facts(180_000, "UTF8", "on", "on", "on", "UTC", is_read_only=False, is_pooled=False)
CONFIGURATION = """
[databases]
ekiden = host={host} dbname={name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
unix_socket_dir =
logfile = {folder}/log
{more}
"""


@contextmanager
def pgbouncer(mode, more=""):
    """Yield DATABASE_URL of the tests' own database behind PgBouncer."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        assert "CI" not in os.environ, "pgbouncer is to be installed"
        pytest.skip("the Debian package pgbouncer is not installed")
    with tempfile.TemporaryDirectory(prefix="ekiden-pgbouncer-") as made:
        folder, port, given = Path(made), free_port(), parameters()
        (folder / "ini").write_text(
            CONFIGURATION.format(
                host=given["host"],
                name=given["dbname"],
                port=port,
                mode=mode,
                folder=folder,
                more=more,
            )
        )
        (folder / "users").write_text('"ekiden" ""\n')
        who: dict[str, Any] = {}
        # It refuses to run as root, and only the server's own account reaches the socket.
        if os.getuid() == 0:
            owner = Path(given["host"]).stat()
            who = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
            for path in (folder, folder / "ini", folder / "users"):
                shutil.chown(path, owner.st_uid)
        running = subprocess.Popen([program, "-q", str(folder / "ini")], **who)
        url = f"postgres://ekiden@127.0.0.1:{port}/ekiden"
        try:
            wait_until(
                lambda: (
                    "listening on" in (folder / "log").read_text()
                    if (folder / "log").exists()
                    else False
                ),
                "it listens",
            )
            yield url
        finally:
            running.terminate()
            running.wait(300)


def manage(*words, **environment):
    url = os.environ["DATABASE_URL"].replace("@/ekiden?", f"@/{connection.settings_dict['NAME']}?")
    env = os.environ | {"DATABASE_URL": url} | environment
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def began(**environment):
    """Tell whether a worker begins its work: its exit status and its last words."""
    ended = manage("rqworker", "maintenance", "--burst", **environment)
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr


@pytest.fixture
def careless_role():
    """Yield a role that has switched durability off for all of its connections."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER ROLE ekiden SET synchronous_commit = off")
        yield
        cursor.execute("ALTER ROLE ekiden RESET synchronous_commit")


def test_sessions_may_be_pooled_whatever_the_role_says(careless_role):
    with pgbouncer("session") as url:
        assert began(DATABASE_URL=url) == (0, "")


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_transactions_and_statements_may_not(mode):
    with pgbouncer(mode, "ignore_startup_parameters = options,extra_float_digits") as url:
        status, said = began(DATABASE_URL=url)
        assert (status, said.count("\n")) == (2, 1), said
        assert said.startswith("ekiden: A pooler gives one connection several PostgreSQL backends")
        assert (
            "✗ PostgreSQL    A pooler gives one connection"
            in manage("doctor", DATABASE_URL=url).stdout
        )


def test_a_pooler_that_takes_turns_is_seen_too():
    with pgbouncer("transaction", "server_round_robin = 1\nmin_pool_size = 3") as url:
        assert began(DATABASE_URL=url)[0] == 2


def test_a_server_that_may_lose_mail_is_refused_unless_a_setting_says_so():
    status, said = began(EKIDEN_MAY_LOSE_MAIL="no")
    assert (status, said.count("\n")) == (2, 1)
    assert said.startswith("ekiden: PostgreSQL does not write safely: fsync is off.")
    assert began(EKIDEN_MAY_LOSE_MAIL="yes") == (0, "")


def test_a_direct_connection_is_not_taken_for_a_pooled_one():
    assert not postgres_session.ask().is_pooled


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"is_pooled": True}, "pool_mode = session"),
        ({"version": 140_009}, "version is 14. 15 or newer"),
        ({"encoding": "SQL_ASCII"}, "SQL_ASCII"),
        ({"synchronous_commit": "off"}, "synchronous_commit stays off"),
        ({"time_zone": "Asia/Tokyo"}, "stays Asia/Tokyo"),
        ({"fsync": "off"}, "fsync is off"),
        ({"full_page_writes": "off"}, "full_page_writes is off"),
        ({"is_read_only": True}, "read-only"),
    ],
)  # fmt: skip
def test_each_trouble_is_told(wrong, text, monkeypatch, settings):
    settings.EKIDEN_MAY_LOSE_MAIL = "no"
    monkeypatch.setattr(postgres_session, "ask", lambda: replace(GOOD, **wrong))
    with pytest.raises((UnsafeDatabase, postgres_session.ReadOnlyDatabase), match=text):
        postgres_session.demand()


def test_nothing_is_told_of_a_good_server(monkeypatch):
    monkeypatch.setattr(postgres_session, "ask", lambda: GOOD)
    postgres_session.demand()
    assert list(postgres_session.troubles(GOOD)) == []
