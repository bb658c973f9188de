"""A mail server on a machine of its own: Debian with one more package unpacked over it, in
namespaces of its own, whose processes and files end with the test.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.journeys.peers import FOLDER

MACHINES = FOLDER / "machines"
# The system below, and over it, in memory, the package, the test's own files and what is written.
STAGE = """
set -e
stage=$1 host=$2
shift 2
mount -t tmpfs tmpfs "$stage"
mkdir "$stage/new" "$stage/work" "$stage/root"
for part in "$@"; do cp -a "$part/." "$stage/new"; done
mount -t overlay overlay -o "lowerdir=/,upperdir=$stage/new,workdir=$stage/work" "$stage/root"
mount -t proc proc "$stage/root/proc"
mount --rbind /dev "$stage/root/dev"
hostname "$host"
exec chroot "$stage/root" /bin/sh -e /script
"""


class Machine:
    """Runs `script` as root on a system that has the package `name` and these files (by absolute
    path); the network is that of the test.
    """

    def __init__(
        self, name: str, files: Mapping[str, str], script: str, *, name_server: str
    ) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix="ekiden-machine-"))
        self.folder.chmod(0o755)
        self.log = self.folder / "log"
        self._own = self.folder / "own"
        given = {
            "/etc/resolv.conf": f"nameserver {name_server}\noptions timeout:2 attempts:1\n",
            "/etc/hosts": f"127.0.0.1 localhost\n127.0.0.1 {self.host}\n",
            "/etc/mailname": f"{self.host}\n",
            "/script": script,
        }
        for path, text in {**given, **files}.items():
            target = self._own / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    @property
    def host(self) -> str:
        return f"mx.{self.name}.test"

    def __enter__(self) -> Self:
        stage = self.folder / "stage"
        stage.mkdir()
        unpacked = MACHINES / self.name
        parts = [*([unpacked] if unpacked.is_dir() else []), self._own]
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child",
                 "/bin/sh", "-c", STAGE, "stage", str(stage), self.host, *map(str, parts)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def words(self) -> str:
        """Return what it printed last."""
        return self.log.read_text(errors="replace")[-3000:]
