"""Reads whatever came back: what kind of mail it is, whom it is about, and what happened to
each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from deliveries.bounces import feedback, kinds, likeness, notification
from deliveries.bounces.charsets import decode
from deliveries.bounces.evidence import MOST, best
from deliveries.bounces.freeform import MAX_RECIPIENTS, Mention, bare_names, mentions
from deliveries.bounces.mime import LOOKED_AT, Fields, Part, header, read_fields, take_apart
from deliveries.bounces.status import Status, stands_in, statuses
from deliveries.bounces.wording import addresses, host_in, notice, stage_of
from deliveries.classification.classifier import Answer, Classified, parse, plainly, softened
from domains.foundation.text.texts import one_line
from suppressions.classes import Class


class ReportKind(StrEnum):
    BOUNCE = "bounce"
    DELAY = "delay"
    DELIVERED = "delivered"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """What the report says of one recipient; `text` is its evidence, `action` and `status` are the
    words of RFC 3464 where it has them.

    The words are a stranger's: each is one printable line, cut to size, and fit for a database.
    """

    recipient: str
    classified: Classified
    code: int = 0
    enhanced: str = ""
    text: str = ""
    host: str = ""
    action: str = ""
    status: str = ""

    def __post_init__(self) -> None:
        for name, most in (
            ("recipient", 320),
            ("enhanced", 12),
            ("text", 1000),
            ("host", 255),
            ("action", 20),
            ("status", 20),
        ):
            object.__setattr__(self, name, one_line(getattr(self, name), most))


@dataclass(frozen=True, slots=True)
class Report:
    """`complaint` is its feedback type (RFC 5965, section 7.3), for many providers name no
    recipient who could have it in his fate.
    """

    kind: ReportKind
    fates: tuple[RecipientStatus, ...] = ()
    reporter: str = ""
    complaint: str = ""


ACTIONS = {
    "failed": ReportKind.BOUNCE, "failure": ReportKind.BOUNCE, "error": ReportKind.BOUNCE,
    "delayed": ReportKind.DELAY,
    "delivered": ReportKind.DELIVERED, "relayed": ReportKind.DELIVERED,
    "expanded": ReportKind.DELIVERED,
    "deliverable": ReportKind.DELIVERED,
}  # fmt: skip
WORST_FIRST = (ReportKind.BOUNCE, ReportKind.DELAY, ReportKind.DELIVERED)
MAX_NESTING = 3


def read(data: bytes) -> Report:
    """Takes anything and never raises; looks at the first megabyte."""
    return _read(data, 0)


def _read(data: bytes, depth: int) -> Report:
    if (
        data[:64].lstrip()[:1] == b"{"
        and (told := notification.read(decode(data[:LOOKED_AT]))) is not None
    ):
        return _of_notice(told)  # the body of an HTTP call, kept as it came
    fields, parts = take_apart(data)
    text, rest = notice("\n\n".join(_texts(parts)))
    report = (
        _complaint(fields, parts, text) or _notification(parts) or _by_status(fields, parts, text)
    )
    report = report or _by_text(fields, parts, text, rest)
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
        if (
            part.type != "message/rfc822" or "list-id" in take_apart(part.body)[0]
        ):  # a list's mail is no report
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
    """A gateway's report that says no more than "could not": the original may hold the transcript
    of the host behind it.
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
            found = _judged(
                fate.recipient,
                Answer("", stage=stage_of(said), host=host_in(said)),
                said,
                ReportKind.BOUNCE,
            )
        fates.append(found or fate)
    return replace(outer, fates=tuple(fates)) if fates != list(outer.fates) else None


def _texts(parts: Sequence[Part]) -> list[str]:
    """What is written for people, before the original: plain text, or HTML where there is nothing
    else.
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
    """What a sending service tells in JSON."""
    for part in parts:
        if (
            part.type in ("text/plain", "application/json")
            and (told := notification.read(part.text)) is not None
        ):
            return _of_notice(told)
    return None


def _of_notice(told: notification.Notification) -> Report:
    kind = ReportKind(told.kind)
    if kind is ReportKind.COMPLAINT:
        classified = plainly(Class.COMPLAINT, rule="complaint", detail="abuse")
        return Report(
            kind,
            tuple(RecipientStatus(each.recipient, classified) for each in told.statuses),
            complaint="abuse",
        )
    return Report(kind, tuple(_fate(each, each.diagnostic, kind) for each in told.statuses))


def _by_status(fields: Fields, parts: Sequence[Part], text: str) -> Report | None:
    found = [each for each in statuses(_status_text(parts)) if each.recipient or each.diagnostic]
    if not found:
        return None
    found = _with_names(found, text)
    all_kinds = [_kind_of(each, fields, text) for each in found]
    fates = [
        _fate(each, said, kind)
        for each, said, kind in zip(found, _said_of(found, text), all_kinds, strict=True)
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
    """A recipient given in the manner of X.400 or of a pipe has its address in the text."""
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
    """The part of the text about each; all of it where there is one recipient only."""
    if len(found) == 1:
        return [text]
    sections = {each.recipient.lower(): each.text for each in mentions(text)}
    return [
        sections.get(each.recipient.lower()) or sections.get(each.final.lower(), "")
        for each in found
    ]


def _fate(status: Status, said: str, kind: ReportKind) -> RecipientStatus:
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
    answer = Answer(
        text,
        code,
        given,
        stage_of(status.diagnostic) or stage_of(said),
        status.host or host_in(said),
        _domain(status.final or status.recipient),
    )
    return replace(
        _judged(status.recipient, answer, said, kind), action=status.action, status=status.status
    )


def _judged(recipient: str, answer: Answer, said: str, kind: ReportKind) -> RecipientStatus:
    found, spoke = best(answer, said)
    if kind is ReportKind.DELAY:  # it may still arrive
        found = (
            softened(found)
            if found.weight
            else plainly(Class.NETWORK, rule="delay", detail="expired")
        )
    return RecipientStatus(
        recipient,
        found,
        spoke.code or answer.code,
        spoke.enhanced or answer.enhanced,
        spoke.text or said,
        spoke.host,
    )


def _by_text(fields: Fields, parts: Sequence[Part], text: str, rest: str) -> Report | None:
    is_from_a_mailer = _is_from_a_mailer(fields)
    if kinds.is_receipt(fields, {part.type for part in parts}):
        return Report(ReportKind.AUTO_REPLY, tuple(_answered(fields, "receipt")))
    if not is_from_a_mailer and not kinds.says_undelivered(fields):
        if not likeness.is_report(fields, parts, text, rest):
            return _automatic(fields, text)
        is_from_a_mailer = True
    kind = ReportKind.DELAY if kinds.is_delay(fields, text) else ReportKind.BOUNCE
    whom = list(_whom(fields, parts, text, rest))
    fates = tuple(
        _by_mention(each, said, text, kind, is_alone=len(whom) == 1) for each, said in whom
    )
    if (
        is_from_a_mailer
        or kinds.states_failure(text)
        or (_understands(fates) and not kinds.is_an_answer(fields))
    ):
        return Report(kind, fates)
    return _automatic(fields, text)  # people write about deliveries, too


def _understands(fates: Sequence[RecipientStatus]) -> bool:
    return any(fate.classified.weight and fate.classified.rule != "delay" for fate in fates)


def _is_from_a_mailer(fields: Fields) -> bool:
    if "x-failed-recipients" in fields:
        return True
    is_formal = header(fields, "content-type").lower().startswith("multipart/report")
    return (is_formal or kinds.comes_from_a_mailer(fields)) and (
        not kinds.says_absent(fields) or kinds.says_undelivered(fields)
    )


def _automatic(fields: Fields, text: str) -> Report | None:
    is_challenge = kinds.is_challenge(fields, text)
    if not is_challenge and not kinds.is_automatic(fields):
        return None
    return Report(
        ReportKind.AUTO_REPLY, tuple(_answered(fields, "challenge" if is_challenge else ""))
    )


def _answered(fields: Fields, detail: str) -> Iterator[RecipientStatus]:
    """Who answered."""
    for sender in addresses(header(fields, "from"))[:1]:
        yield RecipientStatus(sender, plainly(Class.AUTO_REPLY, rule="auto_reply", detail=detail))


def _whom(fields: Fields, parts: Sequence[Part], text: str, rest: str) -> Iterator[tuple[str, str]]:
    """Each recipient, and what is said about it alone."""
    failed = list(
        dict.fromkeys(
            address
            for value in fields.get("x-failed-recipients", [])
            for address in addresses(value)
        )
    )
    named = [
        address.lower()
        for name in ("from", "to", "sender", "return-path")
        for address in addresses(header(fields, name))
    ]
    found = mentions(text, not_them=frozenset(named) - {address.lower() for address in failed})
    if failed:
        yield from _told_of(failed, found, text)
    elif found:
        yield from ((each.recipient, each.text) for each in found)
    elif bare := bare_names(text, _domain(next(iter(addresses(header(fields, "from"))), ""))):
        yield from ((each.recipient, each.text) for each in bare)
    else:
        yield from ((recipient, text) for recipient in _of_original(parts, rest))


def _told_of(
    failed: Sequence[str], found: Sequence[Mention], text: str
) -> Iterator[tuple[str, str]]:
    """Exim and Google say in the header whom they failed to reach; the text may name what the
    address was turned into.
    """
    said = {each.recipient.lower(): each.text for each in found}
    others = [
        each.text
        for each in found
        if each.recipient.lower() not in {address.lower() for address in failed}
    ]
    for address in failed[:MAX_RECIPIENTS]:
        yield address, said.get(address.lower()) or (others.pop(0) if others else text)


def _of_original(parts: Sequence[Part], rest: str) -> list[str]:
    """The one recipient of the original, where it names one and is no list's mail."""
    headers = [take_apart(part.body)[0] for part in parts if part.is_original]
    for fields in [*headers, read_fields(rest[:8000])]:
        if "list-id" not in fields and header(fields, "precedence").lower() != "list":
            found = addresses(header(fields, "to"))
            if len(found) == 1:
                return found
    return []


def _by_mention(
    recipient: str, said: str, text: str, kind: ReportKind, *, is_alone: bool
) -> RecipientStatus:
    """By the part about it; where that tells nothing, by the whole text: some give the reason
    first and for all.
    """
    around = text if is_alone else said
    answer = Answer(
        "",
        stage=stage_of(said) or stage_of(around),
        host=host_in(said) or host_in(around),
        domain=_domain(recipient),
    )
    fate = _judged(recipient, answer, said, kind)
    if fate.classified.weight >= MOST and not is_alone:
        return fate
    wider = _judged(recipient, answer, text, kind)
    return wider if wider.classified.weight > fate.classified.weight else fate


def _domain(address: str) -> str:
    return address.rpartition("@")[2]
