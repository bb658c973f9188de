"""Read a report that was written for people, by its header and its text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deliveries.bounces import kinds, likeness
from deliveries.bounces.evidence import MOST
from deliveries.bounces.freeform import (
    MAX_RECIPIENTS,
    Mention,
    bare_names,
    behind,
    mentions,
    written_to,
)
from deliveries.bounces.mime import Fields, Part, header, read_fields, take_apart
from deliveries.bounces.parsed_report import RecipientStatus, Report, ReportKind, domain_of, judged
from deliveries.bounces.wording import addresses, host_in, stage_of
from deliveries.classification.classifier import Answer, plainly
from suppressions.classes import Class


def by_text(fields: Fields, parts: Sequence[Part], text: str, rest: str) -> Report | None:
    is_from_a_mailer = _is_from_a_mailer(fields)
    if kinds.is_receipt(fields, {part.type for part in parts}):
        return Report(ReportKind.AUTO_REPLY, tuple(_answered(fields, "receipt")))
    # What a list sends out may be headed as a report is.
    is_headed_so = kinds.says_undelivered(fields) and "list-id" not in fields
    if not is_from_a_mailer and not is_headed_so:
        if not likeness.is_report(fields, parts, text, rest):
            is_answer = likeness.is_answer(fields, parts, text, rest)
            return _automatic(fields, text, is_answer=is_answer)
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


def _automatic(fields: Fields, text: str, *, is_answer: bool = False) -> Report | None:
    is_challenge = kinds.is_challenge(fields, text)
    if not is_challenge and not is_answer and not kinds.is_automatic(fields):
        return None
    return Report(
        ReportKind.AUTO_REPLY, tuple(_answered(fields, "challenge" if is_challenge else ""))
    )


def _answered(fields: Fields, detail: str) -> Iterator[RecipientStatus]:
    """Name the sender of an automatic answer as the recipient who answered."""
    for sender in addresses(header(fields, "from"))[:1]:
        yield RecipientStatus(sender, plainly(Class.AUTO_REPLY, rule="auto_reply", detail=detail))


def _whom(fields: Fields, parts: Sequence[Part], text: str, rest: str) -> Iterator[tuple[str, str]]:
    """Yield each recipient with the part of the text about it alone."""
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
        yield from ((written_to(each), each.text) for each in found)
        if len(found) == 1:
            known = {found[0].recipient.lower(), written_to(found[0]).lower()}
            yield from ((each, text) for each in behind(text, known))
    elif bare := bare_names(text, domain_of(next(iter(addresses(header(fields, "from"))), ""))):
        yield from ((each.recipient, each.text) for each in bare)
    else:
        yield from ((recipient, text) for recipient in _of_original(parts, rest))


def _told_of(
    failed: Sequence[str], found: Sequence[Mention], text: str
) -> Iterator[tuple[str, str]]:
    """Yield the recipients of X-Failed-Recipients (Exim, Google) with the text about each, which
    may name the address that it was turned into.
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
    """Return the one recipient of the original, where it names one and is no list's mail."""
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
    """Judge by the part about the recipient; by the whole text where that tells more, since some
    systems give the reason once for all.
    """
    around = text if is_alone else said
    answer = Answer(
        "",
        stage=stage_of(said) or stage_of(around),
        host=host_in(said) or host_in(around),
        domain=domain_of(recipient),
    )
    fate = judged(recipient, answer, said, kind)
    if fate.classified.weight >= MOST and not is_alone:
        return fate
    wider = judged(recipient, answer, text, kind)
    return wider if wider.classified.weight > fate.classified.weight else fate
