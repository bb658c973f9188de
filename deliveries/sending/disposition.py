"""What becomes of a delivery after an outcome: its state, its next try, whether the sender is
told.
"""

from collections.abc import Mapping

from deliveries.classification.classifier import classify_outcome
from deliveries.models.states import DeliveryState, owes_delay, owes_report
from deliveries.queue.leased import Claimed
from deliveries.queue.ledger_entries import PASSED, LedgerEntry
from deliveries.sending import retry_schedule
from deliveries.smtp.outcomes import Bounced, Deferred, Delivered, InDoubt, Outcome, Stage
from deliveries.smtp.replies import Reply
from domains.models import Credential

URGENT = int(Credential.PriorityLevel.URGENT)


def settle(
    claimed: Claimed, outcome: Outcome, *, epoch: int, spread: float, **facts: object
) -> LedgerEntry:
    """Return the ledger's entry for this outcome.

    `facts` are the attempt's (host, address, source, tls, seconds).
    """
    match outcome:
        case Delivered(reply):
            return entry(
                claimed, epoch, DeliveryState.DELIVERED, "delivered", Stage.BODY, reply, **facts
            )
        case Bounced(reply, stage, _):
            facts |= understood(claimed, outcome, facts) | {"owes_report": _owes(claimed)}
            return entry(claimed, epoch, DeliveryState.BOUNCED, "bounced", stage, reply, **facts)
        case InDoubt(reply, stage):
            return in_doubt(claimed, reply, stage, epoch=epoch, spread=spread, **facts)
        case Deferred(reply, stage, _):
            facts |= understood(claimed, outcome, facts)
            return entry(
                claimed, epoch, DeliveryState.DEFERRED, "deferred", stage, reply,
                wait=_next_wait(claimed, spread), is_in_doubt=claimed.is_in_doubt, **facts,
            )  # fmt: skip


def understood(
    claimed: Claimed, outcome: Deferred | Bounced | InDoubt, facts: Mapping[str, object]
) -> dict[str, object]:
    """Return what the answer means, as the entry holds it."""
    found = classify_outcome(outcome, host=str(facts.get("host", "")), domain=claimed.domain)
    return {"category": found.class_.value, "rule": found.rule, "is_hard": found.is_hard}


def in_doubt(
    claimed: Claimed, reply: Reply, stage: Stage, *, epoch: int, spread: float, **facts: object
) -> LedgerEntry:
    """Return the entry for a lost reply to the final dot.

    The peer has the mail, or it has not (RFC 1047). There is one more try, later. A message whose
    reply is lost twice is not sent a third time, and the sender is told.
    """
    facts["is_in_doubt"] = True
    if claimed.in_doubt_policy == "delivered":
        return entry(claimed, epoch, DeliveryState.DELIVERED, "in_doubt", stage, reply, **facts)
    facts |= understood(claimed, InDoubt(reply, stage), facts)
    if claimed.is_in_doubt:
        state, facts["owes_report"] = DeliveryState.BOUNCED, _owes(claimed)
    else:
        state, facts["wait"] = DeliveryState.DEFERRED, _wait_in_doubt(claimed, spread)
    return entry(claimed, epoch, state, "in_doubt", stage, reply, **facts)


def _wait_in_doubt(claimed: Claimed, spread: float) -> float:
    if claimed.retry_schedule:  # a project that set its own waits means this one too: its longest
        return max(claimed.retry_schedule) * (1 + 0.1 * spread)
    return max(retry_schedule.IN_DOUBT_WAIT, _next_wait(claimed, spread))


def _next_wait(claimed: Claimed, spread: float) -> float:
    return retry_schedule.wait(claimed.attempts + 1, schedule=claimed.retry_schedule, spread=spread)


def throttled(
    claimed: Claimed, outcome: Deferred | Bounced, *, epoch: int, spread: float, **facts: object
) -> LedgerEntry:
    """Return the entry for a receiver that wants less of us for now, whatever its code.

    No try of this delivery is used up.
    """
    wait = retry_schedule.throttled(
        claimed.throttles, is_urgent=claimed.priority >= URGENT, spread=spread
    )
    facts |= understood(claimed, Deferred(outcome.reply, outcome.stage, outcome.scope), facts)
    return entry(
        claimed, epoch, DeliveryState.DEFERRED, "throttled", outcome.stage, outcome.reply,
        wait=wait, is_in_doubt=claimed.is_in_doubt, is_try=False, **facts,
    )  # fmt: skip


def put_off(
    claimed: Claimed, outcome: Deferred, *, epoch: int, wait: float, spread: float, **facts: object
) -> LedgerEntry:
    """Look again after `wait` seconds, and tell the sender meanwhile (RFC 3464: delayed)."""
    wait *= 1 + 0.1 * spread
    facts |= understood(claimed, outcome, facts)
    owes = owes_delay(claimed.mail_from, claimed.notify, claimed.sends_reports)
    return entry(
        claimed, epoch, DeliveryState.DEFERRED, "deferred", outcome.stage, outcome.reply, wait=wait,
        is_in_doubt=claimed.is_in_doubt,
        owes_report=owes, **facts,
    )  # fmt: skip


def passed(claimed: Claimed, outcome: Deferred | Bounced, **facts: object) -> LedgerEntry:
    """Record the answer of a host after which the next host was asked; the outcome itself moves the
    delivery.
    """
    return entry(
        claimed, PASSED, DeliveryState.DEFERRED, "passed", outcome.stage, outcome.reply,
        wait=0.0, is_try=False, **facts,
    )  # fmt: skip


def suppressed(claimed: Claimed, *, epoch: int) -> LedgerEntry:
    reply = Reply(550, "5.1.1", f"Suppressed: {claimed.suppressed}", local=True)
    return entry(
        claimed, epoch, DeliveryState.SUPPRESSED, "suppressed", Stage.SUPPRESSION, reply,
        is_try=False,
    )  # fmt: skip


def faulty(claimed: Claimed, *, epoch: int, spread: float, may_have_arrived: bool) -> LedgerEntry:
    """Defer a delivery at which our own code failed.

    It does not ask what the answer means: that may be what failed.
    """
    reply = Reply(451, "4.3.0", "A fault of the service; it is tried again", local=True)
    return entry(
        claimed, epoch, DeliveryState.DEFERRED, "deferred", Stage.INTERRUPTED, reply,
        wait=_next_wait(claimed, spread), is_in_doubt=claimed.is_in_doubt or may_have_arrived,
    )  # fmt: skip


def interrupted(claimed: Claimed, *, epoch: int, wait: float) -> LedgerEntry:
    """Return the entry for a delivery that a former holder had in its hands when it died.

    It may or may not have been sent.
    """
    reply = Reply(
        451,
        "4.3.0",
        "The worker ended during this delivery; it may have been sent and is tried again",
        local=True,
    )
    return entry(
        claimed, epoch, DeliveryState.DEFERRED, "in_doubt", Stage.INTERRUPTED, reply,
        wait=wait, is_in_doubt=True, is_try=False,
    )  # fmt: skip


def _owes(claimed: Claimed) -> bool:
    return owes_report(claimed.mail_from, claimed.notify, claimed.sends_reports)


def entry(
    claimed: Claimed,
    epoch: int,
    state: DeliveryState,
    outcome: str,
    stage: Stage,
    reply: Reply,
    **facts: object,
) -> LedgerEntry:
    return LedgerEntry(
        id=claimed.id,
        message_id=claimed.message_id,
        recipient=claimed.recipient,
        claim=epoch,
        state=state,
        outcome=outcome,
        stage=stage.value,
        code=None if reply.local and stage not in REPLIED_LOCALLY else reply.code,
        enhanced=reply.enhanced or "",
        text=reply.text,
        **facts,  # type: ignore[arg-type]  # the attempt's columns, by name
    )


# Stages at which there is no peer, so that our own code is the answer.
REPLIED_LOCALLY = frozenset({Stage.DNS, Stage.SUPPRESSION, Stage.EXPIRY})
