"""Debian's Postfix with OpenDKIM under the same load: a private instance on loopback, tuned for
throughput.

What differs from our run, each time in its favour: no AUTH (the generator's network is trusted,
where we check a credential for each session), no portal, no suppressions, no record of deliveries
but the log. TLS, kept-open sessions, RSA-2048, fsync before 250, routes from a table and plain SMTP
to the sink are the same.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench import accounts, notes, report
from bench.stage import (
    BenchError,
    Options,
    free_port,
    hosts_of,
    on_cores,
    plan_of,
    running_sink,
    submit,
)

TITLE = "Postfix and OpenDKIM"
NEEDED = ("/usr/sbin/postfix", "/usr/sbin/opendkim", "openssl")

# After https://www.postfix.org/TUNING_README.html: as many processes as there are sessions, no
# throttling of clients or input, 20 deliveries at once to each host over kept connections.
MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/lib
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = relay.bench.invalid
inet_protocols = ipv4
inet_interfaces = 127.0.0.1
mynetworks = 127.0.0.0/8
mydestination =
local_recipient_maps =
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_cert_file = {folder}/cert.pem
smtpd_tls_key_file = {folder}/key.pem
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtp_tls_security_level = none
smtp_host_lookup = native
smtp_destination_concurrency_limit = 20
initial_destination_concurrency = 20
smtp_connection_cache_on_demand = yes
smtp_connection_reuse_count_limit = 0
default_process_limit = 200
in_flow_delay = 0
qmgr_message_active_limit = 60000
transport_maps = inline:{{ {transports} }}
smtpd_milters = {milter}
milter_default_action = tempfail
"""
MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
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
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
OPENDKIM = """
Domain sender.test
Selector bench
KeyFile {folder}/dkim.pem
Socket local:{folder}/milter
UMask 000
Canonicalization relaxed/simple
Mode s
UserID root
RequireSafeKeys no
Syslog no
"""


def measure(folder: Path, options: Options, say: Callable[[str], object]) -> report.PeerResult:
    """Measure what the peer does with the same messages; raise `BenchError`."""
    missing = [name for name in NEEDED if not shutil.which(name)] or (
        [] if os.getuid() == 0 else ["root's rights, which Postfix starts with"]
    )
    if missing:
        raise BenchError(
            f"{TITLE} cannot be measured here; missing: {', '.join(missing)} (apt-get install "
            "postfix opendkim)"
        )
    hosts, port = hosts_of(options), free_port("127.0.0.1")
    sink_port, came, sent = (
        free_port(*hosts),
        folder / "peer-arrivals.json",
        folder / "peer-submissions.json",
    )
    with _running(folder / "postfix", hosts, options, port=port, sink=sink_port) as pids:
        say("Submitting the same to it")
        with on_cores(options, of_relay=False), running_sink(sink_port, hosts, came, folder):
            before = accounts.cpu_seconds(pids)
            submissions = submit(plan_of(options, port=port), sent)
            ended = _until_empty(folder / "postfix" / "queue", options.patience)
            after = accounts.cpu_seconds(pids)
    arrivals = notes.read_arrivals(came)
    amount = len(submissions.accepted)
    cpu = {kind: (after[kind] - before[kind]) * 1000 / amount for kind in after}
    last = max((max(times) for times in arrivals.arrivals.values()), default=ended)
    return report.PeerResult(
        name=TITLE if options.is_signed else "Postfix",
        messages=amount,
        lost=len(submissions.accepted.keys() - arrivals.arrivals.keys()),
        unsigned=arrivals.facts["unsigned"],
        rate=amount / ((last - min(submissions.sent.values())) / report.SECOND),
        cpu=cpu,
        cpu_total=sum(cpu.values()),
    )


@contextmanager
def _running(
    folder: Path, hosts: list[str], options: Options, *, port: int, sink: int
) -> Iterator[dict[str, list[int]]]:
    """Run the peer while the block runs, and yield its processes by kind."""
    for name in ("queue", "lib"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "lib", "postfix")
    transports = ", ".join(
        f"{{ d{number}.test = smtp:[{host}]:{sink} }}" for number, host in enumerate(hosts, start=1)
    )
    given = {
        "folder": folder,
        "port": port,
        "transports": transports,
        "milter": f"unix:{folder}/milter" if options.is_signed else "",
    }
    (folder / "main.cf").write_text(MAIN_CF.format(**given))
    (folder / "master.cf").write_text(MASTER_CF.format(**given))
    _certificate(folder)
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        with open(folder / "out", "wb") as out, on_cores(options, of_relay=True):
            if options.is_signed:
                (folder / "dkim.pem").write_bytes(_key())
                (folder / "opendkim.conf").write_text(OPENDKIM.format(folder=folder))
                started["opendkim"] = _started(
                    ["/usr/sbin/opendkim", "-f", "-x", str(folder / "opendkim.conf")], out
                )
            started["postfix"] = _started(["/usr/sbin/postfix", "-c", str(folder), "start-fg"], out)
        _until_up(port, folder)
        yield {kind: [process.pid] for kind, process in started.items()}
    finally:
        # `start-fg` is a shell that waits for Postfix's master, and which a signal ends alone.
        subprocess.run(  # noqa: S603
            ["/usr/sbin/postfix", "-c", str(folder), "stop"], capture_output=True, check=False
        )
        for process in started.values():
            process.terminate()
            process.wait(30)


def _started(command: list[str], out: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=out, stderr=out)  # noqa: S603  (Debian's programs)


def _until_up(port: int, folder: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            if probe.recv(100).startswith(b"220"):
                return
        time.sleep(0.1)
    log = folder / "log"
    said = log.read_text(errors="replace")[-500:] if log.exists() else ""
    raise BenchError(f"{TITLE} did not come up: {said}")


def _until_empty(queue: Path, patience: float) -> int:
    """Wait until nothing is left in the queue; return when that was, in ns."""
    until = time.monotonic() + patience
    folders = [queue / name for name in ("incoming", "active", "deferred")]
    while any(path.is_file() for folder in folders for path in folder.rglob("*")):
        if time.monotonic() > until:
            raise BenchError(f"After {patience:.0f} s there is still mail in the queue of {TITLE}.")
        time.sleep(0.2)
    return time.monotonic_ns()


def _key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def _certificate(folder: Path) -> None:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=relay.bench.invalid",
    ]
    subprocess.run(  # noqa: S603
        [*command, "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        check=True,
        capture_output=True,
    )
