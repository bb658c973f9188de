"""A Debian machine with systemd as its first process and no network, made by mmdebstrap and booted
by systemd-nspawn.

Its root is a layer over an image that is made once and kept in `EKIDEN_IMAGES`
(/var/cache/ekiden-images); what a test writes lives in a folder of the test. The image holds
Debian's packages and nothing of the project.
"""

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGES = Path(os.environ.get("EKIDEN_IMAGES", "/var/cache/ekiden-images"))
SUITE, PYTHON = "bookworm", "3.11"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "sudo", "git", "ca-certificates", "python3", "python3-venv",
    "postgresql", "redis-server",
    "procps",
)  # fmt: skip
TOOLS = ("mmdebstrap", "systemd-nspawn", "nsenter", "unshare", "tar")
HOSTNAME = "relay"
WHEELS = "/var/wheels"  # where the machine's pip finds what the lock names

# In mount namespaces of its own, so that nothing is left on the host. A cgroup tree of version 2 is
# all that systemd needs, and a host that runs version 1 has one beside it.
BOOT = """
set -eu
group=/sys/fs/cgroup/$1; layers=$2; image=$3; shift 3
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir "$group"
echo $$ >"$group/cgroup.procs"
mount -t overlay overlay \\
    -o "lowerdir=$image,upperdir=$layers/upper,workdir=$layers/work" "$layers/root"
exec systemd-nspawn --quiet --boot --private-network --register=no --keep-unit \\
    --console=pipe --directory="$layers/root" "$@"
"""
PROBE = """
umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && \\
    mkdir "/sys/fs/cgroup/$1" && rmdir "/sys/fs/cgroup/$1"
"""
SWEEP = """
umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup
for second in 1 2 3 4 5; do  # the dead need a moment
    find "/sys/fs/cgroup/$1" -depth -type d -exec rmdir {} ';'
    [ -d "/sys/fs/cgroup/$1" ] || break
    sleep 1
done
"""


class CannotBoot(Exception):
    """Why there can be no such machine here, for people."""


class Debian:
    """A running machine: what may be done on it."""

    def __init__(self, leader: int) -> None:
        self._leader = leader

    def command(self, *words: str, account: str = "root") -> list[str]:
        """Return the words as the host runs them on the machine, by a log-in of the account."""
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
        return [
            "nsenter",
            f"--target={self._leader}",
            *spaces,
            "--",
            "/usr/sbin/runuser",
            "-l",
            account,
            "-c",
            shlex.join(words),
        ]

    def run(
        self, script: str, *, account: str = "root", seconds: float = 120, check: bool = True
    ) -> str:
        """Return what a login shell of the account prints for the script."""
        ran = subprocess.run(
            self.command("bash", "-lc", script, account=account), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False, env=environment(),
        )  # fmt: skip
        assert not check or ran.returncode == 0, (
            f"{script}\n-> {ran.returncode}\n{ran.stdout[-5000:]}"
        )
        return ran.stdout

    def write(self, path: str, text: str, *, mode: str = "644") -> None:
        done = subprocess.run(
            self.command("sh", "-c", f"umask 077; cat >{path}; chmod {mode} {path}"), input=text,
            text=True, timeout=300,
            check=False, env=environment(), capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a program that runs beside the test."""
        return subprocess.Popen(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )


def environment() -> dict[str, str]:
    """Return an environment with nothing of the host's: what an administrator has not set must not
    help him.
    """
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "TERM": "dumb",
        "LANG": "C.UTF-8",
    }


@contextmanager
def booted(folder: Path, *, mounts: dict[str, Path]):
    """Boot a machine, with these folders of the host to be read. Raises `CannotBoot`."""
    refuse_where_it_cannot_be()
    base = image()
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    binds = [f"--bind-ro={source}:{target}" for target, source in mounts.items()]
    group = f"ekiden-{os.getpid()}-{folder.name}"
    words = apart(BOOT, group, str(folder), str(base), f"--machine={HOSTNAME}", *binds)
    log = folder / "console"
    with log.open("wb") as console:
        container = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT
        )
    try:
        machine = Debian(leader(container, log))
        wait_until_up(machine, log)
        yield machine
    finally:
        end(container)
        subprocess.run(apart(SWEEP, group), capture_output=True, check=False)


def apart(script: str, *arguments: str) -> list[str]:
    """Return a shell script in a mount namespace of its own."""
    return ["unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh", *arguments]


def refuse_where_it_cannot_be() -> None:
    if os.geteuid() != 0:
        raise CannotBoot("only root can boot a machine")
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        raise CannotBoot(
            f"not installed: {', '.join(missing)} (Debian: mmdebstrap, systemd-container)"
        )
    done = subprocess.run(
        apart(PROBE, f"ekiden-{os.getpid()}"), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotBoot(f"no cgroup tree of version 2 can be had: {done.stderr.strip()}")


def kept(name: str, make) -> Path:
    """Make a folder once: whole, or not at all."""
    folder = IMAGES / name
    if not folder.is_dir():
        IMAGES.mkdir(parents=True, exist_ok=True)
        part = IMAGES / f"{name}.{os.getpid()}"
        try:
            make(part)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def image() -> Path:
    def make(part: Path) -> None:
        made = subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE,
                str(part)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode:
            raise CannotBoot(f"mmdebstrap cannot make the image: {made.stderr[-500:]}")

    return kept(f"{SUITE}-{hashlib.sha256(' '.join(PACKAGES).encode()).hexdigest()[:12]}", make)


def wheels(lock: Path) -> Path:
    """Return a folder with the packages of a lock file for the machine's Python."""

    def make(part: Path) -> None:
        part.mkdir()
        # pip reads the conditions for the Python that runs it, and that is another one: they go,
        # and some packages come for nothing.
        named = part / lock.name
        named.write_text(
            re.sub(r"^(\S+==\S+) ;.*?( \\)?$", r"\1\2", lock.read_text(), flags=re.MULTILINE)
        )
        words = ["download", "-qq", "--no-deps", "--require-hashes", "--python-version", PYTHON]
        made = subprocess.run(
            [sys.executable, "-m", "pip", *words, "-r", str(named), "-d", str(part)],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise CannotBoot(f"pip cannot fetch the packages of {lock.name}: {made.stderr[-500:]}")
        builders = [
            "download",
            "-qq",
            "-d",
            str(part),
            "setuptools",
            "wheel",
        ]  # for packages that come as their source
        subprocess.run([sys.executable, "-m", "pip", *builders], capture_output=True, check=False)

    return kept(f"wheels-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}", make)


def leader(container: subprocess.Popen[bytes], log: Path) -> int:
    """Return the number of the machine's first process, on the host."""
    for _ in range(300):
        if container.poll() is not None:
            break
        for child in (
            Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
        ):
            if is_first(Path(f"/proc/{child}")):
                return int(child)
        time.sleep(0.1)
    raise CannotBoot(f"systemd-nspawn cannot boot here: {log.read_text(errors='replace')[-500:]}")


def is_first(process: Path) -> bool:
    """Tell whether it is systemd already, not what nspawn is before it."""
    try:
        return (process / "comm").read_text().strip() == "systemd"
    except OSError:
        return False


def wait_until_up(machine: Debian, log: Path) -> None:
    for _ in range(40):
        if machine.run("systemctl is-system-running", check=False).strip() in {
            "running",
            "degraded",
        }:
            return
        time.sleep(0.5)
    state = machine.run("systemctl is-system-running; systemctl list-jobs", check=False)
    raise CannotBoot(
        f"the machine does not come up: {state} {log.read_text(errors='replace')[-1000:]}"
    )


def end(container: subprocess.Popen[bytes]) -> None:
    """Power off, then end it in any case: a machine outlives the nspawn that was killed."""
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    first = children.read_text().split() if container.poll() is None else []
    container.send_signal(signal.SIGTERM)
    try:
        container.wait(timeout=300)
    except subprocess.TimeoutExpired:
        for child in first:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        container.kill()
        container.wait()
