"""Brings the service up as `ekiden up` does, in a folder and on ports of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from bench import names
from bench.service import DEEP_HOST, Service
from bench.stage import ROOT, BenchError, Options, free_port, hosts_of, on_cores

PORTS = ("SUBMISSION", "SUBMISSIONS", "MX", "PORTAL", "SANDBOX")


@contextmanager
def running_service(folder: Path, options: Options) -> Iterator[Service]:
    ours = ("EKIDEN_", "DATABASE_URL", "REDIS_URL")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    env |= {f"EKIDEN_{name}_PORT": str(free_port("127.0.0.1")) for name in PORTS}
    env |= {
        "EKIDEN_DATA": str(folder / "data"),
        "EKIDEN_HOSTNAME": "relay.bench.invalid",
        "EKIDEN_LISTENERS": str(options.listeners),
        "EKIDEN_WORKERS": str(options.workers),
    }
    hosts = hosts_of(options)
    sink_port = free_port(*hosts, DEEP_HOST)
    log = folder / "up.log"
    with names.serving(hosts) if options.is_by_mx else nullcontext("") as server:
        if server:
            env |= {
                "EKIDEN_DNS": server,
                "EKIDEN_DELIVERY_PORT": str(sink_port),
                "EKIDEN_PRIVATE_NETWORKS": "127.0.0.0/8",
            }
        with _up(env, log, options) as supervisor:
            yield Service(folder, env, supervisor, options, sink_port)


@contextmanager
def _up(env: dict[str, str], log: Path, options: Options) -> Iterator[int]:
    with open(log, "wb") as out, on_cores(options, of_relay=True):
        up = subprocess.Popen(
            [sys.executable, "manage.py", "up"], env=env, cwd=ROOT, stdout=out, stderr=out
        )
    try:
        until = time.monotonic() + 120
        while b"Ready." not in log.read_bytes():
            if up.poll() is not None or time.monotonic() > until:
                raise BenchError(
                    f"The service did not come up: {log.read_text(errors='replace')[-1000:]}"
                )
            time.sleep(0.1)
        yield up.pid
    finally:
        up.terminate()
        up.wait(90)
