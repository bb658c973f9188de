"""Clients in languages that are compiled: Go's net/smtp, JavaMail and .NET's System.Net.Mail.

Built once for a run, where the tools are installed.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.journeys import peers
from tests.journeys.rig import Rig

SOURCES = Path(__file__).parent
JARS = [Path("/usr/share/java") / name for name in ("javax.mail.jar", "javax.activation.jar")]
ECJ = Path("/usr/share/java/ecj.jar")  # Eclipse's compiler: Java's own is fifty times as large


@cache
def folder() -> Path:
    """Return where the built clients are, until the test run ends."""
    made = Path(tempfile.mkdtemp(prefix="ekiden-clients-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def run(*command: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=os.environ | (env or {}), capture_output=True, timeout=300)
    assert done.returncode == 0, (
        f"{command[0]}: {(done.stdout + done.stderr).decode(errors='replace')}"
    )


@cache
def go_client() -> str:
    peers.need("go")
    built = folder() / "submit"
    env = {
        "GOCACHE": str(folder() / "cache"),
        "GOFLAGS": "-mod=mod",
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
    }
    run("go", "build", "-o", str(built), str(SOURCES / "submit.go"), env=env)
    return str(built)


@cache
def java_client(name: str) -> tuple[str, ...]:
    """Return the command that runs this class."""
    peers.need("java")
    peers.need_files(*JARS, ECJ)
    path = ":".join(map(str, JARS))
    compiler = ("java", "-cp", str(ECJ), "org.eclipse.jdt.internal.compiler.batch.Main")
    run(
        *compiler,
        "-source",
        "11",
        "-target",
        "11",
        "-cp",
        path,
        "-d",
        str(folder()),
        str(SOURCES / f"{name}.java"),
    )
    return ("java", "-XX:TieredStopAtLevel=1", "-cp", f"{path}:{folder()}", name)


@cache
def dotnet_client() -> tuple[str, ...]:
    """Return the command that runs Submit.cs, by Mono: Debian has no other .NET."""
    peers.need("mcs", "mono")
    built = folder() / "Submit.exe"
    run("mcs", "-nowarn:618", "-r:System", f"-out:{built}", str(SOURCES / "Submit.cs"))
    return ("mono", str(built))


def described(
    rig: Rig, file: Path, sender: str, recipients: list[str], *, implicit_tls: bool
) -> str:
    """Describe the mail as submit.go wants it in MAIL."""
    username, password = rig.login
    port = rig.submissions if implicit_tls else rig.submission
    mail = {
        "File": str(file),
        "Sender": sender,
        "Recipients": recipients,
        "Implicit": implicit_tls,
        "Port": port,
    }
    return json.dumps(mail | {"Username": username, "Password": password})


def by_go(rig: Rig, file: Path, sender: str, recipients: list[str], implicit_tls: bool) -> None:
    run(
        go_client(),
        env={"MAIL": described(rig, file, sender, recipients, implicit_tls=implicit_tls)},
    )


def by_javamail(
    rig: Rig, file: Path, sender: str, recipients: list[str], implicit_tls: bool
) -> None:
    port, tls = (rig.submissions, "tls") if implicit_tls else (rig.submission, "starttls")
    run(*java_client("Submit"), str(file), sender, str(port), tls, *rig.login, *recipients)
