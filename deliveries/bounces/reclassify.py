"""Looks at the answers of the last 30 days again, with the rules of today: first a count, then, if
somebody wants it, the change.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from deliveries.bounces import learning
from deliveries.bounces.second_reading import again
from deliveries.classification import loaded_rules
from deliveries.classification.classifier import Classified
from deliveries.models import Attempt, Reclassification, ReclassificationState
from domains.foundation.upkeep.job_leases import Lease, LeaseLost, left
from domains.models import ItemKind
from domains.operations.isolation import (
    begin_again,
    failed,
    guarded,
    is_outage,
    may_begin,
    together_or_alone,
)
from suppressions import recording
from suppressions.lifting import lift
from suppressions.models import Occurrence, Suppression
from suppressions.one_at_a_time import wait_for_turn

logger = logging.getLogger(__name__)

DAYS = timedelta(days=30)
BATCH = 500
ACTOR = "second look"


@dataclass(frozen=True, slots=True)
class Change:
    occurrence: Occurrence
    found: Classified

    @property
    def row(self) -> tuple[str, str, bool, bool]:
        return (
            self.occurrence.category,
            str(self.found.class_),
            self.occurrence.is_hard,
            self.found.is_hard,
        )

    @property
    def is_one(self) -> bool:
        return (self.occurrence.category, self.occurrence.is_hard) != (
            self.found.class_,
            self.found.is_hard,
        )


def count(look_id: int) -> None:
    """Count what would be another; nothing is changed but the look's own row."""
    _carry(look_id, ReclassificationState.COUNTING, _count)


def _count(look: Reclassification, lease: Lease) -> None:
    """Count the changes from the beginning, also where an earlier job stopped half-way."""
    table: Counter[tuple[str, str, bool, bool]] = Counter()
    look.version, look.seen = loaded_rules.version(), 0
    look.save(update_fields=["version"])
    for seen, change in enumerate(_changes(look.created_at), 1):
        if change is not None and change.is_one:
            table[change.row] += 1
        if seen % BATCH == 0:
            lease.renew()
            _note(look, seen, table)
        look.seen = seen
    with transaction.atomic():
        lease.renew()
        _note(look, look.seen, table)
        look.state, look.leased_until = ReclassificationState.COUNTED, None
        look.save(update_fields=["state", "leased_until"])


def apply(look_id: int) -> None:
    """Carry it out, batch by batch, each a transaction: a second call goes on where the first came
    to, since what is done is no change.

    Where the rules are others by now than those that were counted, it is counted again: nobody has
    seen what these would change.
    """
    _carry(look_id, ReclassificationState.APPLYING, _apply_all)


def _apply_all(look: Reclassification, lease: Lease) -> None:
    if look.version != loaded_rules.version():
        logger.warning("second look %s is counted again: the rules have changed", look.pk)
        look.state = ReclassificationState.COUNTING
        look.save(update_fields=["state"])
        _count(look, lease)
        return
    batch: list[Change] = []
    for seen, change in enumerate(_changes(look.created_at), 1):
        if change is not None and change.is_one:
            batch.append(change)
        if seen % BATCH == 0:
            lease.renew()
        if len(batch) >= BATCH:
            _apply_batch(look, batch)
            batch = []
    lease.renew()
    _apply_batch(look, batch)
    learning.take_turn(now=timezone.now())
    with transaction.atomic():
        lease.renew()
        look.state, look.ended_at, look.leased_until = (
            ReclassificationState.DONE,
            timezone.now(),
            None,
        )
        look.save(update_fields=["state", "ended_at", "leased_until"])


def carry_on() -> None:
    """Go on with what no job works on: its call was lost, or its worker died."""
    for state, work in (
        (ReclassificationState.COUNTING, count),
        (ReclassificationState.APPLYING, apply),
    ):
        for look_id in left(Reclassification.objects.filter(state=state)):
            if may_begin(ItemKind.SECOND_LOOK, _key(look_id)):
                work(look_id)


def _carry(look_id: int, state: str, work: Callable[[Reclassification, Lease], None]) -> None:
    """Run `work` with today's rules under a lease; return at once where the look has moved on or
    another job has it.
    """
    lease = Lease.take(Reclassification.objects.filter(pk=look_id, state=state))
    if lease is None:
        return
    loaded_rules.load()
    look = Reclassification.objects.get(pk=look_id)
    if lease.follows_a_death and begin_again(ItemKind.SECOND_LOOK, _key(look_id)):
        _fail(look_id)
        return
    with _ending_badly(look), suppress(LeaseLost):
        work(look, lease)


def _key(look_id: int) -> str:
    """Name the look in `SetAside`, whose plain numbers are those of occurrences."""
    return f"look {look_id}"


def _fail(look_id: int) -> None:
    Reclassification.objects.filter(pk=look_id).update(
        state=ReclassificationState.FAILED, ended_at=timezone.now(), leased_until=None
    )


@contextmanager
def _ending_badly(look: Reclassification) -> Iterator[None]:
    """Mark a look that fails as a whole while the block runs, so that it can be made anew; in an
    outage it stays as it is, and is gone on with.
    """
    with guarded(ItemKind.SECOND_LOOK, _key(look.pk), most=1):
        try:
            yield
        except Exception as error:  # whatever failed, the row says so; it is raised again below
            if not is_outage(error):
                _fail(look.pk)
            raise


def _note(look: Reclassification, seen: int, table: Counter[tuple[str, str, bool, bool]]) -> None:
    look.seen, look.changed = seen, sum(table.values())
    look.table = [[*row, amount] for row, amount in table.most_common()]
    look.save(update_fields=["seen", "changed", "table"])


def _changes(until: datetime) -> Iterator[Change | None]:
    """Yield one change for each occurrence of the 30 days before; None for one that has nothing to
    be read again.
    """
    chosen = Occurrence.objects.filter(
        at__gt=until - DAYS, at__lte=until, kind__in=("reply", "report", "expiry")
    ).order_by("id")
    for occurrence in chosen.iterator(BATCH):
        found = None
        try:
            found = again(occurrence)
        except Exception as error:  # one occurrence that cannot be read stops no other
            if is_outage(error):
                raise
            failed(ItemKind.SECOND_LOOK, occurrence.pk, error, most=1)
        yield Change(occurrence, found) if found is not None else None


def _apply_batch(look: Reclassification, changes: list[Change]) -> None:
    """Apply the changes together, or else one by one: those of one address may depend on one
    another, so one that fails alone is left as it was.
    """
    by_occurrence = {change.occurrence.pk: change for change in changes}
    together_or_alone(
        ItemKind.SECOND_LOOK,
        list(by_occurrence),
        lambda ids: _apply(look, [by_occurrence[id_] for id_ in ids]),
        most=1,
    )


def _apply(look: Reclassification, changes: list[Change]) -> None:
    wait_for_turn()
    for change in changes:
        _rewrite(change)
    softer = [change.occurrence for change in changes if change.row[2] and not change.found.is_hard]
    lifted = _lift_unfounded(softer)
    # What is hard now, or counts otherwise, is judged by the policies as if it had just come; who
    # is suppressed already stays so.
    keys = [change.occurrence.address_key for change in changes]
    known = set(
        Suppression.objects.filter(address_key__in=keys).values_list("project_id", "address_key")
    )
    anew = [
        each.occurrence.pk
        for each in changes
        if (each.occurrence.project_id, each.occurrence.address_key) not in known
    ]
    renewed = Occurrence.objects.filter(pk__in=anew).update(handled_at=None)
    # not before all of it went: what fails is counted alone
    look.lifted, look.renewed = look.lifted + lifted, look.renewed + renewed
    look.save(update_fields=["lifted", "renewed"])


def _rewrite(change: Change) -> None:
    occurrence, found = change.occurrence, change.found
    was = {"category": occurrence.category, "rule": occurrence.rule}
    Occurrence.objects.filter(pk=occurrence.pk).update(
        category=found.class_, is_hard=found.is_hard, rule=found.rule
    )
    if occurrence.delivery_id:
        Attempt.objects.filter(delivery=occurrence.delivery_id, **was).update(
            category=found.class_, rule=found.rule
        )


def _lift_unfounded(softer: list[Occurrence]) -> int:
    """Lift the automatic suppressions of these addresses that the policies would not make today."""
    keys = {(occurrence.project_id, occurrence.address_key) for occurrence in softer}
    # Locked, in the order in which they are made: a complaint that comes now outweighs the rest.
    rows = (
        Suppression.objects.select_for_update(of=("self",))
        .filter(source="automatic", is_hard=True, address_key__in={key for _, key in keys})
        .order_by("address_key", "project_id", "sender_domain")
    )
    mine = [row for row in rows if (row.project_id, row.address_key) in keys]
    known = Occurrence.objects.filter(pk__in=[occurrence.pk for occurrence in softer])
    still = {
        (given.project_id, given.address_key)
        for given in recording.judge(known, learning.last_delivered, now=timezone.now())
    }
    unfounded = [row.pk for row in mine if (row.project_id, row.address_key) not in still]
    return _lift(unfounded) if unfounded else 0


def _lift(ids: list[int]) -> int:
    """Lift suppressions and keep what was learned, which was only understood otherwise."""
    return lift(ids, reason="Not a dead address by the rules of today", actor=ACTOR, voids=False)
