"""A real name server (Knot DNS) on loopback, of one zone or more, which takes dynamic updates.

with Knot("shop.test") as knot:
    knot.load(text)
    knot.add("_dmarc.shop.test", "TXT", '"v=DMARC1"')
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.update

from tests.ports import free_port

EMPTY = """$ORIGIN {zone}.
$TTL 60
@ IN SOA ns1.{zone}. hostmaster.{zone}. 1 3600 900 1209600 60
@ IN NS ns1.{zone}.
ns1.{zone}. IN A 127.0.0.1
"""
CONFIG = """server:
    listen: {address}@{port}
    rundir: {folder}
    pidfile: {folder}/knot.pid
database:
    storage: {folder}
log:
  - target: stderr
    any: error
{key}
acl:
  - id: anybody
    address: 127.0.0.0/8
    action: [update]
    {signed}
zone:
"""
ZONE = """
  - domain: {zone}
    storage: {folder}
    file: {zone}.zone
    acl: anybody
"""
KEY = """
key:
  - id: {name}
    algorithm: {algorithm}
    secret: {secret}
"""
PROGRAM = shutil.which("knotd", path="/usr/sbin:/usr/bin")


class Knot:
    """`also` are other zones; `key` is (name, algorithm, secret in base64) of TSIG, without which
    it then takes no update.
    """

    def __init__(
        self, zone: str, *also: str, place: tuple[str, int] | None = None,
        key: tuple[str, str, str] | None = None,
    ) -> None:  # fmt: skip
        self.zone = zone
        self.also = also
        self.address, self.port = place or ("127.0.0.1", free_port())
        self.key = key
        self.folder = Path(tempfile.mkdtemp(prefix="ekiden-knot-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.load(EMPTY.format(zone=self.zone))
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        shutil.rmtree(self.folder)

    @property
    def url(self) -> str:
        """As the EKIDEN_DNS setting wants it."""
        return f"{self.address}:{self.port}"

    def load(self, text: str) -> None:
        """Begin anew with this zone file."""
        self._stop()
        for each in ("journal", "timers", "catalog"):
            shutil.rmtree(self.folder / each, ignore_errors=True)
        texts = {self.zone: text} | {zone: EMPTY.format(zone=zone) for zone in self.also}
        (self.folder / "knot.conf").write_text(self._settings(), encoding="utf-8")
        for zone, each in texts.items():
            (self.folder / f"{zone}.zone").write_text(each, encoding="utf-8")
        assert PROGRAM is not None
        command = [PROGRAM, "-c", str(self.folder / "knot.conf")]
        self._process = subprocess.Popen(command)
        self._wait()

    def _settings(self) -> str:
        name, algorithm, secret = self.key or ("", "", "")
        given = {"name": name, "algorithm": algorithm, "secret": secret}
        head = CONFIG.format(
            address=self.address, port=self.port, folder=self.folder,
            key=KEY.format(**given) if self.key else "", signed=f"key: {name}" if self.key else "",
        )  # fmt: skip
        zones = (self.zone, *self.also)
        return head + "".join(ZONE.format(zone=each, folder=self.folder) for each in zones)

    def add(self, name: str, kind: str, *values: str, ttl: int = 60) -> None:
        """Put records there beside those that are there."""
        update = self._update(name)
        for value in values:
            update.add(dns.name.from_text(name), ttl, kind, value)
        self._send(update)

    def put(self, name: str, kind: str, *values: str) -> None:
        """Put records there in place of all that are there."""
        self.remove(name)
        self.add(name, kind, *values)

    def remove(self, name: str) -> None:
        update = self._update(name)
        update.delete(dns.name.from_text(name))
        self._send(update)

    def _update(self, name: str) -> dns.update.UpdateMessage:
        zones = [each for each in (self.zone, *self.also) if f".{name}".endswith(f".{each}")]
        return dns.update.UpdateMessage(max(zones, key=len, default=self.zone))

    def _send(self, update: dns.update.UpdateMessage) -> None:
        answer = dns.query.tcp(update, self.address, port=self.port, timeout=10)
        assert answer.rcode() == dns.rcode.NOERROR, dns.rcode.to_text(answer.rcode())

    def _wait(self) -> None:
        question = dns.message.make_query(self.zone, "SOA")
        for _ in range(200):
            try:
                answer = dns.query.udp(question, self.address, port=self.port, timeout=0.5)
            except (dns.exception.Timeout, OSError):
                answer = None
            if answer is not None and answer.answer:
                return
            time.sleep(0.05)
        raise RuntimeError("knotd serves nothing")

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
