"""The services that the relay stands on: PostgreSQL, Valkey, DNS, the clock, the workers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import RedisError

from deliveries.backends import job_queues
from domains.foundation import sql
from domains.foundation.command import first_line
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure
from domains.foundation.dns.servers import nameservers
from domains.foundation.process import postgres_session
from domains.models import Credential, Project
from relay_portal.console import sandbox
from relay_portal.doctor.finding import Finding, Level, good
from relay_portal.process import readiness


def postgres() -> Iterator[Finding]:
    """Check what is in force on a connection of ours: settings of the server do not tell that."""
    try:
        facts = postgres_session.ask()
    except Error as error:
        advice = "Is the service up (./ekiden up), or DATABASE_URL wrong?"
        yield Finding("PostgreSQL", Level.BAD, f"It is out of reach: {first_line(error)}", advice)
        return
    found = [
        Finding("PostgreSQL", Level.BAD, trouble.text, trouble.advice)
        for trouble in postgres_session.troubles(facts)
    ]
    if facts.is_read_only:
        found.append(
            Finding(
                "PostgreSQL",
                Level.BAD,
                "It is read-only.",
                "Let DATABASE_URL lead to the server that takes writes.",
            )
        )
    yield from found or [
        good("PostgreSQL", f"version {facts.version // 10_000}; what is committed is on disk")
    ]


def valkey() -> Iterator[Finding]:
    try:
        with job_queues.connect() as valkey:
            info = valkey.info()
    except RedisError as error:
        advice = (
            "Mail is still taken, and delivered more slowly. Is the service up, or REDIS_URL wrong?"
        )
        yield Finding("Valkey", Level.BAD, f"It is out of reach: {error}", advice)
        return
    if info.get("maxmemory") and info.get("maxmemory_policy") != "noeviction":
        advice = "Set maxmemory-policy noeviction: an evicted job is a job that runs late."
        yield Finding(
            "Valkey", Level.WARNING, f"It may throw keys away ({info['maxmemory_policy']}).", advice
        )
    else:
        yield good(
            "Valkey",
            f"version {info.get('valkey_version') or info.get('redis_version')}, "
            f"{info.get('used_memory_human')} used",
        )


def dns() -> Iterator[Finding]:
    try:
        resolver = Resolver(nameservers(settings.EKIDEN_DNS))
    except ValueError as error:
        yield Finding(
            "DNS",
            Level.BAD,
            f"EKIDEN_DNS: {error}",
            "Such as 192.0.2.1 or 192.0.2.1:5353, separated by commas.",
        )
        return
    name = settings.EKIDEN_HOSTNAME
    try:
        answer = asyncio.run(resolver.addresses(name))
    except NoSuchName:
        answer = None
    except TemporaryFailure as error:
        advice = "Mail to the internet needs a working resolver: EKIDEN_DNS, or /etc/resolv.conf."
        yield Finding(
            "DNS", Level.BAD if sandbox_is_off() else Level.WARNING, f"No answer: {error}", advice
        )
        return
    addresses = [str(address) for address in answer.records] if answer else []
    if not any(ip_address(address).is_global for address in addresses):
        advice = (
            f"Give {name} an address record that leads here, and the address a PTR record with "
            "that name."
        )
        yield Finding("DNS", Level.WARNING, f"{name} has no public address.", advice)
    else:
        yield good("DNS", f"{name} is {', '.join(addresses)}")


def sandbox_is_off() -> bool:
    """Tell whether the installation is live: what goes elsewhere goes to the internet."""
    try:
        return sandbox.route() is None
    except Error:
        return False


def sandbox_is_idle() -> bool:
    """Tell whether no mail goes to the sandbox, that of a single project or credential included."""
    try:
        return sandbox_is_off() and not any(
            model.objects.filter(is_sandboxed=True).exists() for model in (Project, Credential)
        )
    except Error:
        return False


def clock() -> Iterator[Finding]:
    there = sql.value("SELECT clock_timestamp()")
    apart = abs((there - datetime.now(UTC)).total_seconds())
    if apart > 2:
        advice = (
            "Run NTP on both machines: signatures, leases and one-time codes need the right time."
        )
        yield Finding(
            "clock",
            Level.BAD,
            f"This machine and PostgreSQL are {apart:.0f} seconds apart.",
            advice,
        )
    elif not Path("/run/systemd/timesync/synchronized").exists() and not _has_time_daemon():
        advice = (
            "Run one (systemd-timesyncd, chrony or ntpd): second factors fail on a clock that is a "
            "minute off."
        )
        yield Finding("clock", Level.WARNING, "No time service seems to run here.", advice)
    else:
        yield good("clock", "in step with PostgreSQL")


def _has_time_daemon() -> bool:
    names = {"chronyd", "ntpd", "systemd-timesyn", "openntpd"}
    for entry in Path("/proc").glob("[0-9]*/comm"):
        try:
            if entry.read_text().strip() in names:
                return True
        except OSError:  # it has ended
            continue
    return False


def migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        yield Finding(
            "database", Level.BAD, f"{missing} migrations are not applied.", "./ekiden setup"
        )
    else:
        yield good("database", "all migrations are applied")


def workers() -> Iterator[Finding]:
    at_work = readiness.workers()
    for queue in (job_queues.DELIVERIES, job_queues.MAINTENANCE):
        if queue in at_work:
            yield good("workers", f"one works on {queue}")
        else:
            yield Finding(
                "workers",
                Level.BAD,
                f"No worker works on {queue}.",
                f"Is the service up? Or run: ./ekiden rqworker {queue}",
            )
