"""The jobs of the mail path: wake-ups that look at the database and do what is to be done
there.
"""

from __future__ import annotations

import logging
import signal

from django.utils import timezone

from domains.operations.isolation import step

logger = logging.getLogger(__name__)

ORDERS_TURN = 20.0  # seconds


def drain() -> None:
    """Deliver until this worker's turn is over.

    A signal that ends the drain ends the worker too.
    """
    # uvloop and the SMTP client are only needed here.
    from deliveries.sending.drain_process import run_drain

    if run_drain():
        signal.raise_signal(signal.SIGTERM)


def sweep() -> None:
    """End the deliveries that are past their deadline."""
    from deliveries.queue import expiry

    if ended := expiry.sweep():
        logger.info("event=swept expired=%d", ended)


def carry_out_orders() -> None:
    """Go on with what people have ordered, in turns, so that the other jobs get theirs."""
    from deliveries.steering import orders, pauses

    with step("deliveries.stops"):
        pauses.let_go(seconds=ORDERS_TURN)
    if not orders.carry_out_all(seconds=ORDERS_TURN):
        pauses.call_worker()


def carry_on() -> None:
    """Go on with imports, exports and second looks whose job was lost with Valkey or its worker."""
    from deliveries.bounces import reclassify
    from deliveries.search import exporting
    from suppressions.exchange import importing

    with step("suppressions.exchange.importing"):
        importing.carry_on()
    with step("deliveries.search.exporting"):
        exporting.carry_on()
    with step("deliveries.reclassify"):
        reclassify.carry_on()


def watch_sources() -> None:
    """Lead home what waits for sources that cannot carry it any more."""
    from deliveries.steering import sources

    with step("deliveries.sources"):
        sources.lead_stranded_home()


def report_failures() -> None:
    """Send the reports that are owed."""
    from deliveries.bounces import outgoing_reports

    if sent := outgoing_reports.issue():
        logger.info("event=reported messages=%d", sent)


def receive_reports() -> None:
    """Read what came back to our return paths."""
    from deliveries.bounces import receive

    receive.handle_all()


def read_dmarc_reports() -> None:
    """Read the DMARC reports that came to port 25."""
    from deliveries.authentication import dmarc_mail
    from deliveries.backends import job_queues

    if dmarc_mail.read_all() == dmarc_mail.AT_ONCE:
        job_queues.enqueue("deliveries.jobs.read_dmarc_reports", only_once=True)


def watch_authentication() -> None:
    """Lead refusals for authentication back to domains, and verify a sample of what was signed."""
    from deliveries.authentication import refusals, sampled_days, sampling

    with step("deliveries.authentication.refusals"):
        while refusals.collect() >= refusals.BATCH:
            pass
    with step("deliveries.authentication.sampling"):
        sampling.take_turn(now=timezone.now())
    with step("deliveries.authentication.sampled_days"):
        sampled_days.follow(now=timezone.now())


def watch_switched_keys() -> None:
    """Let the key before sign again where a new one fails: its record, or what receivers say."""
    from deliveries.authentication import switched_keys
    from domains.identity import key_watch  # dnspython is only needed here

    with step("deliveries.authentication.switched_keys"):
        switched_keys.take_turn(now=timezone.now())
    with step("domains.identity.key_watch"):
        key_watch.take_turn(now=timezone.now())


def learn() -> None:
    """Make suppressions of what was learned about addresses."""
    from deliveries.bounces import learning

    learning.take_turn(now=timezone.now())


def index_messages() -> None:
    """Make what has come findable by words, senders and domains; under a flood some later."""
    from deliveries.backends import job_queues
    from deliveries.capacity import inflow
    from deliveries.search import indexing

    is_flooded = inflow.find().state != "free"
    if is_flooded and indexing.may_wait(now=timezone.now()):
        return
    is_done = True
    with step("deliveries.search"):
        is_done = indexing.take_turn()
    if not is_done:
        job_queues.enqueue("deliveries.jobs.index_messages", only_once=True)


def add_up() -> None:
    """Merge tallies and traffic counts, and warn of credentials whose mail bounces too often."""
    from deliveries.backends import job_queues
    from deliveries.insight import roll_ups, tallies
    from deliveries.steering import alerts, tenants

    is_merged = True
    with step("deliveries.tallies"):
        is_merged = tallies.merge(now=timezone.now())
    with step("deliveries.roll_ups"):
        is_merged = roll_ups.merge(now=timezone.now()) and is_merged
    alerts.check(now=timezone.now())
    tenants.check(now=timezone.now())
    if not is_merged:
        job_queues.enqueue("deliveries.jobs.add_up", only_once=True)


def warm_up() -> None:
    """Judge the days of sources that warm up, and let sources rest where a receiver blocks them."""
    from deliveries.insight import source_counts
    from deliveries.models import Source
    from deliveries.steering import source_rests, warming

    now = timezone.now()
    if not Source.objects.exists():
        return
    with step("deliveries.source_counts"):
        source_counts.merge(now=now)
    with step("deliveries.source_rests"):
        source_rests.take_turn(now=now)
    with step("deliveries.warming"):
        warming.take_turn(now=now)


def retain() -> None:
    """Remove what is kept no longer, in turns, so that the other jobs get theirs."""
    from deliveries.backends import job_queues
    from deliveries.insight import growth
    from deliveries.jobs import retention

    with step("deliveries.growth"):
        growth.note(now=timezone.now())
    if not retention.take_turn(now=timezone.now()):
        job_queues.enqueue("deliveries.jobs.retain", only_once=True)
