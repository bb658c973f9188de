"""Debian's Postfix and Exim as MX hosts and as smarthost clients of ours, each with a
configuration and a queue of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

import pytest

from tests.fakes.certificates import self_signed
from tests.journeys.rig import HOSTNAME, Process, Rig, answers, wait_until

# Where .ci/peers puts what cannot be installed beside the others.
FOLDER = Path(os.environ.get("EKIDEN_PEERS", "/var/cache/ekiden-peers"))
NODEMAILER = FOLDER / "usr/share/nodejs/nodemailer"
OPENID_PROVIDER = FOLDER / "openid/node_modules/oidc-provider"
EXIM = FOLDER / "usr/sbin/exim4"


def need(*things: str | Path) -> None:
    """Skip, and say plainly what is missing; in CI a missing peer is a failure."""
    missing = (
        [str(target) for target in things if not shutil.which(target)]
        if os.getuid() == 0
        else ["root's rights"]
    )
    _complain([target for target in missing if not Path(target).is_dir()])


def need_files(*files: Path) -> None:
    """Skip where a file is missing, as for programs."""
    _complain([str(file) for file in files if not file.exists()])


def _complain(missing: list[str]) -> None:
    if missing:
        text = f"not here: {', '.join(missing)} (see .ci/apt-packages and .ci/peers)"
        pytest.fail(text) if os.environ.get("CI") == "true" else pytest.skip(text)


class MailServer:
    """A server with a Maildir for all local parts that begin with `box`; any other is an unknown
    user.
    """

    account = ("nobody", "nogroup")  # owns the Maildir

    def __init__(self, address: str, port: int, domain: str) -> None:
        self.address, self.port, self.domain = address, port, domain
        self.folder = Path(tempfile.mkdtemp(prefix="ekiden-peer-"))
        self.folder.chmod(0o755)
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        shutil.chown(self.mail, *self.account)
        self_signed(self.folder, f"mx.{domain}")
        [self.certificate] = self.folder.glob("*.pem")
        self.process: Process | None = None

    def start(self, rig: Rig) -> None:
        self.process = Process(self.command(rig), env=dict(os.environ), log=self.folder / "log")
        self.process.start()
        wait_until(
            lambda: answers(self.address, self.port), f"{self.domain} answers {self.words()}"
        )

    def words(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-1000:]

    def command(self, rig: Rig) -> list[str]:
        """Write the configuration; how the server is run in the foreground."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def boxed(self, token: bytes) -> list[bytes]:
        """Return all arrived messages that hold this token, lines ending in CRLF as they were on
        the wire.
        """
        found = [path.read_bytes() for path in sorted(self.mail.rglob("new/*"))]
        return [mail.replace(b"\n", b"\r\n") for mail in found if token in mail]

    def wait_for(self, token: bytes, count: int = 1) -> Any:
        try:
            return wait_until(
                lambda: len(found := self.boxed(token)) >= count and found,
                f"{count} mails at {self.domain}",
            )
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.words()}") from error


MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/lib
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = mx.{domain}
inet_protocols = ipv4
inet_interfaces = loopback-only
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
smtpd_discard_ehlo_keywords = chunking, silent-discard
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {certificate}
smtpd_tls_loglevel = 1
smtp_tls_security_level = may
smtp_tls_policy_maps = inline:{{ {{ [127.0.0.1]:{submission} = encrypt }} }}
smtp_sasl_auth_enable = yes
smtp_sasl_security_options = noanonymous
smtp_sasl_password_maps = inline:{{ {{ [127.0.0.1]:{submission} = {username}:{password} }} }}
relayhost = [127.0.0.1]:{submission}
transport_maps = inline:{{ {{ {hostname} = smtp:[127.0.0.1]:{mx} }} }}
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = regexp:{folder}/boxes
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_alias_maps = inline:{{ {{ late@{domain} = late@local.{domain} }} }}
mydestination = local.{domain}
alias_maps = texthash:{folder}/aliases
alias_database =
"""
MASTER_CF = """
{address}:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(MailServer):
    """`late@` of its domain is accepted, and bounces only at its mailbox.

    No CHUNKING: Exim stands for those that offer it.
    """

    def command(self, rig: Rig) -> list[str]:
        given = facts(self, rig)
        for name in ("queue", "lib"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "lib", "postfix")
        (self.folder / "main.cf").write_text(MAIN_CF.format(**given))
        (self.folder / "master.cf").write_text(MASTER_CF.format(**given))
        (self.folder / "boxes").write_text("/^box/ box/\n")
        (self.folder / "aliases").write_text('late "|exit 67"\n')
        return ["/usr/sbin/postfix", "-c", str(self.folder), "start-fg"]

    def __exit__(self, *_: object) -> None:
        subprocess.run(["/usr/sbin/postfix", "-c", str(self.folder), "stop"], capture_output=True)
        super().__exit__()


EXIM_CONF = """
exim_path = {exim}
primary_hostname = mx.{domain}
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%slog
pid_file_path = {folder}/spool/pid
local_interfaces = {address}
daemon_smtp_ports = {port}
chunking_advertise_hosts = *
smtputf8_advertise_hosts = *
tls_advertise_hosts = *
tls_certificate = {certificate}
acl_smtp_rcpt = rcpt
rfc1413_query_timeout = 0s
# Else the eleventh mail of a connection, which our couriers keep open, would wait for a queue run.
smtp_accept_queue_per_connection = 0
keep_environment =
begin acl
rcpt:
  accept domains = {domain}
         local_parts = ^box
  deny   domains = {domain}
         message = 5.1.1 no such user here
  accept hosts = 127.0.0.0/8
begin routers
boxes:
  driver = accept
  domains = {domain}
  transport = box
relay:
  driver = manualroute
  domains = {hostname}
  route_list = * 127.0.0.1::{mx} byname
  self = send
  transport = back
smarthost:
  driver = manualroute
  route_list = * 127.0.0.1::{submissions} byname
  self = send
  transport = smarthost
begin transports
box:
  driver = appendfile
  directory = {folder}/mail/box
  maildir_format
  envelope_to_add
  user = Debian-exim
  group = Debian-exim
back:
  driver = smtp
smarthost:
  driver = smtp
  protocol = smtps
  hosts_require_auth = *
  hosts_require_tls = *
  tls_try_verify_hosts = :
  message_linelength_limit = 100000
begin retry
* * F,1h,1m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^{username}^{password}
"""


class Exim(MailServer):
    """Run from where .ci/peers unpacked it; with a configuration not its own it gives up root
    before it delivers.
    """

    account = ("Debian-exim", "Debian-exim")

    def command(self, rig: Rig) -> list[str]:
        (self.folder / "spool").mkdir()
        shutil.chown(self.folder / "spool", *self.account)
        (self.folder / "exim.conf").write_text(EXIM_CONF.format(**facts(self, rig)))
        self.certificate.chmod(0o644)
        return [str(EXIM), "-C", str(self.folder / "exim.conf"), "-bdf", "-q1m"]

    def words(self) -> str:
        log = self.folder / "spool" / "mainlog"
        return super().words() + (log.read_text()[-2000:] if log.exists() else "")


def facts(server: MailServer, rig: Rig) -> dict[str, object]:
    return {
        "folder": server.folder, "address": server.address, "port": server.port,
        "domain": server.domain, "hostname": HOSTNAME,
        "certificate": server.certificate, "mx": rig.mx, "submission": rig.submission,
        "submissions": rig.submissions,
        "username": rig.login[0], "password": rig.login[1], "exim": EXIM,
    }  # fmt: skip
