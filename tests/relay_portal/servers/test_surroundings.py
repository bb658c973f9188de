"""What an account has set for another PostgreSQL, or for a locale that is not installed here."""

import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from relay_portal.servers import surroundings
from relay_portal.servers.embedded import EmbeddedPostgres

OTHERS = {
    "PGHOST": "/nowhere",
    "PGPORT": "1",
    "PGSERVICE": "of-another-program",
    "PGSSLMODE": "verify-full",
    "PGOPTIONS": "-c statement_timeout=1",
    "PGTZ": "Asia/Tokyo",
    "LANG": "xx_YY.UTF-8",
    "LC_ALL": "xx_YY.ISO-8859-1",
    "LC_CTYPE": "UTF-8",
}


@pytest.fixture
def server(monkeypatch):
    for name, value in OTHERS.items():
        monkeypatch.setenv(name, value)
    folder = Path(tempfile.mkdtemp(prefix="ekiden-surroundings-"))  # pytest's own are closed
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "data", durable=False)
    yield server
    server.stop()
    shutil.rmtree(server.sockets.parent, ignore_errors=True)
    shutil.rmtree(server.state.parent, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_embedded_servers_hear_nothing_of_them():
    heard = surroundings.for_servers(OTHERS | {"PATH": "/bin"})
    assert heard == {"PATH": "/bin", "LC_ALL": "C"}


def test_a_cluster_is_made_started_and_reached_in_spite_of_them(server):
    server.prepare()
    server.start()
    server.make_database("ekiden")
    with psycopg.connect(host=str(server.sockets), user="ekiden", dbname="ekiden") as own:
        assert own.execute("SHOW statement_timeout").fetchone() == ("0",)
        assert own.execute("SHOW timezone").fetchone() != ("Asia/Tokyo",)
