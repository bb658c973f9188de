"""What a report does to the delivery it is about: its state, an attempt for the record, the
tallies, and what is learned from it.

What is not proven does none of that: it is kept beside the delivery as a claim, for people to read.
"""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.utils import timezone

from deliveries.backends import job_queues, maillog
from deliveries.bounces import findings
from deliveries.bounces.matching import Match, key_of
from deliveries.bounces.parsed_report import RecipientStatus, Report, ReportKind
from deliveries.classification.classifier import plainly
from deliveries.models import (
    Attempt,
    Delivery,
    InboundMail,
    SourceCount,
    SourceEvent,
    Tally,
    TrafficCount,
    TrafficEvent,
)
from deliveries.models.states import DeliveryState, owes_report
from deliveries.smtp.outcomes import Stage
from suppressions.classes import Class
from suppressions.models import Occurrence, OccurrenceKind

# RFC 5965, section 7.3, RFC 6449, and the words of some providers. Not: not-spam, virus, other;
# auth-failure is about a forged sender.
BY_USERS = frozenset(
    {"abuse", "fraud", "opt-out", "opt-out-list", "unsubscribe", "complaint", "miscategorized"}
)

REPORT, CLAIM = Stage.REPORT.value, Stage.CLAIM.value
CLAIMS_MOST = 5  # kept with one delivery; anybody can write more


def bounce(mail: InboundMail, report: Report, match: Match) -> str:
    """Move what was delivered to bounced; the report stays as its evidence. Returns the finding."""
    if not match.is_proven:
        return _claims(report, match, "bounce")
    found = [_bounce(mail, report, delivery) for delivery in match.deliveries]
    moved = [class_ for class_, _ in found if class_]
    if not moved:
        return found[0][1]
    transaction.on_commit(partial(job_queues.call, "deliveries.jobs.learn"))
    return f"{findings.BOUNCED}: {', '.join(dict.fromkeys(moved))}"


def _bounce(mail: InboundMail, report: Report, delivery: Delivery) -> tuple[str, str]:
    """Let a delivered delivery bounce; return its class and "", or "" and why nothing was done."""
    if delivery.state != DeliveryState.DELIVERED:
        return "", f"{findings.OTHER_STATE}: {delivery.state}"
    fate = _fate_of(delivery, report)
    if fate is None:
        return "", findings.NO_REPORT
    if fate.classified.class_ is Class.DELIVERED:
        return "", f"{findings.OTHER_KIND}: {ReportKind.DELIVERED}"
    _note(delivery, fate, outcome="bounced", host=report.reporter or fate.host)
    delivery.state = DeliveryState.BOUNCED
    delivery.owes_report = owes_report(
        delivery.message.mail_from, delivery.notify, delivery.project.sends_reports
    )
    delivery.save(update_fields=["state", "owes_report"])
    _tally(delivery, "delivered", is_hard=False, by=-1)
    _count_bounce(delivery)
    _tally(delivery, fate.classified.class_, is_hard=fate.classified.is_hard, by=1)
    _learn(mail, delivery, fate, OccurrenceKind.REPORT)
    return fate.classified.class_, ""


def complaint(mail: InboundMail, report: Report, match: Match) -> str:
    """Record the complaint for each delivery that has none yet, and return the finding.

    The recipient wants no more of it, whatever else is said. One complaint of a message is enough.
    """
    kind = report.complaint
    if kind not in BY_USERS:
        return f"{findings.NOT_OF_USER}: {kind}"
    if not match.is_proven:
        return _claims(report, match, f"complaint ({kind})")
    fresh = [
        delivery
        for delivery in match.deliveries
        if not delivery.attempts.filter(outcome="complained").exists()
    ]
    for delivery in fresh:
        fate = _fate_of(delivery, report) or RecipientStatus(
            delivery.recipient, plainly(Class.COMPLAINT, rule="complaint", detail=kind)
        )
        said = RecipientStatus(
            delivery.recipient,
            fate.classified,
            text=f"Feedback report: {kind}",
            host=report.reporter,
        )
        _note(delivery, said, outcome="complained", host=report.reporter)
        _tally(delivery, Class.COMPLAINT, is_hard=False, by=1)
        _count_for_source(delivery)
        _learn(mail, delivery, said, OccurrenceKind.COMPLAINT)
    transaction.on_commit(partial(job_queues.call, "deliveries.jobs.learn"))
    return f"{findings.COMPLAINED}: {kind}" if fresh else findings.COMPLAINED_BEFORE


def _claims(report: Report, match: Match, what: str) -> str:
    """Keep with each delivery what somebody says of it.

    It has no class: no figure and no rule looks at it.
    """
    for delivery in match.deliveries:
        if delivery.is_live or delivery.attempts.filter(stage=CLAIM).count() >= CLAIMS_MOST:
            continue
        fate = _fate_of(delivery, report)
        said = (
            " ".join(filter(None, (str(fate.code or ""), fate.enhanced, fate.text)))
            if fate is not None
            else ""
        )
        Attempt.objects.create(
            delivery=delivery, outcome="claimed", stage=CLAIM,
            host=report.reporter or (fate.host if fate is not None else ""),
            text=f"Not proven: somebody claims a {what}" + (f": {said}" if said else ""),
        )  # fmt: skip
    return f"{findings.CLAIMED}: {what}"


def _fate_of(delivery: Delivery, report: Report) -> RecipientStatus | None:
    """Return what the report says of this delivery's recipient, else the first that it says.

    The return path names one recipient; the report may call it by the address that it was forwarded
    to.
    """
    same = [fate for fate in report.fates if key_of(fate.recipient) == delivery.recipient_key]
    return next(iter(same or report.fates), None)


def _note(delivery: Delivery, fate: RecipientStatus, *, outcome: str, host: str) -> None:
    Attempt.objects.create(
        delivery=delivery, outcome=outcome, stage=REPORT, host=host, code=fate.code or None,
        enhanced=fate.enhanced[:11],
        text=fate.text, category=fate.classified.class_, rule=fate.classified.rule,
    )  # fmt: skip
    about = [(delivery.message_id, delivery.pk, delivery.recipient)]
    maillog.ended_later(about, outcome=outcome, stage=REPORT, text=fate.text)


def _count_bounce(delivery: Delivery) -> None:
    """Count the bounce in the minute in which it was reported; the earlier count as delivered
    stays.
    """
    if not delivery.is_report:
        TrafficCount.objects.create(
            at=timezone.now().replace(second=0, microsecond=0), priority=delivery.priority,
            event=TrafficEvent.BOUNCED, amount=1,
        )  # fmt: skip


def _tally(delivery: Delivery, category: str, *, is_hard: bool, by: int) -> None:
    """Add to the tally of the hour in which it was reported; earlier counts stay.

    Our own reports are left out: they are no customer's mail.
    """
    if delivery.is_report:
        return
    Tally.objects.create(
        hour=timezone.now().replace(minute=0, second=0, microsecond=0),
        project_id=delivery.project_id, credential_id=delivery.flow,
        provider=delivery.lane.provider, category=category, is_hard=is_hard, amount=by,
    )  # fmt: skip


def _count_for_source(delivery: Delivery) -> None:
    """Count a complaint for the source by which the message left."""
    lane = delivery.lane
    if lane.home_id is not None and not delivery.is_report:
        SourceCount.objects.create(
            hour=timezone.now().replace(minute=0, second=0, microsecond=0), source=lane.source,
            receiver=lane.provider, project_id=delivery.project_id,
            event=SourceEvent.COMPLAINT, amount=1,
        )  # fmt: skip


def _learn(
    mail: InboundMail, delivery: Delivery, fate: RecipientStatus, kind: OccurrenceKind
) -> None:
    # It has proven something: it is kept as long as what it proved.
    mail.delivery_id = mail.delivery_id or delivery.pk
    if delivery.is_report:
        return
    Occurrence.objects.create(
        project_id=delivery.project_id, credential_id=delivery.flow,
        address_key=delivery.recipient_key, kind=kind,
        category=fate.classified.class_, is_hard=fate.classified.is_hard,
        provider=delivery.lane.provider, delivery_id=delivery.pk,
        inbound_id=mail.pk, stage=REPORT, host=fate.host, code=fate.code or None,
        enhanced=fate.enhanced[:11], text=fate.text,
        rule=fate.classified.rule,
    )  # fmt: skip
