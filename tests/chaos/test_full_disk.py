"""The disk of the data is full, under load: a small one of its own, in a mount namespace that the
test makes (as root only).
"""

import os
import shutil
import smtplib
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from relay_portal.servers.embedded import runtime_folder
from tests.chaos import load
from tests.chaos.far_side import far_side, settings
from tests.chaos.world import Scene, World
from tests.journeys.rig import ROOT, wait_until
from tests.journeys.service import Up
from tests.outside.service import HOSTNAME, Service

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a disk needs root"),
]

SIZE = "600m"
FULL = float(os.environ.get("EKIDEN_CHAOS_LONG") == "1") * 52 + 8  # seconds
# `up` begins the namespace and says where it is; the commands beside it enter it.
WRAPPER = """#!/bin/sh
set -eu
if [ "$1" = up ]; then
    exec unshare --mount sh -c '
        mount -t tmpfs -o size={size},mode=0755 ekiden-test "$EKIDEN_DATA"
        echo $$ > {pid}
        exec {ekiden} up'
fi
exec nsenter --mount --target "$(cat {pid})" {ekiden} "$@"
"""


class SmallDisk(Up):
    """`up` whose data folder is a disk of its own, which nobody else sees."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.pid_file = folder / "pid"
        program = folder / "ekiden"
        program.write_text(WRAPPER.format(size=SIZE, pid=self.pid_file, ekiden=ROOT / "ekiden"))
        program.chmod(0o755)
        data = folder / "data"
        data.mkdir()
        super().__init__(data, folder / "log", None, program, EKIDEN_PYTHON="", **more)

    @property
    def seen_from_here(self) -> Path:
        return Path(f"/proc/{self.pid_file.read_text().strip()}/root{self.data}")


class OnSmallDisk(Service):
    def log(self) -> str:
        logs = sorted((self.running.seen_from_here / "log").glob("*.log"))
        return "".join(log.read_text(errors="replace") for log in logs)


@contextmanager
def small_disk(**more: str):
    folder = Path(tempfile.mkdtemp(prefix="ekiden-disk-"))
    folder.chmod(0o755)
    running = SmallDisk(folder, EKIDEN_HOSTNAME=HOSTNAME, **more)
    try:
        running.start()
        yield running
    finally:
        if running.process is not None and running.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                running.stop()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(runtime_folder(running.data), ignore_errors=True)


@pytest.fixture
def scene(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(load, "PATIENCE", 300.0)
    with far_side() as (dns, sink), small_disk(**settings(dns, sink)) as running:
        service = OnSmallDisk(running)
        wait_until(service.is_listening, "the listener answers", 60)
        assert service.login
        scene = Scene(World(service, dns, sink), tmp_path / "ledger")
        yield scene
        with capsys.disabled():
            print(f"\ndisk full: {scene.numbers()}", flush=True)


def fill(path: Path) -> None:
    """Fill every byte that is left."""
    with open(path, "wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
    with open(path, "ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))


def test_a_full_disk_is_named_and_all_goes_on_when_there_is_room_again(scene):
    ballast = scene.world.service.running.seen_from_here / "ballast"
    with scene.under_load():
        scene.fault()
        fill(ballast)
        time.sleep(FULL)
        status = scene.world.status()
        answer = _answer(scene)
        ballast.unlink()
        scene.fault()
        scene.wait_until_back()
    assert "DISK FULL: " in status
    assert answer in (451, 452, 421, 0)  # 0: nobody was there
    assert "event=low-disk" in scene.log() or "No space left on device" in scene.log()


def _answer(scene) -> int:
    with suppress(OSError, smtplib.SMTPServerDisconnected):
        try:
            with scene.world.client() as app:
                return int(app.docmd("MAIL", "FROM:<app@app.test>")[0])
        except smtplib.SMTPResponseException as error:
            return error.smtp_code
    return 0
