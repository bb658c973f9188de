"""Debian's Postfix with Dovecot's SASL as a smarthost on loopback: PLAIN, LOGIN, and tokens that an
authorization server vouches for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from tests.fakes.certificates import Authority
from tests.journeys.processes import Process, answers, wait_until
from tests.ports import free_port

USERNAME, PASSWORD = "relay@shop.test", "a secret with blanks, = and ä"
NAME, OTHER = "smart.test", "other.test"

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/lib
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = {name}
inet_protocols = ipv4
mynetworks =
smtpd_peername_lookup = no
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{sasl}
smtpd_sasl_security_options = noanonymous
smtpd_tls_auth_only = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {certificate}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_error_sleep_time = 0
smtpd_junk_command_limit = 1000
smtpd_hard_error_limit = 1000
virtual_mailbox_domains = mx.test, relay.test, shop.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = regexp:{folder}/boxes
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_alias_maps = inline:{{ {{ late@mx.test = late@local.test }} }}
mydestination = local.test
alias_maps = texthash:{folder}/aliases
alias_database =
message_size_limit = 20000000
"""
MASTER_CF = """
{address}:{port} inet n - n - - smtpd
{address}:{smtps} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
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
DOVECOT_CONF = """
base_dir = {folder}/dovecot
state_dir = {folder}/dovecot-state
log_path = {folder}/dovecot.log
auth_verbose = yes
ssl = no
protocols =
default_internal_user = dovecot
default_login_user = dovenull
auth_mechanisms = plain login{mechanisms}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {sasl}
  }}
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = scheme=PLAIN {folder}/users
}}
{by_token}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
"""
BY_TOKEN = """
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}
"""
OAUTH2_CONF = """
introspection_url = {introspection}
introspection_mode = auth
active_attribute = active
active_value = true
username_attribute = username
timeout_msecs = 5000
"""


def missing() -> list[str]:
    """List what is not installed here."""
    wanted = ["/usr/sbin/postfix", "/usr/sbin/dovecot"]
    absent = [path for path in wanted if not Path(path).exists()]
    return absent if os.getuid() == 0 else ["root's rights"]


class RealSmarthost:
    """One Postfix with its Dovecot. Local parts that begin with `box` have a Maildir, `late@` is
    accepted and bounces afterwards.
    """

    def __init__(
        self, authority: Authority, *, address: str = "127.0.0.1", port: int = 0,
        introspection: str = "",
    ) -> None:  # fmt: skip
        self.address = address
        self.port, self.smtps, self.sasl = port or free_port(address), free_port(), free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="ekiden-smarthost-"))
        self.folder.chmod(0o755)
        self._authority = authority
        self._introspection = introspection
        self._processes: list[Process] = []

    def __enter__(self) -> Self:
        folder = self.folder
        for name in ("queue", "lib", "mail", "dovecot", "dovecot-state"):
            (folder / name).mkdir()
        shutil.chown(folder / "lib", "postfix")
        shutil.chown(folder / "mail", "nobody", "nogroup")
        given: dict[str, Any] = {
            "folder": folder, "address": self.address, "port": self.port, "smtps": self.smtps,
            "sasl": self.sasl, "name": NAME, "certificate": self._certificate(),
            "introspection": self._introspection,
            "mechanisms": " xoauth2 oauthbearer" if self._introspection else "",
        }  # fmt: skip
        given["by_token"] = BY_TOKEN.format(**given) if self._introspection else ""
        (folder / "main.cf").write_text(MAIN_CF.format(**given))
        (folder / "master.cf").write_text(MASTER_CF.format(**given))
        (folder / "dovecot.conf").write_text(DOVECOT_CONF.format(**given))
        (folder / "oauth2.conf").write_text(OAUTH2_CONF.format(**given))
        (folder / "users").write_text(f"{USERNAME}:{{PLAIN}}{PASSWORD}::::::\n")
        (folder / "boxes").write_text("/^(box|b-)/ box/\n")
        (folder / "aliases").write_text('late "|exit 67"\n')
        try:
            self._run("dovecot", ["/usr/sbin/dovecot", "-F", "-c", str(folder / "dovecot.conf")])
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self) -> None:
        self._postfix = self._run(
            "postfix", ["/usr/sbin/postfix", "-c", str(self.folder), "start-fg"]
        )
        wait_until(lambda: answers(self.address, self.port), f"Postfix answers {self.words()}")

    def stop(self) -> None:
        subprocess.run(["/usr/sbin/postfix", "-c", str(self.folder), "stop"], capture_output=True)
        self._postfix.stop()

    def __exit__(self, *_: object) -> None:
        subprocess.run(["/usr/sbin/postfix", "-c", str(self.folder), "stop"], capture_output=True)
        for process in reversed(self._processes):
            process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, name: str, command: list[str]) -> Process:
        process = Process(command, env=dict(os.environ), log=self.folder / f"{name}.out")
        process.start()
        self._processes.append(process)
        return process

    def _certificate(self) -> Path:
        path = self._authority.server_file(NAME, OTHER)
        copy = self.folder / "certificate.pem"
        copy.write_bytes(path.read_bytes())
        return copy

    def words(self) -> str:
        logs = ("postfix.out", "log", "dovecot.out", "dovecot.log")
        found = [self.folder / name for name in logs]
        return "\n".join(
            path.read_text(errors="replace")[-1500:] for path in found if path.exists()
        )

    def boxed(self) -> list[bytes]:
        """Return all messages that have arrived in the Maildir, oldest first."""
        found = sorted(self.mail.rglob("new/*"), key=lambda path: path.stat().st_mtime)
        return [path.read_bytes() for path in found]

    def wait_for(self, words: bytes) -> list[bytes]:
        """Return the messages that hold these words, once there is one."""
        found: list[bytes] = wait_until(
            lambda: [mail for mail in self.boxed() if words in mail], f"{words!r} {self.words()}"
        )
        return found

    @property
    def mail(self) -> Path:
        return self.folder / "mail"
