"""Reads a recorded answer or report again, with the rules of today."""

from __future__ import annotations

from deliveries.bounces.matching import key_of
from deliveries.bounces.parser import read
from deliveries.bounces.receive import LARGEST
from deliveries.classification.classifier import Answer, Classified, classify, softened
from deliveries.message import compression
from deliveries.models import InboundMail
from deliveries.smtp.outcomes import SCOPES, Stage
from suppressions.models import Occurrence, OccurrenceKind


def again(occurrence: Occurrence) -> Classified | None:
    """Return what it means by the rules of today, or None where nothing is left to read."""
    if occurrence.kind == OccurrenceKind.REPORT:
        return _of_report(occurrence)
    stage = Stage(occurrence.stage) if occurrence.stage in SCOPES else None
    domain = occurrence.address_key.rpartition("@")[2]
    # Our own words, which no rule is about.
    if occurrence.rule.startswith("code/") and not occurrence.code:
        return None
    found = classify(
        Answer(
            occurrence.text,
            occurrence.code or 0,
            occurrence.enhanced,
            stage,
            occurrence.host,
            domain,
        )
    )
    return softened(found) if occurrence.kind == OccurrenceKind.EXPIRY else found


def _of_report(occurrence: Occurrence) -> Classified | None:
    """Classify from the whole report, where it is kept: what was taken down of it is not all that
    was looked at.
    """
    mail = (
        InboundMail.objects.filter(pk=occurrence.inbound_id).first()
        if occurrence.inbound_id
        else None
    )
    if mail is None:
        return None
    try:
        report = read(compression.decompress(bytes(mail.data), most=LARGEST))
    except ValueError:
        return None
    same = [
        fate for fate in report.fates if key_of(fate.recipient) == occurrence.address_key
    ] or list(report.fates)
    return same[0].classified if same else None
