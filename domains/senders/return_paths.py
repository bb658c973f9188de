"""Which return path of its own a domain's mail leaves with: from the second good check on, until a
check finds it broken.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from domains.foundation import sql
from domains.foundation.text.texts import storable
from domains.models import Domain, DomainAlertKind, ReturnPath, ReturnPathState
from domains.models.return_paths import SPACING
from domains.operations import audit
from domains.senders import domain_alerts

ACTOR = domain_alerts.ACTOR
GOOD = "found"
# Some receiver would find nothing at the name, and refuse the mail for that. DNS that does not
# answer decides nothing.
LOST = frozenset({"missing", "wrong", "spreading", "bogus"})
# Workers read the names again when the latest change is another: changes have to become visible in
# the order of their times, so one is committed before the next is made.
_ORDER = 0x656B_7270


def current(domain: Domain) -> ReturnPath | None:
    """Return the row of the name that is chosen now; None where no check has found it yet."""
    name = domain.return_path_name
    return domain.return_paths.current().filter(name=name).first() if name else None


def in_use(domain: Domain) -> str:
    """Return the name that its mail leaves with; "" for the installation's own."""
    row = current(domain)
    return row.name if row is not None and row.state == ReturnPathState.USED else ""


def will_be_used(row: ReturnPath | None, state: str, *, now: datetime) -> bool:
    """Tell if the name is in use after a check at `now` that found the record in this state."""
    if row is None or state in LOST:
        return False
    if row.state == ReturnPathState.USED:
        return True
    return state == GOOD and row.state == ReturnPathState.FOUND and now >= row.found_since + SPACING


def would_move(row: ReturnPath, state: str, *, now: datetime) -> bool:
    """Tell whether a check that finds the record in this state would change its row."""
    if state in LOST:
        return row.state != ReturnPathState.BROKEN
    if state != GOOD or row.state == ReturnPathState.USED:
        return False
    return row.state == ReturnPathState.BROKEN or will_be_used(row, state, now=now)


def note_check(domain: Domain, state: str, *, now: datetime) -> None:
    """Write down what a check found, and use the name from the second good one on."""
    with transaction.atomic():
        Domain.objects.select_for_update().get(pk=domain.pk)  # one at a time
        row = current(domain)
        if state == GOOD:
            _found(domain, row, now=now)
        elif state in LOST and row is not None:
            _lost(domain, row, now=now)


def choose(domain: Domain, label: str, *, now: datetime) -> None:
    """Choose another label, or "" for none. Raises `ValidationError`.

    Mail no longer leaves with the name before, at which failures are still taken for a while.
    """
    before = domain.return_path_label
    domain.return_path_label = label
    domain.full_clean()
    with transaction.atomic():
        Domain.objects.select_for_update().get(pk=domain.pk)
        domain.save(update_fields=["return_path_label"])
        if label != before:
            _give_up(domain.return_paths.current(), now=now)
            domain_alerts.end_alert(domain, DomainAlertKind.RETURN_PATH, now=now)


def give_up_ownerless() -> None:
    """Stop the use of names whose domain is gone; they are still taken for a while."""
    with transaction.atomic():
        _give_up(ReturnPath.objects.ownerless().select_for_update(), now=timezone.now())


def is_taken(name: str) -> bool:
    """Tell whether failures may come back at this name: our own, or one that was in use lately."""
    name = storable(name.lower().rstrip("."))
    taken = ReturnPath.objects.taken(now=timezone.now()).filter(name=name)
    return name == settings.EKIDEN_HOSTNAME or taken.exists()


def _found(domain: Domain, row: ReturnPath | None, *, now: datetime) -> None:
    if row is not None and row.state == ReturnPathState.USED:
        return
    if row is not None and will_be_used(row, GOOD, now=now):
        row.state, row.used_since, row.stopped_at = ReturnPathState.USED, now, None
        _move(row)
        audit.note(ACTOR, "use_return_path", domain, details={"name": row.name})
        domain_alerts.end_alert(domain, DomainAlertKind.RETURN_PATH, now=now)
    elif row is None or row.state != ReturnPathState.FOUND:
        name = domain.return_path_name
        known = domain.return_paths.filter(name=name)  # it was chosen before
        begun = row or known.first() or ReturnPath(domain=domain, name=name)
        begun.state, begun.found_since = ReturnPathState.FOUND, now
        _move(begun)


def _lost(domain: Domain, row: ReturnPath, *, now: datetime) -> None:
    if row.state == ReturnPathState.FOUND and row.stopped_at is None:  # nothing has left under it
        row.delete()
    elif row.state == ReturnPathState.FOUND:
        row.state = ReturnPathState.BROKEN
        _move(row)
    elif row.state == ReturnPathState.USED:
        row.state, row.stopped_at = ReturnPathState.BROKEN, now
        _move(row)
        given = {"name": row.name, "domain": domain.name, "host": settings.EKIDEN_HOSTNAME}
        domain_alerts.open_alert(domain, DomainAlertKind.RETURN_PATH, given, now=now)


def _give_up(rows: Collection[ReturnPath], *, now: datetime) -> None:
    for row in rows:
        if row.state == ReturnPathState.FOUND and row.stopped_at is None:
            row.delete()
        else:
            row.state, row.stopped_at = ReturnPathState.FORMER, row.stopped_at or now
            _move(row)


def _move(row: ReturnPath) -> None:
    sql.run("SELECT pg_advisory_xact_lock(%s)", [_ORDER])
    row.changed_at = sql.value("SELECT clock_timestamp()")
    row.save()
