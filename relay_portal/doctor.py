"""Looks at everything the service needs, and says what to do about what is wrong."""

from __future__ import annotations

import difflib
import os
import resource
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import RedisError

from deliveries import queues, stats
from domains.dns import NoSuchName, Resolver, TemporaryFailure, nameservers, run
from domains.keyring import KeyRing, KeyRingError
from domains.models import Domain, SigningKey
from relay_portal import embedded, readiness, sandbox

GIB = 2**30
LEAST_DISK = 2 * GIB
SOON = timedelta(days=14)
LEAST_FILES = 4096
NEEDED_POSTGRES = 150_000  # 15: UNIQUE NULLS NOT DISTINCT


class Level(StrEnum):
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do about it where it is not good."""

    name: str
    level: Level
    text: str
    advice: str = ""


Check = Callable[[], Iterator[Finding]]


def examine() -> Iterator[Finding]:
    """Everything, in the order in which one trouble causes the next."""
    has_database = False
    for check in (_settings, _data, _files, _disk, _certificate, _ports):
        yield from check()
    for finding in _postgres():
        has_database = has_database or finding.level is not Level.BAD
        yield finding
    yield from _valkey()
    yield from _dns()
    if has_database:
        for check in (_clock, _migrations, _workers, _keys, _domains, _mail, _sandbox):
            yield from check()


def for_real_sending() -> Iterator[Finding]:
    """What mail to the internet needs."""
    for check in (_settings, _dns, _domains):
        yield from check()


def _good(name: str, text: str) -> Finding:
    return Finding(name, Level.GOOD, text)


def _settings() -> Iterator[Finding]:
    known = {name for name in dir(settings) if name.startswith("EKIDEN_")} | {"EKIDEN_SECRET_KEY", "EKIDEN_PYTHON"}
    known |= {"EKIDEN_ALLOWED_HOSTS", "EKIDEN_TIME_ZONE"}
    for name in sorted(name for name in os.environ if name.startswith("EKIDEN_") and name not in known):
        similar = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {similar[0]}?" if similar else "See docs/settings.md."
        yield Finding("settings", Level.WARNING, f"{name} is no setting.", hint)
    name = settings.EKIDEN_HOSTNAME
    if name.endswith((".localdomain", ".local", ".test", ".invalid")) or "." not in name:
        advice = "Set EKIDEN_HOSTNAME to this server's public name before mail goes to the internet."
        yield Finding("host name", Level.WARNING, f"{name} is no public name.", advice)
    else:
        yield _good("host name", name)


def _data() -> Iterator[Finding]:
    data: Path = settings.EKIDEN_DATA
    if not os.access(data, os.W_OK | os.X_OK):
        yield Finding(
            "data", Level.BAD, f"{data} cannot be written by this account.", "Run as the account that owns it, or set EKIDEN_DATA."
        )
        return
    keys = data / "keys"
    if keys.exists() and keys.stat().st_mode & 0o077:
        yield Finding("data", Level.BAD, f"Others may read {keys}, which holds the keys.", f"chmod 700 {keys}")
        return
    yield _good("data", f"{data}; back up {keys} apart from the database")


def _files() -> Iterator[Finding]:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit < LEAST_FILES:
        advice = f"Raise it: ulimit -n {LEAST_FILES * 4} (systemd: LimitNOFILE=)."
        yield Finding("open files", Level.WARNING, f"A process may open {limit} only; each session is one.", advice)
    else:
        yield _good("open files", f"{limit} for each process")


def _disk() -> Iterator[Finding]:
    folders = {settings.EKIDEN_DATA, embedded.state_folder(settings.EKIDEN_DATA)}
    for folder in sorted(folder for folder in folders if folder.exists()):
        usage = shutil.disk_usage(folder)
        text = f"{usage.free / GIB:.1f} GiB free at {folder}"
        if usage.free < LEAST_DISK:
            advice = "Without room nothing can be accepted. Make room, or shorten a project's --content-days and --log-days."
            yield Finding("disk", Level.BAD, text, advice)
        else:
            yield _good("disk", text)


def _certificate() -> Iterator[Finding]:
    if bool(settings.EKIDEN_TLS_CERT) != bool(settings.EKIDEN_TLS_KEY):
        yield Finding("certificate", Level.BAD, "EKIDEN_TLS_CERT and EKIDEN_TLS_KEY go together.", "Set both, or none.")
        return
    if not settings.EKIDEN_TLS_CERT:
        advice = "Apps that verify it need one of a public authority: EKIDEN_TLS_CERT and EKIDEN_TLS_KEY."
        yield Finding("certificate", Level.WARNING, "The listeners use a self-signed certificate.", advice)
        return
    try:
        certificate = x509.load_pem_x509_certificate(Path(settings.EKIDEN_TLS_CERT).read_bytes())
    except (OSError, ValueError) as error:
        yield Finding("certificate", Level.BAD, f"{settings.EKIDEN_TLS_CERT} cannot be read: {error}", "Give a PEM file.")
        return
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    level = Level.BAD if left < timedelta(0) else Level.WARNING if left < SOON else Level.GOOD
    text = f"{settings.EKIDEN_TLS_CERT} ends on {certificate.not_valid_after_utc:%Y-%m-%d}"
    yield Finding("certificate", level, text, "" if level is Level.GOOD else "Renew it; the listeners read the new file by themselves.")


def _ports() -> Iterator[Finding]:
    numbers = {name: getattr(settings, f"EKIDEN_{name}_PORT") for name in ("SUBMISSION", "SUBMISSIONS", "MX", "PORTAL", "SANDBOX")}
    is_up = readiness.greets(settings.EKIDEN_SUBMISSION_PORT) if settings.EKIDEN_SUBMISSION_PORT else False
    for name, number in numbers.items():
        if not number:
            yield _good("ports", f"EKIDEN_{name}_PORT is switched off")
        elif is_up and not readiness.is_open(number):
            yield Finding("ports", Level.BAD, f"Nobody listens on {number} (EKIDEN_{name}_PORT).", "See the log of `ekiden up`.")
        elif not is_up and (trouble := _cannot_bind(number)):
            advice = f"Set EKIDEN_{name}_PORT, or end what is using it; below 1024 a service needs CAP_NET_BIND_SERVICE."
            yield Finding("ports", Level.BAD, f"{settings.EKIDEN_BIND}:{number} (EKIDEN_{name}_PORT) cannot be used: {trouble}.", advice)
        else:
            yield _good("ports", f"{settings.EKIDEN_BIND}:{number} ({name.lower()})")


def _cannot_bind(number: int) -> str:
    family = socket.AF_INET6 if ":" in settings.EKIDEN_BIND else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.EKIDEN_BIND, number))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _postgres() -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version_num')::int, current_setting('fsync'), current_setting('full_page_writes')"
            )
            version, fsync, pages = cursor.fetchone()
    except Error as error:
        advice = "Is the service up (./ekiden up), or DATABASE_URL wrong?"
        yield Finding("PostgreSQL", Level.BAD, f"It is out of reach: {str(error).splitlines()[0]}", advice)
        return
    if version < NEEDED_POSTGRES:
        yield Finding("PostgreSQL", Level.BAD, f"Its version is {version // 10_000}.", "15 or newer is needed.")
    elif (fsync, pages) != ("on", "on"):
        advice = "Switch fsync and full_page_writes on: without them a crash loses mail that was answered 250."
        yield Finding("PostgreSQL", Level.BAD, "It does not write safely.", advice)
    else:
        yield _good("PostgreSQL", f"version {version // 10_000}")


def _valkey() -> Iterator[Finding]:
    try:
        with queues.connect() as valkey:
            info = valkey.info()
    except RedisError as error:
        advice = "Mail is still taken, and delivered more slowly. Is the service up, or REDIS_URL wrong?"
        yield Finding("Valkey", Level.BAD, f"It is out of reach: {error}", advice)
        return
    if info.get("maxmemory") and info.get("maxmemory_policy") != "noeviction":
        advice = "Set maxmemory-policy noeviction: an evicted job is a job that is rung late."
        yield Finding("Valkey", Level.WARNING, f"It may throw keys away ({info['maxmemory_policy']}).", advice)
    else:
        yield _good("Valkey", f"version {info.get('valkey_version') or info.get('redis_version')}, {info.get('used_memory_human')} used")


def _dns() -> Iterator[Finding]:
    try:
        resolver = Resolver(nameservers(settings.EKIDEN_DNS))
    except ValueError as error:
        yield Finding("DNS", Level.BAD, f"EKIDEN_DNS: {error}", "Such as 192.0.2.1 or 192.0.2.1:5353, separated by commas.")
        return
    name = settings.EKIDEN_HOSTNAME
    try:
        answer = run(resolver.addresses(name))
    except NoSuchName:
        answer = None
    except TemporaryFailure as error:
        advice = "Mail to the internet needs a working resolver: EKIDEN_DNS, or /etc/resolv.conf."
        yield Finding("DNS", Level.BAD if sandbox_is_off() else Level.WARNING, f"No answer: {error}", advice)
        return
    addresses = [str(address) for address in answer.records] if answer else []
    if not any(ip_address(address).is_global for address in addresses):
        advice = f"Give {name} an address record that leads here, and the address a PTR record with that name."
        yield Finding("DNS", Level.WARNING, f"{name} has no public address.", advice)
    else:
        yield _good("DNS", f"{name} is {', '.join(addresses)}")


def sandbox_is_off() -> bool:
    try:
        return sandbox.route() is None
    except Error:
        return False


def _clock() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        there = cursor.fetchone()[0]
    apart = abs((there - datetime.now(UTC)).total_seconds())
    if apart > 2:
        advice = "Run NTP on both machines: signatures, leases and one-time codes need the right time."
        yield Finding("clock", Level.BAD, f"This machine and PostgreSQL are {apart:.0f} seconds apart.", advice)
    elif not Path("/run/systemd/timesync/synchronized").exists() and not _has_time_daemon():
        advice = "Run one (systemd-timesyncd, chrony or ntpd): second factors fail on a clock that is a minute off."
        yield Finding("clock", Level.WARNING, "No time service seems to run here.", advice)
    else:
        yield _good("clock", "in step with PostgreSQL")


def _has_time_daemon() -> bool:
    names = {"chronyd", "ntpd", "systemd-timesyn", "openntpd"}
    for entry in Path("/proc").glob("[0-9]*/comm"):
        try:
            if entry.read_text().strip() in names:
                return True
        except OSError:  # it has ended
            continue
    return False


def _migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        yield Finding("database", Level.BAD, f"{missing} migrations are not applied.", "./ekiden setup")
    else:
        yield _good("database", "all migrations are applied")


def _workers() -> Iterator[Finding]:
    at_work = readiness.workers()
    for queue in (queues.DELIVERIES, queues.MAINTENANCE):
        if queue in at_work:
            yield _good("workers", f"one works on {queue}")
        else:
            yield Finding("workers", Level.BAD, f"No worker works on {queue}.", f"Is the service up? Or run: ./ekiden rqworker {queue}")


def _keys() -> Iterator[Finding]:
    keys = list(SigningKey.objects.active().select_related("domain"))
    if not keys:
        yield _good("signing keys", "there are none yet")
        return
    try:
        ring = KeyRing.open(settings.EKIDEN_DATA / "keys" / "ring", create=False)
        for key in keys:
            ring.decrypt(key.private_key)
    except KeyRingError as error:
        yield Finding("signing keys", Level.BAD, str(error), "Restore the ring from its backup, or make new keys: ./ekiden domain --help")
        return
    yield _good("signing keys", f"{len(keys)} can be used")


def _domains() -> Iterator[Finding]:
    unverified = list(Domain.objects.unverified().values_list("name", flat=True)[:5])
    assumed = list(Domain.objects.verified().filter(is_assumed=True).values_list("name", flat=True)[:5])
    if unverified:
        advice = f"Publish their records: ./ekiden domain show {unverified[0]}"
        yield Finding("domains", Level.WARNING, f"Not verified: {', '.join(unverified)}.", advice)
    if assumed:
        advice = "Their mail is unsigned to the world until their DKIM records are published: ./ekiden domain show DOMAIN"
        yield Finding("domains", Level.WARNING, f"Taken on an operator's word: {', '.join(assumed)}.", advice)
    if not unverified and not assumed:
        yield _good("domains", f"{Domain.objects.verified().count()} verified")


def _mail() -> Iterator[Finding]:
    now = datetime.now(UTC)
    if missing := stats.conservation()["missing"]:
        yield Finding("mail", Level.BAD, f"{missing} accepted recipients are neither live nor ended.", "This must not be: report it.")
    for lane, waiting in stats.paused_lanes(now=now)[:5]:
        if waiting:
            yield Finding(
                "mail", Level.WARNING, f"{waiting} wait for {lane}, which is paused: {lane.pause_reason}", "./ekiden trace RECIPIENT"
            )


def _sandbox() -> Iterator[Finding]:
    if sandbox.route():
        yield Finding(
            "sandbox", Level.WARNING, "All mail goes to the built-in sandbox, none to the internet.", "To send for real: ./ekiden live"
        )
