"""The life of deliveries as a state machine: the real SQL of leases, claims, ledger and sweep, in
any order, with any crash.

Two workers take turns at one lane; each may die, or be stopped until its lease is over and then go
on. What arrives at the receiver is noted apart from the database, and compared with it at every
step.
"""

import asyncio
from collections import Counter
from uuid import uuid4

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from deliveries.backends.database import Database
from deliveries.insight import stats
from deliveries.models import Attempt, Content, Delivery, Destination, Lane, Message
from deliveries.models.states import LIVE
from deliveries.queue import expiry
from deliveries.queue.lanes import Lanes
from deliveries.queue.ledger import Ledger
from deliveries.sending import disposition
from deliveries.smtp.outcomes import Bounced, Deferred, Delivered, FailureScope, InDoubt, Stage
from deliveries.smtp.replies import Reply, local_reply
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")

TAKEN = Delivered(Reply(250, "2.0.0", "taken"))
LOST = InDoubt(local_reply(421, "4.4.2", "connection lost"), Stage.BODY)
LATER = Deferred(Reply(450, "4.2.0", "later"), Stage.RCPT, FailureScope.RECIPIENT)
NEVER = Bounced(Reply(550, "5.1.1", "never"), Stage.RCPT, FailureScope.RECIPIENT)
ARRIVES = {TAKEN: True, LOST: True, LATER: False, NEVER: False}
DELIVERIES = 2
WORKERS = st.sampled_from([0, 1])


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


class Life(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        for model in (Attempt, Delivery, Content, Message, Destination):
            model.objects.all().delete()
        Lane.objects.exclude(pk=Lane.ROUTING).delete()
        self.loop = asyncio.new_event_loop()
        self.database = Database("test")
        self.project = make.project(retry_schedule=[1])
        self.lane = make.lane()
        make.leads_to(self.lane, "mx.test")
        self.arrived = Counter()
        self.ended = {}
        for _ in range(DELIVERIES):
            make.delivery(of=make.message(of=self.project), lane=self.lane)
        self.start(0)
        self.start(1)

    def start(self, worker):
        """Start a fresh process, which knows nothing of what the one before had in hand."""
        workers = self.__dict__.setdefault("workers", {})
        workers[worker] = {
            "lanes": Lanes(self.database, uuid4()),
            "lease": None,
            "in_hand": [],
            "unwritten": [],
        }

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def write(self, entries):
        async def main():
            ledger = Ledger(self.database)
            for entry in entries:
                ledger.record(entry)
            await ledger.turn()

        if entries:
            self.run(main())

    # --- what happens ---
    @rule(worker=WORKERS)
    def work(self, worker):
        """Lease the lane where that is possible, and claim what is due: all that is nobody's, for
        time has passed.
        """
        its = self.workers[worker]
        if leased := self.run(its["lanes"].lease([self.lane.pk], 1)):
            its["lease"] = leased[0]
        if its["lease"] is not None:
            sql("UPDATE deliveries_delivery SET due_at = now() WHERE ended_at IS NULL")
            for claimed in self.run(its["lanes"].claim(its["lease"], 10)):
                self.take(its, claimed)

    def take(self, its, claimed):
        assert claimed.id not in self.ended
        if self.arrived[
            claimed.id
        ]:  # a repeat is possible from here on: it must be known beforehand
            assert claimed.is_in_doubt or claimed.was_claimed
        if claimed.was_claimed:
            its["unwritten"].append(
                disposition.interrupted(claimed, epoch=its["lease"].epoch, wait=0.0)
            )
        else:
            its["in_hand"].append((claimed, its["lease"].epoch))

    @rule(worker=WORKERS, outcome=st.sampled_from([TAKEN, TAKEN, LOST, LATER, NEVER]))
    def send(self, worker, outcome):
        its = self.workers[worker]
        if its["in_hand"]:
            claimed, epoch = its["in_hand"].pop(0)
            self.arrived[claimed.id] += ARRIVES[outcome]
            its["unwritten"].append(disposition.settle(claimed, outcome, epoch=epoch, spread=0.0))

    @rule(worker=WORKERS, is_repeated=st.booleans())
    def commit(self, worker, is_repeated):
        its = self.workers[worker]
        entries, its["unwritten"] = its["unwritten"], []
        self.write(entries)
        # the answer to the first commit was lost, and the ledger of a careless version wrote again
        if is_repeated:
            self.write(entries)

    @rule(worker=WORKERS)
    def give_back(self, worker):
        its = self.workers[worker]
        if its["lease"] is not None and not its["unwritten"]:
            self.run(
                its["lanes"].unclaim(its["lease"], [claimed.id for claimed, _ in its["in_hand"]])
            )
            self.run(its["lanes"].release(its["lease"]))
            its["lease"], its["in_hand"] = None, []

    @rule(worker=WORKERS)
    def crash(self, worker):
        self.start(worker)

    @rule()
    def end_the_lease(self):
        sql(
            "UPDATE deliveries_lane SET leased_until = now() - interval '1 s' WHERE leased_until "
            "IS NOT NULL"
        )

    @rule(worker=WORKERS)
    def take_over(self, worker):
        """Stop the other one for longer than its lease; all that it had in hand is taken up
        again.
        """
        self.end_the_lease()
        self.work(worker)
        self.commit(worker, False)
        self.work(worker)

    @precondition(lambda self: len(self.ended) < DELIVERIES)
    @rule(is_last=st.booleans())
    def reach_a_deadline(self, is_last):
        one = Delivery.objects.live().order_by("-id" if is_last else "id").first()
        sql(
            "UPDATE deliveries_delivery SET expires_at = now() - interval '1 s' WHERE id = %s",
            one.pk,
        )
        expiry.sweep()

    # --- what always holds ---
    @invariant()
    def every_recipient_is_counted_once(self):
        assert stats.conservation()["missing"] == 0

    @invariant()
    def an_end_is_an_end(self):
        now = dict(Delivery.objects.ended().values_list("id", "state"))
        assert {id_: now.get(id_) for id_ in self.ended} == self.ended
        self.ended = now

    @invariant()
    def delivered_means_arrived(self):
        assert all(self.arrived[id_] for id_, state in self.ended.items() if state == "delivered")

    @invariant()
    def every_repeat_was_in_doubt_before(self):
        doubtful = set(
            Attempt.objects.filter(outcome="in_doubt").values_list("delivery_id", flat=True)
        )
        assert {id_ for id_, copies in self.arrived.items() if copies > 1} <= doubtful

    def check(self):
        self.every_recipient_is_counted_once()
        self.an_end_is_an_end()
        self.delivered_means_arrived()
        self.every_repeat_was_in_doubt_before()

    def teardown(self):
        """Check that there is no orphan: one healthy worker ends all that is live, in whatever
        state.
        """
        try:
            self.end_the_lease()
            expiry.sweep()
            self.start(0)
            for _ in range(3):
                self.work(0)
                while self.workers[0]["in_hand"]:
                    self.send(0, TAKEN)
                self.commit(0, False)
            assert not Delivery.objects.filter(state__in=LIVE).exists()
            self.check()
        finally:
            self.run(self.database.close())
            self.loop.close()


def test_whatever_happens_each_delivery_ends_once_and_every_repeat_is_known():
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=checks,
            database=None,
        ),
    )


A, B = 0, 1
STALE = [("work", A), ("take_over", B)]  # both have the same in hand, and A's lease is over
ORDERS = {
    "a stale refusal while the other sends": [*STALE, ("send", B, TAKEN), ("send", A, NEVER),
        ("commit", A, False), ("work", B)],
    "a stale delay while the other sends": [*STALE, ("send", B, TAKEN), ("send", A, LATER),
        ("commit", A, False), ("work", B)],
    "a stale arrival after the end": [*STALE, ("send", B, NEVER), ("commit", B, False),
        ("send", A, TAKEN), ("commit", A, False)],
    "a lost reply, written twice": [
        ("work", A), ("send", A, LOST), ("commit", A, True), ("work", A), ("send", A, TAKEN),
        ("commit", A, True),
    ],
    "two workers die one after the other": [
        ("work", A), ("send", A, TAKEN), ("crash", A), ("take_over", B), ("send", B, TAKEN),
        ("crash", B),
    ],
    "the deadline of what a dead worker sent": [
        ("work", A), ("send", A, TAKEN), ("crash", A), ("end_the_lease",),
        ("reach_a_deadline", False),
    ],
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_of_events_that_chance_seldom_finds_is_survived(order):
    life = Life()
    for name, *given in ORDERS[order]:
        getattr(life, name)(*given)
        life.check()
    life.teardown()
