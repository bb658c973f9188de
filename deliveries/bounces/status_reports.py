"""Read a report by its delivery status (RFC 3464), or by the fields of one in its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deliveries.bounces import kinds
from deliveries.bounces.freeform import mentions
from deliveries.bounces.mime import Fields, Part
from deliveries.bounces.parsed_report import RecipientStatus, Report, ReportKind, domain_of, judged
from deliveries.bounces.status import Status, stands_in, statuses
from deliveries.bounces.wording import host_in, is_masked, stage_of
from deliveries.classification.classifier import Answer, plainly
from deliveries.classification.reply_text import parse
from domains.foundation.text.texts import one_line
from suppressions.classes import Class

ACTIONS = {
    "failed": ReportKind.BOUNCE, "failure": ReportKind.BOUNCE, "error": ReportKind.BOUNCE,
    "delayed": ReportKind.DELAY,
    "delivered": ReportKind.DELIVERED, "relayed": ReportKind.DELIVERED,
    "expanded": ReportKind.DELIVERED,
    "deliverable": ReportKind.DELIVERED,
}  # fmt: skip

WORST_FIRST = (ReportKind.BOUNCE, ReportKind.DELAY, ReportKind.DELIVERED)


def by_status(fields: Fields, parts: Sequence[Part], text: str) -> Report | None:
    found = [each for each in statuses(_status_text(parts)) if each.recipient or each.diagnostic]
    if not found:
        return None
    found = _with_names(found, text)
    all_kinds = [_kind_of(each, fields, text) for each in found]
    fates = [
        recipient_status(each, said, kind)
        for each, said, kind in zip(found, _said_of(found, text), all_kinds, strict=True)
        if not is_masked(each.recipient)
    ]
    kind = next(kind for kind in WORST_FIRST if kind in all_kinds)
    return Report(
        kind,
        tuple(fates),
        one_line(next((each.reporter for each in found if each.reporter), ""), 255),
    )


def _status_text(parts: Sequence[Part]) -> str:
    types = ("message/delivery-status", "message/global-delivery-status")
    found = next((part.text for part in parts if part.type in types), "")
    return found or next(
        (part.text for part in parts if part.type == "text/plain" and stands_in(part.text)), ""
    )


def _with_names(found: list[Status], text: str) -> list[Status]:
    """Give a single recipient without an address the one that the text names.

    A recipient given in the manner of X.400 or of a pipe has its address in the text.
    """
    if len(found) > 1 or "@" in found[0].recipient:
        return found
    named = mentions(text)
    return [replace(found[0], recipient=named[0].recipient)] if len(named) == 1 else found


def _kind_of(status: Status, fields: Fields, text: str) -> ReportKind:
    if status.action in ACTIONS:
        return ACTIONS[status.action]
    if status.status.startswith("2"):
        return ReportKind.DELIVERED
    return ReportKind.DELAY if kinds.is_delay(fields, text) else ReportKind.BOUNCE


def _said_of(found: Sequence[Status], text: str) -> list[str]:
    """Return the part of the text about each; all of it where there is one recipient only."""
    if len(found) == 1:
        return [text]
    sections = {each.recipient.lower(): each.text for each in mentions(text)}
    return [
        sections.get(each.recipient.lower()) or sections.get(each.final.lower(), "")
        for each in found
    ]


def recipient_status(status: Status, said: str, kind: ReportKind) -> RecipientStatus:
    code, enhanced, text = parse(status.diagnostic)
    if kind is ReportKind.DELIVERED:
        classified = plainly(Class.DELIVERED, rule=f"action/{status.action or 'delivered'}")
        return RecipientStatus(
            status.recipient,
            classified,
            code,
            enhanced or status.status,
            text,
            status.host,
            status.action,
            status.status,
        )
    given = enhanced or ("" if status.status == "5.0.0" else status.status)
    told = given
    if status.is_program and given[2:] == "1.1":
        given = ""  # an exit status, made into a code by who called it: no server knew the address
    answer = Answer(
        text,
        code,
        given,
        stage_of(status.diagnostic) or stage_of(said),
        status.host or host_in(said),
        domain_of(status.final or status.recipient),
    )
    found = judged(status.recipient, answer, said, kind)
    return replace(
        found, enhanced=found.enhanced or told, action=status.action, status=status.status
    )
