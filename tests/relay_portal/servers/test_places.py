"""The folder of the sockets: found again by every command, and never one that another account
could take first.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from relay_portal.servers import places

LONG = "a" * 200
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def ordinary(monkeypatch, data):
    """Run as an ordinary user whose data these are."""
    monkeypatch.setattr(places, "_owner_of", lambda data: os.getuid() or 4242)
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


def room(folder):
    return places.SOCKET_BYTES - len(os.fsencode(folder / places.LONGEST_NAME))


@needs_root
def test_roots_are_where_only_root_makes_folders(data):
    assert places.runtime_folder(data).parent == Path("/run")


@pytest.mark.usefixtures("ordinary")
def test_an_ordinary_users_are_beside_the_data():
    # pytest's own name holds the account's, which may be too long for a socket.
    with TemporaryDirectory() as short:
        assert places.runtime_folder(Path(short)) == Path(short) / "run"


@pytest.mark.usefixtures("ordinary")
@pytest.mark.parametrize("name", [LONG, "a,b", 'a"b', "a%b", "a\nb"])
def test_a_path_that_a_socket_cannot_have_is_not_used(tmp_path, name):
    assert places.runtime_folder(tmp_path / name).parent == places.TEMPORARY


@pytest.mark.usefixtures("ordinary")
def test_a_path_has_107_bytes_not_letters(tmp_path):
    fits = tmp_path / ("é" * ((room(tmp_path / "x" / "run") + 1) // 2))
    assert places.runtime_folder(fits) == fits / "run"
    assert places.runtime_folder(fits.with_name(f"{fits.name}é")).parent == places.TEMPORARY


@pytest.mark.usefixtures("ordinary")
def test_a_name_in_tmp_cannot_be_foretold_and_stays_for_the_process(tmp_path):
    first, second = (places.runtime_folder(tmp_path / f"{LONG}{number}") for number in (1, 2))
    assert len(first.name) > 20 and first != second == places.runtime_folder(tmp_path / f"{LONG}2")


@needs_root
@pytest.mark.usefixtures("ordinary")
@pytest.mark.parametrize(
    ("owner", "mode", "is_used"), [(4242, 0o700, True), (4242, 0o770, False), (4343, 0o700, False)]
)
def test_the_users_own_folder_is_used_only_if_it_is_his_alone(
    tmp_path, monkeypatch, owner, mode, is_used
):
    own = Path(tempfile.mkdtemp(prefix="xdg-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(own))
    monkeypatch.setattr(places, "_owner_of", lambda data: 4242)
    os.chown(own, owner, owner)
    own.chmod(mode)
    found = places.runtime_folder(tmp_path / LONG)
    own.rmdir()
    assert found.parent == (own if is_used else places.TEMPORARY)


def test_what_was_settled_is_found_whatever_the_environment(data, monkeypatch):
    monkeypatch.setattr(places, "_has_room", lambda folder: False)
    monkeypatch.setattr(places, "RUN", Path("/nowhere"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    settled = places.settle(data)
    try:
        assert settled.parent == places.TEMPORARY and places.settle(data) == settled
        program = (
            "import pathlib, sys; from relay_portal.servers import places; "
            "print(places.runtime_folder(pathlib.Path(sys.argv[1])))"
        )
        other = subprocess.run(
            [sys.executable, "-c", program, str(data)], capture_output=True, text=True, check=True
        )
        assert other.stdout.strip() == str(settled)
    finally:
        shutil.rmtree(settled)


def test_a_record_of_other_data_counts_as_none(data, tmp_path):
    settled = places.settle(data)
    shutil.copytree(data, tmp_path / "copy", ignore=shutil.ignore_patterns("run"))
    assert places.runtime_folder(tmp_path / "copy") != settled
    shutil.rmtree(settled)


@needs_root
def test_a_folder_that_somebody_took_meanwhile_is_not_used(data, monkeypatch):
    monkeypatch.setattr(places, "_has_room", lambda folder: False)
    monkeypatch.setattr(places, "RUN", Path("/nowhere"))
    settled = places.settle(data)
    settled.rmdir()
    settled.mkdir()
    os.chown(settled, 4242, 4242)
    places._drafts.clear()
    again = places.settle(data)
    assert again != settled and places.runtime_folder(data) == again
    for folder in (settled, again):
        shutil.rmtree(folder)


def test_where_no_socket_can_be_made_the_next_place_is_taken(data, monkeypatch):
    real = places._try_socket
    monkeypatch.setattr(places, "RUN", Path("/nowhere"))
    monkeypatch.setattr(places, "_has_room", lambda folder: True)
    monkeypatch.setattr(
        places,
        "_try_socket",
        lambda folder: real(folder if folder.parent == places.TEMPORARY else Path("/nowhere")),
    )
    settled = places.settle(data)
    assert settled.parent == places.TEMPORARY
    shutil.rmtree(settled)


def test_a_service_of_an_older_version_is_found_while_it_is_up(data):
    older = places._older_folder(data)
    older.mkdir(mode=0o711)
    with open(older / "up.lock", "w") as lock:
        assert places.runtime_folder(data) != older
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert places.runtime_folder(data) == older and places.is_older_version_up(data)
        places.forget_older_version(data)
        assert older.exists()
    places.forget_older_version(data)
    assert not older.exists()


@needs_root
def test_roots_commands_find_the_sockets_of_another_users_data(data):
    (data / "run").mkdir()
    for path in (data, data / "run"):
        os.chown(path, 4242, 4242)
    assert places._has_room(data / "run") and places.runtime_folder(data) == data / "run"
