"""The same mail handed in by the clients that apps use, over STARTTLS and over implicit TLS."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.journeys import peers
from tests.journeys.compiled import by_go, by_javamail
from tests.journeys.rig import Rig

NODE_SCRIPT = """
const [file, sender, recipients, port, secure, user, pass] = JSON.parse(process.env.MAIL);
require(process.env.NODEMAILER).createTransport({
    host: "127.0.0.1", port, secure, requireTLS: !secure, auth: {user, pass},
    tls: {rejectUnauthorized: false},
}).sendMail({envelope: {from: sender, to: recipients}, raw: require("fs").readFileSync(file)})
    .then(info => console.log(info.response), error => { console.error(error); process.exit(1); });
"""
MSMTP_CONF = """
account default
host 127.0.0.1
port {port}
tls on
tls_starttls {starttls}
tls_certcheck off
auth plain
user {username}
password {password}
"""
Client = Callable[[Rig, Path, str, list[str], bool], None]


def by_smtplib(
    rig: Rig, file: Path, sender: str, recipients: list[str], implicit_tls: bool
) -> None:
    with rig.client(implicit_tls=implicit_tls) as client:
        client.sendmail(sender, recipients, file.read_bytes(), ["BODY=8BITMIME"])


def by_swaks(rig: Rig, file: Path, sender: str, recipients: list[str], implicit_tls: bool) -> None:
    peers.need("swaks")
    port, tls = (rig.submissions, "--tls-on-connect") if implicit_tls else (rig.submission, "--tls")
    username, password = rig.login
    data = file.with_suffix(".swaks")
    data.write_bytes(
        file.read_bytes().removesuffix(b"\r\n")
    )  # swaks always puts one before its final dot
    run(
        "swaks", "--server", f"127.0.0.1:{port}", tls, "--auth", "LOGIN", "--auth-user", username,
        "--auth-password", password,
        "--from", sender, "--to", ",".join(recipients), "--data", f"@{data}",
    )  # fmt: skip


def by_msmtp(rig: Rig, file: Path, sender: str, recipients: list[str], implicit_tls: bool) -> None:
    peers.need("msmtp")
    username, password = rig.login
    port, starttls = (rig.submissions, "off") if implicit_tls else (rig.submission, "on")
    conf = file.with_suffix(".msmtprc")
    conf.write_text(
        MSMTP_CONF.format(port=port, starttls=starttls, username=username, password=password)
    )
    conf.chmod(0o600)
    lines = file.read_bytes().replace(
        b"\r\n", b"\n"
    )  # as any program hands mail to a sendmail command
    run("msmtp", "-C", str(conf), "-f", sender, "--", *recipients, given=lines)


def by_nodemailer(
    rig: Rig, file: Path, sender: str, recipients: list[str], implicit_tls: bool
) -> None:
    peers.need("node", peers.NODEMAILER)
    port = rig.submissions if implicit_tls else rig.submission
    mail = json.dumps([str(file), sender, recipients, port, implicit_tls, *rig.login])
    run("node", "-e", NODE_SCRIPT, env={"MAIL": mail, "NODEMAILER": str(peers.NODEMAILER)})


CLIENTS: dict[str, Client] = {
    "smtplib": by_smtplib, "swaks": by_swaks, "msmtp": by_msmtp, "nodemailer": by_nodemailer,
    "go": by_go,
    "javamail": by_javamail,
}  # fmt: skip


def run(*command: str, given: bytes = b"", env: dict[str, str] | None = None) -> bytes:
    done = subprocess.run(
        command, input=given, env=os.environ | (env or {}), capture_output=True, timeout=300
    )
    assert done.returncode == 0, (
        f"{command[0]}: "
        f"{done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}"
    )
    return done.stdout
