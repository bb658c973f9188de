"""Where the embedded servers live, as root and as an ordinary user. That they run is what every other test relies on."""

import os
from pathlib import Path

import pytest
from django.db import connection

from relay_portal import embedded
from relay_portal.embedded import EmbeddedPostgres, make_folder, state_folder

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root hands folders to another account")


@needs_root
def test_in_a_home_that_only_root_enters_the_servers_live_elsewhere(tmp_path):
    (tmp_path / "home").mkdir(mode=0o700)
    assert state_folder(tmp_path / "home" / "data").parent == embedded.STATE_OF_ROOT


def test_an_ordinary_users_servers_live_with_his_data(tmp_path, monkeypatch):
    monkeypatch.setattr("os.getuid", lambda: 1000)
    (tmp_path / "home").mkdir(mode=0o700)
    assert state_folder(tmp_path / "home" / "data") == tmp_path / "home" / "data"


@needs_root
def test_data_in_a_home_that_is_closed_to_us_have_sockets_of_our_own(tmp_path):
    (tmp_path / "home").mkdir(mode=0o700)
    os.seteuid(65534)
    try:
        assert embedded.runtime_folder(tmp_path / "home" / "data").name.startswith(f"ekiden-{os.getuid()}-")
    finally:
        os.seteuid(0)


def test_each_data_folder_has_sockets_of_its_own_with_a_short_path(tmp_path):
    first, second = (embedded.runtime_folder(tmp_path / name) for name in ("a" * 200, "b"))
    assert first != second
    assert len(str(first / "postgres" / ".s.PGSQL.5432")) < 107


@needs_root
def test_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "taken").mkdir()
    os.chown(tmp_path / "taken", 4242, 4242)
    with pytest.raises(OSError, match="belongs to somebody else"):
        make_folder(tmp_path / "taken", 0o700)


def test_a_link_that_somebody_left_there_is_refused(tmp_path):
    (tmp_path / "victim").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="belongs to somebody else"):
        make_folder(tmp_path / "link", 0o700)


def test_the_servers_are_reached_by_a_socket_of_their_own_account_alone(db, valkey):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')")
        addresses, sockets = cursor.fetchone()
    assert addresses == "" and valkey.config_get("port") == {"port": "0"}
    for folder in (Path(sockets), Path(valkey.config_get("unixsocket")["unixsocket"]).parent):
        assert folder.stat().st_mode & 0o077 == 0


def test_a_cluster_is_whole_or_not_there(tmp_path, monkeypatch):
    """An initdb that was cut off leaves nothing that looks like a cluster, and the next start makes one."""
    tmp_path.chmod(0o755)
    postgres = EmbeddedPostgres(tmp_path / "data", durable=False)
    make_folder(tmp_path / "data", 0o711)
    make_folder(postgres.state, 0o700, account=embedded.account())
    (postgres.state / "new").mkdir()
    (postgres.state / "new" / "PG_VERSION").write_text("18\n")
    postgres.prepare()
    assert not (postgres.state / "new").exists()
    assert (postgres.state / "PG_VERSION").read_text() == "18\n"
    assert (postgres.state / "global" / "pg_control").exists()
