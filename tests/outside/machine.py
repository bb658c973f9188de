"""A Debian with systemd in a container, on which Ekiden is installed as docs/operations.md says."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from tests.outside import debian, handbook

ROOT = debian.ROOT
ADMINISTRATOR = "alice"
PASSWORD = "0dd-Wörds"  # in the URL it is percent-encoded


SERVICES = (
    "ekiden-scheduler", "ekiden-maintenance", "ekiden-portal", "ekiden-sandbox", "ekiden-worker@1",
    "ekiden-worker@2",
    "ekiden-listener@1", "ekiden-listener@2",
)  # fmt: skip


# What the administrator does in his editor: `sudo editor /etc/ekiden/ekiden.env`.
EDITOR = """#!/bin/sh
exec sed -i \\
    -e 's|^DATABASE_URL=.*|DATABASE_URL=postgres://ekiden:0dd-W%C3%B6rds@127.0.0.1:5432/ekiden\
?sslmode=require|' \\
    -e 's|^REDIS_URL=.*|REDIS_URL=unix:///run/redis/redis-server.sock?db=0|' "$1"
"""

# Each command that fails says so, and the next is typed.
SHOW_FAILURES = "trap 'echo \"FAILED $? $BASH_COMMAND\"' ERR\n"


class Machine:
    """The Debian machine, with its administrator."""

    def __init__(self, system: debian.Debian) -> None:
        self.system = system
        self.secrets = ""

    def type(self, text: str, *, seconds: float = 300, at_a_terminal: bool = False) -> str:
        """Type this in; return what the administrator sees. No command may fail.

        Secrets are shown at a terminal only.
        """
        typed = SHOW_FAILURES + text
        if at_a_terminal:
            typed = (
                f"script --quiet --command {shlex.quote(f'bash -lc {shlex.quote(typed)}')} "
                "/dev/null"
            )
        seen = self.system.run(typed, account=ADMINISTRATOR, seconds=seconds, check=False)
        assert "FAILED" not in seen, seen
        return seen

    def ask(self, text: str) -> str:
        return self.system.run(text).strip()

    def show(self, unit: str, name: str) -> str:
        return self.ask(f"systemctl show --value --property={name} {unit}")

    def is_up(self, unit: str) -> bool:
        return self.show(unit, "SubState") == "running"

    def entries(self, *options: str) -> list[dict]:
        """Return the entries of the journal that our processes wrote."""
        text = self.ask(
            f"journalctl --output=json --no-pager {' '.join(options)} _UID=$(id -u ekiden)"
        )
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    @property
    def login(self) -> tuple[str, str]:
        user, secret = (
            re.search(rf"SMTP {name} +(\S+)", self.secrets)[1] for name in ("user name", "secret")
        )
        return user, secret


def repository(where: Path) -> None:
    """Commit the tree as it lies on the disk."""
    where.mkdir()
    git = ["git", "-C", str(where), "-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"],
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (where / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, where / name)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "As it is"], check=True)
    for path in (where, *where.rglob("*")):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))


def prepare(machine: Machine) -> None:
    """Prepare what the documentation takes for granted: an administrator, packages within reach, a
    certificate.
    """
    machine.system.write(
        "/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {debian.HOSTNAME}\n"
    )
    machine.ask(f"hostname {debian.HOSTNAME} && echo {debian.HOSTNAME} >/etc/hostname")
    machine.ask(f"useradd --create-home --shell /bin/bash {ADMINISTRATOR}")
    machine.system.write(
        f"/etc/sudoers.d/{ADMINISTRATOR}", f"{ADMINISTRATOR} ALL=(ALL) NOPASSWD: ALL\n", mode="440"
    )
    machine.system.write(
        "/etc/pip.conf", f"[global]\nno-index = true\nfind-links = {debian.WHEELS}\n"
    )
    machine.system.write("/usr/local/bin/editor", EDITOR, mode="755")
    machine.ask("git config --system --add safe.directory '*' && cp -r /srv/clone /srv/ekiden")
    machine.system.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout privkey.pem -out fullchain.pem -days "
        "90 -subj /CN=relay.example.com "
        "-addext subjectAltName=DNS:relay.example.com 2>&1",
        account=ADMINISTRATOR,
    )


def install(machine: Machine) -> None:
    first, *rest = handbook.blocks("## Install")
    machine.type(first.replace("REPOSITORY", "/srv/ekiden"))
    for text in rest:
        if text.startswith("CREATE ROLE"):
            machine.type(
                "sudo -u postgres psql --quiet -v ON_ERROR_STOP=1 <<'END'\n"
                f"{text.replace('…', PASSWORD)}END\n"
            )
        elif text.startswith("ekiden()"):
            machine.system.run(f"cat >>~/.profile <<'END'\n{text}END\n", account=ADMINISTRATOR)
        elif "ekiden setup" in text:
            machine.secrets = machine.type(text, at_a_terminal=True)
        else:
            machine.type(text)
