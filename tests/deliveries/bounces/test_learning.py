"""From refusals to suppressions and back: what the ledger, the sweeper and a real drain leave for
the policies.
"""

import asyncio
from datetime import timedelta

import pytest
from django.db.models import Sum
from django.utils import timezone

from deliveries.backends.job_queues import MAINTENANCE, queue
from deliveries.backends.job_requests import JobRequests
from deliveries.bounces import learning
from deliveries.models import Attempt, Delivery, Tally
from deliveries.models.states import DeliveryState
from deliveries.queue import expiry
from domains.models import AuditEntry, Project
from suppressions.models import Occurrence, Suppression
from tests.deliveries import make
from tests.deliveries.queue.test_ledger import entry, write
from tests.deliveries.stage import play

pytestmark = pytest.mark.usefixtures("mail_db")


def learn():
    return learning.take_turn(now=timezone.now())


def refuse(answer="550 5.1.1 no such user"):
    def script(mx):
        mx.on("rcpt", answer)

    return script


def tallies():
    sums = Tally.objects.values(
        "project", "credential_id", "provider", "category", "is_hard"
    ).annotate(amount=Sum("amount"))
    return {(row["category"], row["is_hard"]): row["amount"] for row in sums}


def state(delivery):
    return Delivery.objects.values_list("state", flat=True).get(pk=delivery.pk)


def test_a_refusal_is_understood_tallied_and_suppresses(settings):
    delivery = make.delivery(flow=7)
    play(settings, refuse())
    attempt = Attempt.objects.get()
    assert (attempt.category, attempt.rule.split("/")[0]) == ("unknown_user", "unknown_user")
    known = Occurrence.objects.get()
    assert (known.project, known.credential_id, known.address_key) == (
        delivery.project,
        7,
        "you@mx.test",
    )
    assert (known.kind, known.stage, known.code, known.is_hard, known.delivery_id) == (
        "reply",
        "rcpt",
        550,
        True,
        delivery.pk,
    )
    assert tallies() == {("unknown_user", True): 1}
    assert learn() == 1
    assert Suppression.objects.get().address_key == "you@mx.test"


def test_the_job_is_called_when_something_was_learned(settings):
    make.delivery()
    play(settings, refuse())
    assert "deliveries.jobs.learn" in [job.func_name for job in queue(MAINTENANCE).get_jobs()]


def test_a_delivery_is_tallied_and_teaches_nothing(settings):
    make.delivery()
    play(settings)
    assert tallies() == {("delivered", False): 1}
    assert not Occurrence.objects.exists()
    assert Attempt.objects.get().category == ""


def test_a_deferral_is_understood_and_counts_when_it_has_ended(settings):
    delivery = make.delivery()
    play(settings, refuse("452 4.2.2 mailbox full"), until=lambda: Attempt.objects.exists())
    assert Attempt.objects.get().category == "mailbox_full"
    assert tallies() == {}
    Delivery.objects.update(expires_at=timezone.now())
    expiry.sweep()
    assert tallies() == {("mailbox_full", False): 1}
    known = Occurrence.objects.get()
    assert (known.kind, known.category, known.code, known.delivery_id) == (
        "expiry",
        "mailbox_full",
        452,
        delivery.pk,
    )
    assert Attempt.objects.latest("id").category == "mailbox_full"


def test_what_was_never_tried_says_nothing_about_the_address():
    make.delivery(expires_at=timezone.now() - timedelta(minutes=1))
    expiry.sweep()
    assert not Occurrence.objects.exists()
    assert tallies() == {("other", False): 1}


def test_who_lost_the_claim_neither_tallies_nor_teaches():
    delivery = make.delivery(claim=3)
    delivery.claim = 2
    write(entry(delivery, DeliveryState.BOUNCED, category="unknown_user", is_hard=True))
    assert tallies() == {}
    assert not Occurrence.objects.exists()


def test_suppressed_mail_is_tallied_apart(settings):
    Suppression.objects.create(address_key="you@mx.test", reason="asked")
    delivery = make.delivery()
    mx = play(settings)
    assert (state(delivery), mx.messages) == ("suppressed", [])
    assert tallies() == {("suppressed", False): 1}


@pytest.mark.parametrize(
    "of",
    [{"address_key": "@mx.test"}, {"address_key": "you@mx.test", "sender_domain": "shop.test"}],
)
def test_a_whole_domain_and_a_sending_domain_are_looked_at_before_delivery(settings, of):
    delivery = make.delivery()
    Suppression.objects.create(project=delivery.project, reason="asked", **of)
    play(settings)
    assert state(delivery) == "suppressed"


def test_a_suppression_of_another_sending_domain_stops_nothing(settings):
    delivery = make.delivery()
    Suppression.objects.create(
        project=delivery.project,
        address_key="you@mx.test",
        sender_domain="news.shop.test",
        reason="asked",
    )
    play(settings)
    assert state(delivery) == "delivered"


# --- probation ---
def on_probation():
    project = make.project()
    row = Suppression.objects.create(
        project=project, address_key="you@mx.test", category="unknown_user", is_hard=True,
        reason="550 no",
        probation_at=timezone.now() - timedelta(seconds=1),
    )  # fmt: skip
    return row, [make.delivery(of=make.message(of=project)) for _ in range(3)]


def test_on_probation_one_of_several_tries_and_success_lifts(settings):
    _, deliveries = on_probation()
    mx = play(settings)
    assert sorted(map(state, deliveries)) == ["delivered", "suppressed", "suppressed"]
    assert len(mx.messages) == 1
    learn()
    assert not Suppression.objects.exists()
    assert AuditEntry.objects.get().action == "lift"


@pytest.mark.parametrize("source", ["automatic", "person"])
def test_on_probation_failure_renews(settings, source):
    row, deliveries = on_probation()
    Suppression.objects.update(source=source)
    play(settings, refuse())
    assert sorted(map(state, deliveries)) == ["bounced", "suppressed", "suppressed"]
    learn()
    row.refresh_from_db()
    assert (row.source, row.count, row.probe_id) == (source, 2, None)
    assert row.probation_at > timezone.now() + timedelta(days=179)


def test_who_tries_goes_on_trying_after_a_deferral(settings):
    row, deliveries = on_probation()
    Project.objects.update(retry_schedule=[1])
    play(settings, lambda mx: mx.on("RCPT", "451 4.3.0 later", "250 2.1.5 ok"))
    assert sorted(map(state, deliveries)) == ["delivered", "suppressed", "suppressed"]
    row.refresh_from_db()
    assert Attempt.objects.filter(delivery=row.probe_id).count() == 2


# --- what only the deliveries know ---
def test_the_last_delivery_to_an_address_is_that_of_its_project():
    ended = timezone.now().replace(microsecond=0)
    mine = make.delivery(state="delivered", due_at=None, ended_at=ended)
    make.delivery(state="delivered", due_at=None, ended_at=ended + timedelta(days=1))
    keys = {(mine.project_id, "you@mx.test"), (mine.project_id, "other@mx.test")}
    assert learning.last_delivered(keys) == {(mine.project_id, "you@mx.test"): ended}


def test_the_doorbell_calls_once_for_many_rings(valkey):
    async def main():
        wakeups = JobRequests("deliveries.jobs.learn")
        for _ in range(50):
            wakeups.notify()
        await wakeups.close()

    asyncio.run(main())
    assert len(queue(MAINTENANCE)) == 1


def test_a_doorbell_that_cannot_be_rung_harms_nobody(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    async def main():
        wakeups = JobRequests("deliveries.jobs.learn")
        wakeups.notify()
        await wakeups.close()

    asyncio.run(main())
