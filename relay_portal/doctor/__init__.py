"""Looks at everything the service needs, and says what to do about what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from relay_portal.doctor import growth, log_ins, machine, mail, services
from relay_portal.doctor.finding import Finding, Level

MACHINE = (
    machine.variables, mail.private_networks, machine.data, machine.outcomes, machine.files,
    machine.disk, machine.low_disk,
    machine.certificate, machine.ports,
)  # fmt: skip
SERVICES = (services.valkey, services.dns)
WITH_A_DATABASE = (
    services.clock,
    services.migrations,
    services.workers,
    log_ins.proxy,
    log_ins.openid_provider,
    log_ins.break_glass,
    mail.own_keys_fit,
    mail.keys,
    mail.domains,
    mail.waiting,
    mail.paused,
    mail.set_aside,
    mail.learning,
    mail.leaving,
    mail.sandbox_route,
    growth.database,
    growth.valkey,
    growth.folders,
)
REAL_SENDING = (machine.variables, mail.private_networks, services.dns, mail.domains)


def examine() -> Iterator[Finding]:
    """Run all checks, in the order in which one trouble causes the next."""
    for check in MACHINE:
        yield from check()
    about_database = list(services.postgres())
    yield from about_database
    for check in SERVICES:
        yield from check()
    if all(finding.level is not Level.BAD for finding in about_database):
        for check in WITH_A_DATABASE:
            yield from check()


def for_real_sending() -> Iterator[Finding]:
    """Check what mail to the internet needs."""
    for check in REAL_SENDING:
        yield from check()
