"""The proof that a drain has died, with real processes; and what its successor makes of it."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from uuid import uuid4

import pytest

from deliveries.queue import drain_files
from deliveries.queue.drain_files import HolderFile, files, proof
from tests.test_layers import ROOT

PROGRAM = """
import signal, sys
from pathlib import Path
from uuid import UUID
from deliveries.queue.drain_files import HolderFile
own = HolderFile(Path(sys.argv[1]), UUID(sys.argv[2]), marks=8)
for mark in sys.argv[3:]:
    own.mark(UUID(mark))
print("ready", flush=True)
signal.pause()
"""


@contextmanager
def other_process(folder, *marks):
    """Yield a process that holds a file of its own, with these marks, and the holder's name."""
    holder = uuid4()
    words = [sys.executable, "-c", PROGRAM, folder, holder, *marks]
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process, holder
        finally:
            process.kill()


def proven(folder):
    found = []
    for path in files(folder):
        with proof(path) as dead:
            found += [dead] if dead else []
    return found


def test_a_killed_process_is_dead_and_its_marks_are_there(tmp_path):
    sent = [uuid4(), uuid4()]
    with other_process(tmp_path, *sent) as (process, holder):
        assert proven(tmp_path) == []
        process.kill()
        process.wait()
        [dead] = proven(tmp_path)
        assert (dead.holder, sorted(dead.may_be_sent)) == (holder, sorted(sent))
    assert files(tmp_path) == []


def test_a_stopped_process_is_not_dead(tmp_path):
    with other_process(tmp_path) as (process, _):
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        assert proven(tmp_path) == []
        assert len(files(tmp_path)) == 1


def test_the_living_are_not_dead_to_themselves(tmp_path):
    own = HolderFile(tmp_path, uuid4(), marks=1)
    assert proven(tmp_path) == []
    own.close(owes=True)
    assert len(proven(tmp_path)) == 1


def test_who_ends_and_owes_nothing_leaves_no_file(tmp_path):
    HolderFile(tmp_path, uuid4(), marks=1).close()
    assert files(tmp_path) == []


def test_a_mark_goes_when_the_outcome_is_committed(tmp_path):
    own, (first, second) = HolderFile(tmp_path, uuid4(), marks=2), (uuid4(), uuid4())
    own.mark(first)
    own.mark(second)
    own.unmark([first, uuid4()])
    own.mark(third := uuid4())
    own.close(owes=True)
    [dead] = proven(tmp_path)
    assert set(dead.may_be_sent) == {second, third}


def test_a_file_that_takes_no_more_marks_proves_nothing(tmp_path):
    own = HolderFile(tmp_path, uuid4(), marks=1)
    own.mark(uuid4())
    own.mark(uuid4())
    own.close()
    assert files(tmp_path) == []


def test_a_file_of_an_earlier_start_of_the_machine_proves_nothing_and_goes(tmp_path, monkeypatch):
    own = HolderFile(tmp_path, uuid4(), marks=1)
    own.close(owes=True)
    monkeypatch.setattr(drain_files, "boot_id", lambda: "another")
    assert (proven(tmp_path), files(tmp_path)) == ([], [])


def test_where_a_start_has_no_name_its_time_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(drain_files, "boot_id", str)
    HolderFile(tmp_path, uuid4(), marks=1).close(owes=True)
    started = drain_files._machine_started()
    monkeypatch.setattr(drain_files, "_machine_started", lambda: started + 100)
    assert (proven(tmp_path), files(tmp_path)) == ([], [])


def test_a_clock_that_is_set_takes_no_proof_away_and_is_told(settings, tmp_path, monkeypatch):
    settings.EKIDEN_DATA = tmp_path
    own = HolderFile(drain_files.folder(), uuid4(), marks=1)
    assert abs(drain_files.clock_was_set()) < 1
    started = drain_files._machine_started()
    monkeypatch.setattr(drain_files, "_machine_started", lambda: started - 3600)
    assert round(drain_files.clock_was_set()) == -3600
    own.close(owes=True)
    assert len(proven(drain_files.folder())) == 1


@pytest.mark.parametrize("content", [b"", b"ekiden holder 2 x", b"ekiden holder 1 1.0", bytes(100)])
def test_a_broken_file_proves_nothing(tmp_path, content):
    (tmp_path / str(uuid4())).write_bytes(content)
    assert (proven(tmp_path), files(tmp_path)) == ([], [])


def test_without_a_folder_a_drain_goes_on(tmp_path):
    (tmp_path / "file").touch()
    own = HolderFile(tmp_path / "file", uuid4(), marks=1)
    own.mark(uuid4())
    own.unmark([uuid4()])
    own.close()


def test_the_file_is_private_and_does_not_grow(tmp_path):
    own = HolderFile(tmp_path / "holders", uuid4(), marks=100)
    [path] = files(tmp_path / "holders")
    size = path.stat().st_size
    for _ in range(1000):
        own.mark(each := uuid4())
        own.unmark([each])
    assert (
        path.stat().st_size,
        path.stat().st_mode & 0o777,
        path.parent.stat().st_mode & 0o777,
    ) == (size, 0o600, 0o700)
    own.close()
