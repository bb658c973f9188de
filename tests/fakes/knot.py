"""A real name server (Knot DNS) of one zone on loopback, which takes dynamic updates.

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
    listen: 127.0.0.1@{port}
    rundir: {folder}
    pidfile: {folder}/knot.pid
database:
    storage: {folder}
log:
  - target: stderr
    any: error
acl:
  - id: anybody
    address: 127.0.0.1
    action: [update]
zone:
  - domain: {zone}
    storage: {folder}
    file: zone
    acl: anybody
"""
PROGRAM = shutil.which("knotd", path="/usr/sbin:/usr/bin")


class Knot:
    def __init__(self, zone: str) -> None:
        self.zone = zone
        self.port = free_port()
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
        return f"127.0.0.1:{self.port}"

    def load(self, text: str) -> None:
        """Begin anew with this zone file."""
        self._stop()
        for each in ("journal", "timers", "catalog"):
            shutil.rmtree(self.folder / each, ignore_errors=True)
        (self.folder / "zone").write_text(text, encoding="utf-8")
        settings = CONFIG.format(port=self.port, folder=self.folder, zone=self.zone)
        (self.folder / "knot.conf").write_text(settings, encoding="utf-8")
        assert PROGRAM is not None
        command = [PROGRAM, "-c", str(self.folder / "knot.conf")]
        self._process = subprocess.Popen(command)
        self._wait()

    def add(self, name: str, kind: str, *values: str, ttl: int = 60) -> None:
        """Put records there beside those that are there."""
        update = dns.update.UpdateMessage(self.zone)
        for value in values:
            update.add(dns.name.from_text(name), ttl, kind, value)
        self._send(update)

    def put(self, name: str, kind: str, *values: str) -> None:
        """Put records there in place of all that are there."""
        self.remove(name)
        self.add(name, kind, *values)

    def remove(self, name: str) -> None:
        update = dns.update.UpdateMessage(self.zone)
        update.delete(dns.name.from_text(name))
        self._send(update)

    def _send(self, update: dns.update.UpdateMessage) -> None:
        answer = dns.query.tcp(update, "127.0.0.1", port=self.port, timeout=10)
        assert answer.rcode() == dns.rcode.NOERROR, dns.rcode.to_text(answer.rcode())

    def _wait(self) -> None:
        question = dns.message.make_query(self.zone, "SOA")
        for _ in range(200):
            try:
                answer = dns.query.udp(question, "127.0.0.1", port=self.port, timeout=0.5)
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
