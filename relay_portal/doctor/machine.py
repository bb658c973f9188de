"""The machine and its settings, looked at without a service running."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from django.conf import settings

from deliveries.queue import unwritten_outcomes
from relay_portal.console import unknown_settings
from relay_portal.doctor.finding import Finding, Level, good
from relay_portal.doctor.services import sandbox_is_idle
from relay_portal.process import listening, readiness
from relay_portal.process.ports import advice, cannot_bind, held_by
from relay_portal.servers import embedded
from smtp_listener.admission import low_disks
from smtp_listener.admission.disk import LowDisk

GIB = 2**30
MIB = 2**20
LEAST_DISK = 2 * GIB
SOON = timedelta(days=14)
LEAST_FILES = 4096


def variables() -> Iterator[Finding]:
    for text, hint in unknown_settings.found():
        yield Finding("settings", Level.WARNING, text, hint)
    name = settings.EKIDEN_HOSTNAME
    if name.endswith((".localdomain", ".local", ".test", ".invalid")) or "." not in name:
        advice = (
            "Set EKIDEN_HOSTNAME to this server's public name before mail goes to the internet."
        )
        yield Finding("host name", Level.WARNING, f"{name} is no public name.", advice)
    else:
        yield good("host name", name)


def data() -> Iterator[Finding]:
    data: Path = settings.EKIDEN_DATA
    if not os.access(data, os.W_OK | os.X_OK):
        yield Finding(
            "data",
            Level.BAD,
            f"{data} cannot be written by this account.",
            "Run as the account that owns it, or set EKIDEN_DATA.",
        )
        return
    keys = data / "keys"
    if keys.exists() and keys.stat().st_mode & 0o077:
        yield Finding(
            "data", Level.BAD, f"Others may read {keys}, which holds the keys.", f"chmod 700 {keys}"
        )
        return
    yield good("data", f"{data}; back up {keys} apart from the database")


def outcomes() -> Iterator[Finding]:
    """Look for what workers left behind at their end.

    A worker that runs has written it down within a second.
    """
    waiting, broken = unwritten_outcomes.files(unwritten_outcomes.folder())
    if waiting:
        text = (
            f"{len(waiting)} files in {unwritten_outcomes.folder()} hold outcomes of deliveries "
            "that are not in the database yet."
        )
        yield Finding(
            "outcomes",
            Level.WARNING,
            text,
            "Start a delivery worker on this machine with the same EKIDEN_DATA.",
        )
    for path in broken:
        advice = (
            "What it held counts as in doubt and is tried again. Look at it, keep it for a "
            "report, then remove it."
        )
        yield Finding("outcomes", Level.WARNING, f"{path} could not be read.", advice)


def files() -> Iterator[Finding]:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit < LEAST_FILES:
        advice = f"Raise it: ulimit -n {LEAST_FILES * 4} (systemd: LimitNOFILE=)."
        yield Finding(
            "open files",
            Level.WARNING,
            f"A process may open {limit} only; each session is one.",
            advice,
        )
    else:
        yield good("open files", f"{limit} for each process")


def disk() -> Iterator[Finding]:
    folders = {settings.EKIDEN_DATA, embedded.state_folder(settings.EKIDEN_DATA)}
    for folder in sorted(folder for folder in folders if folder.exists()):
        usage = shutil.disk_usage(folder)
        text = f"{usage.free / GIB:.1f} GiB free at {folder}"
        if usage.free < LEAST_DISK:
            advice = (
                "Without room nothing can be accepted. Make room, or shorten a project's "
                "--content-days and --log-days."
            )
            yield Finding("disk", Level.BAD, text, advice)
        else:
            yield good("disk", text)


def low_disk() -> Iterator[Finding]:
    for each in low_disks.find():
        advice = (
            "Make room there, shorten a project's --content-days and --log-days, or lower "
            "EKIDEN_LOW_DISK."
        )
        yield Finding(
            "disk", Level.BAD if each.refuses_apps else Level.WARNING, low_disk_text(each), advice
        )


def low_disk_text(low: LowDisk) -> str:
    """Return in a sentence who is refused, where, and for how little room."""
    whose = "all mail" if low.refuses_apps else "mail at the MX port, not yet that of apps,"
    return (
        f"{low.folder} on {low.node} has {low.free / MIB:.1f} MiB free of the {low.mark / MIB:.1f} "
        f"MiB that EKIDEN_LOW_DISK wants: the listener answers {whose} with 452 4.3.1."
    )


def certificate() -> Iterator[Finding]:
    if bool(settings.EKIDEN_TLS_CERT) != bool(settings.EKIDEN_TLS_KEY):
        yield Finding(
            "certificate",
            Level.BAD,
            "EKIDEN_TLS_CERT and EKIDEN_TLS_KEY go together.",
            "Set both, or none.",
        )
        return
    if not settings.EKIDEN_TLS_CERT:
        advice = (
            "Apps that verify it need one of a public authority: EKIDEN_TLS_CERT and "
            "EKIDEN_TLS_KEY."
        )
        yield Finding(
            "certificate", Level.WARNING, "The listeners use a self-signed certificate.", advice
        )
        return
    try:
        certificate = x509.load_pem_x509_certificate(Path(settings.EKIDEN_TLS_CERT).read_bytes())
    except (OSError, ValueError) as error:
        yield Finding(
            "certificate",
            Level.BAD,
            f"{settings.EKIDEN_TLS_CERT} cannot be read: {error}",
            "Give a PEM file.",
        )
        return
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    level = Level.BAD if left < timedelta(0) else Level.WARNING if left < SOON else Level.GOOD
    text = f"{settings.EKIDEN_TLS_CERT} ends on {certificate.not_valid_after_utc:%Y-%m-%d}"
    yield Finding(
        "certificate",
        level,
        text,
        "" if level is Level.GOOD else "Renew it; the listeners read the new file by themselves.",
    )


def ports() -> Iterator[Finding]:
    numbers = {
        name: getattr(settings, f"EKIDEN_{name}_PORT")
        for name in ("SUBMISSION", "SUBMISSIONS", "MX", "PORTAL", "SANDBOX")
    }
    is_up = (
        readiness.greets(settings.EKIDEN_SUBMISSION_PORT)
        if settings.EKIDEN_SUBMISSION_PORT
        else False
    )
    for name, number in numbers.items():
        if not number:
            yield good("ports", f"EKIDEN_{name}_PORT is switched off")
        elif is_up and not readiness.is_open(number):
            if name == "SANDBOX" and sandbox_is_idle():
                yield good(
                    "ports", f"nobody listens on {number} (sandbox), where no mail goes any more"
                )
                continue
            yield Finding(
                "ports",
                Level.BAD,
                f"Nobody listens on {number} (EKIDEN_{name}_PORT).",
                "See the log of `ekiden up`.",
            )
        elif not is_up and (trouble := cannot_bind(number)):
            text = (
                f"{settings.EKIDEN_BIND}:{number} (EKIDEN_{name}_PORT) cannot be used: "
                f"{trouble.strerror or trouble}."
            )
            text += f" {held_by(number)}".rstrip() if trouble.errno == errno.EADDRINUSE else ""
            yield Finding(
                "ports", Level.BAD, text, advice(trouble.errno or 0, f"EKIDEN_{name}_PORT")
            )
        elif is_up:
            yield from _listening(name, number)
        else:
            yield good("ports", f"{settings.EKIDEN_BIND}:{number} ({name.lower()}) is free")


def _listening(name: str, number: int) -> Iterator[Finding]:
    """Say where a service really listens, since a unit may bind elsewhere than the settings say."""
    try:
        found = listening.addresses(number)
    except OSError:  # confined: the kernel's tables are hidden
        yield good("ports", f"somebody listens on {number} ({name.lower()})")
        return
    where = ", ".join(
        f"[{each}]:{number}" if each.version == 6 else f"{each}:{number}" for each in found
    )
    who = ", ".join(
        dict.fromkeys(
            str(holder) for address in found for holder in listening.holders(number, str(address))
        )
    )
    if name == "PORTAL" and not all(each.is_loopback for each in found):
        advice = (
            "It speaks plain HTTP. Let it listen on 127.0.0.1, behind a proxy with TLS, or let the "
            "firewall close the port."
        )
        yield Finding(
            "ports",
            Level.WARNING,
            f"{where} (portal): the portal is open to the network, by {who}.",
            advice,
        )
    else:
        yield good("ports", f"{where} ({name.lower()}): {who}")
