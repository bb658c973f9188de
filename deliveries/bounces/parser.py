"""Reads whatever came back: what kind of mail it is, whom it is about, and what happened to
each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deliveries.bounces import feedback, notification
from deliveries.bounces.charsets import decode
from deliveries.bounces.mime import LOOKED_AT, Fields, Part, mails, take_apart
from deliveries.bounces.parsed_report import RecipientStatus, Report, ReportKind, judged
from deliveries.bounces.status_reports import by_status, recipient_status
from deliveries.bounces.text_reports import by_text
from deliveries.bounces.wording import host_in, notice, stage_of
from deliveries.classification.classifier import Answer, plainly
from suppressions.classes import Class

MAX_NESTING = 3


def read(data: bytes) -> Report:
    """Read a report: take anything, never raise, look at the first megabyte."""
    report = _read(data, 0)
    if report.fates or report.kind is not ReportKind.BOUNCE:
        return report
    return replace(report, fates=_of_nobody(data))


def read_mails(data: bytes) -> tuple[ReportKind, list[RecipientStatus]]:
    """Read a mail, or an mbox of them: as one that has all their recipients, and the kind of the
    first that has one.
    """
    reports = [read(each) for each in mails(data)]
    kinds = (report.kind for report in reports if report.kind is not ReportKind.NONE)
    return next(kinds, ReportKind.NONE), [fate for report in reports for fate in report.fates]


def _of_nobody(data: bytes) -> tuple[RecipientStatus, ...]:
    """Return what a report says that names nobody, where it says anything.

    The return path that it came to may name whom.
    """
    text = notice("\n\n".join(_texts(take_apart(data)[1])))[0]
    answer = Answer("", stage=stage_of(text), host=host_in(text))
    found = judged("", answer, text, ReportKind.BOUNCE)
    return (found,) if found.classified.weight else ()


def _read(data: bytes, depth: int) -> Report:
    if (
        data[:64].lstrip()[:1] == b"{"
        and (announced := notification.read(decode(data[:LOOKED_AT]))) is not None
    ):
        return _of_notice(announced)  # the body of an HTTP call, kept as it came
    fields, parts = take_apart(data)
    text, rest = notice("\n\n".join(_texts(parts)))
    report = (
        _complaint(fields, parts, text) or _notification(parts) or by_status(fields, parts, text)
    )
    report = report or by_text(fields, parts, text, rest)
    if report is None or (
        report.kind is ReportKind.BOUNCE
        and not any(fate.classified.weight for fate in report.fates)
    ):
        return _inner(parts, depth, report, text) or report or Report(ReportKind.NONE)
    return report


def _inner(parts: Sequence[Part], depth: int, outer: Report | None, text: str) -> Report | None:
    """Return a report that somebody passed on; inside one that gives no reason, only what gives
    one for the same recipients.
    """
    for part in parts if depth < MAX_NESTING else ():
        # A list's mail is no report.
        if part.type != "message/rfc822" or "list-id" in take_apart(part.body)[0]:
            continue
        inner = _read(part.body, depth + 1)
        names_nobody = outer is None or not any(
            fate.recipient and fate.recipient in text for fate in outer.fates
        )
        says_more = outer is None or any(fate.classified.weight for fate in inner.fates)
        if (
            names_nobody
            and says_more
            and inner.kind not in (ReportKind.NONE, ReportKind.AUTO_REPLY)
        ):
            return inner
        if outer is not None:
            return _with_reasons(outer, part, inner)
    return None


def _with_reasons(outer: Report, part: Part, inner: Report) -> Report | None:
    """Give the outer report the reasons that the original holds; return None where it holds none.

    A gateway's report may say no more than "could not": the original may hold the transcript of the
    host behind it.
    """
    known = {fate.recipient.lower(): fate for fate in inner.fates if fate.classified.weight}
    fates = []
    for fate in outer.fates:
        found = known.get(fate.recipient.lower())
        if (
            found is None
            and "<<<" in (said := notice("\n\n".join(_texts(take_apart(part.body)[1])))[0])
            and fate.recipient in said
        ):
            found = judged(
                fate.recipient,
                Answer("", stage=stage_of(said), host=host_in(said)),
                said,
                ReportKind.BOUNCE,
            )
        fates.append(found or fate)
    return replace(outer, fates=tuple(fates)) if fates != list(outer.fates) else None


def _texts(parts: Sequence[Part]) -> list[str]:
    """Return what is written for people, before the original.

    It is plain text, or HTML where there is nothing else.
    """
    end = next((number for number, part in enumerate(parts) if part.is_original), len(parts))
    plain = [part.text for part in parts[:end] if part.type == "text/plain"]
    return (
        plain
        if any(map(str.strip, plain))
        else [part.text for part in parts[:end] if part.type == "text/html"]
    )


def _complaint(fields: Fields, parts: Sequence[Part], text: str) -> Report | None:
    found = feedback.read(fields, parts, text)
    if found is None:
        return None
    classified = plainly(Class.COMPLAINT, rule="complaint", detail=found.type)
    return Report(
        ReportKind.COMPLAINT,
        tuple(RecipientStatus(recipient, classified) for recipient in found.recipients),
        complaint=found.type,
    )


def _notification(parts: Sequence[Part]) -> Report | None:
    """Return what a sending service tells in JSON, or None."""
    for part in parts:
        if (
            part.type in ("text/plain", "application/json")
            and (announced := notification.read(part.text)) is not None
        ):
            return _of_notice(announced)
    return None


def _of_notice(announced: notification.Notification) -> Report:
    kind = ReportKind(announced.kind)
    if kind is ReportKind.COMPLAINT:
        classified = plainly(Class.COMPLAINT, rule="complaint", detail="abuse")
        return Report(
            kind,
            tuple(RecipientStatus(each.recipient, classified) for each in announced.statuses),
            complaint="abuse",
        )
    return Report(
        kind, tuple(recipient_status(each, each.diagnostic, kind) for each in announced.statuses)
    )
