"""Selectors of a domain that lead by CNAME into the zone that we keep, so that its key can change
without a hand at its DNS.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction

from domains.models import DelegatedSelector, Domain, SigningKey
from domains.senders.records import Purpose, Record

SELECTORS = ("ekiden1", "ekiden2")


class CannotDelegate(ValueError):
    """The text tells why, and what to do."""


class SelectorsBusy(ValueError):
    """Both delegated selectors have a key whose record is needed."""


def selectors(domain: Domain) -> dict[str, DelegatedSelector]:
    """Return those that are delegated, by name; none where we keep no zone."""
    if not settings.EKIDEN_KEY_ZONE:
        return {}
    rows = DelegatedSelector.objects.filter(domain=domain).select_related("domain")
    return {row.selector: row for row in rows}


@transaction.atomic
def delegate(domain: Domain) -> None:
    """Ask for both CNAMEs from now on; raise `CannotDelegate`."""
    if not settings.EKIDEN_KEY_ZONE:
        raise CannotDelegate(
            "This relay keeps no zone for keys. Set EKIDEN_KEY_ZONE to a zone of your own first."
        )
    known = selectors(domain)
    taken = domain.keys.to_publish().filter(selector__in=set(SELECTORS) - known.keys()).first()
    if taken is not None:
        raise CannotDelegate(f"A key with its record in your zone has the name {taken}.")
    for selector in SELECTORS:
        DelegatedSelector.objects.update_or_create(
            domain=domain, selector=selector, defaults={"is_ending": False}
        )


def end(domain: Domain) -> None:
    """Let its next keys stand in its own zone; a delegated one stays as long as it is needed."""
    DelegatedSelector.objects.filter(domain=domain).update(is_ending=True)


def free_selector(domain: Domain) -> str | None:
    """Return the delegated selector for its next key; None where it has none.

    Raise `SelectorsBusy` where both are needed.
    """
    known = [row.selector for row in selectors(domain).values() if not row.is_ending]
    if not known:
        return None
    taken = set(domain.keys.to_publish().values_list("selector", flat=True))
    if free := sorted(set(known) - taken):
        return free[0]
    first = domain.keys.filter(selector__in=known, retires_at__isnull=False).first()
    until = f"; the next is free from {first.retires_at:%Y-%m-%d %H:%M} UTC on" if first else ""
    raise SelectorsBusy(
        f"Both delegated selectors of {domain.name} have a key whose record is needed{until}."
    )


def to_publish(domain: Domain) -> list[Record]:
    """Return the CNAMEs that the domain has to publish."""
    rows = selectors(domain)
    taken = set(domain.keys.to_publish().values_list("selector", flat=True))
    return [_cname(row) for row in rows.values() if not row.is_ending or row.selector in taken]


def places(key: SigningKey, known: dict[str, DelegatedSelector]) -> list[tuple[str, Record]]:
    """Return (a name in the zone, record) of all that lets receivers find the key."""
    row = known.get(key.selector)
    if row is None:
        own = Record(Purpose.DKIM, key.record_name, "TXT", key.public_record)
        return [(key.domain.name, own)]
    ours = Record(Purpose.DKIM, row.target, "TXT", key.public_record)
    return [(row.domain.name, _cname(row)), (settings.EKIDEN_KEY_ZONE, ours)]


def target(key: SigningKey) -> str:
    """Return the name in our zone at which the key stands; "" where it has its record elsewhere."""
    row = selectors(key.domain).get(key.selector)
    return row.target if row is not None else ""


def pace(domain: Domain) -> str:
    """Say how often the domain's key changes."""
    days = domain.rotation_days
    return f"every {days} days" if days else "when it is asked to"


def facts(domain: Domain) -> dict[str, Any]:
    """Return what programs read."""
    return {
        "domain": domain.name,
        "rotation_days": domain.rotation_days,
        "selectors": [
            {
                "selector": row.selector, "record": row.name, "target": row.target,
                "is_found": row.is_found, "is_ending": row.is_ending,
                "kept_at": row.kept_at and row.kept_at.isoformat(), "trouble": row.trouble,
            }
            for row in selectors(domain).values()
        ],
    }  # fmt: skip


def _cname(row: DelegatedSelector) -> Record:
    return Record(Purpose.KEY_DELEGATION, row.name, "CNAME", row.target)
