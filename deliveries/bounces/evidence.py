"""Chooses, of all that a report says about a recipient, what tells most."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from deliveries.bounces.wording import NO_RECIPIENT, host_in, stage_of
from deliveries.classification.classifier import Answer, Classified, classify
from deliveries.classification.reply_text import parse
from suppressions.classes import Class

MAX_REPLIES = 12
MOST = 3
MAX_SAID = 8000

# Where a reply begins in a text for people.
_REPLY = re.compile(
    r"(?:^[ \t>*]*|<<< ?|said: ?|failure: ?|failed with: ?|reason: ?|error[: ]+|response was: "
    r"?|responded: ?|returned[: ]+'?"
    r"|code: ?smtp; ?|error_code ?: ?|: |\] ?|- |\"|'|\(|@[a-z0-9.-]{1,253}>? )"
    r"(?=#?[45]\d\d[ -:]|[45]\.\d\.\d{1,3} )(?P<reply>[^\n]{3,1000})",
    re.IGNORECASE | re.MULTILINE,
)
_GOES_ON = re.compile(r"<<< \d|\d\d\d[- ](?!.{0,12}<)")
_WRAPPED = re.compile(r"(?<=\S)[ \t]{0,80}\n[ \t]{1,80}(?=\S)")

# What every report of a mail system says says nothing; addresses of hosts are told by the way.
_BOILERPLATE = re.compile(
    r"(?:i'm afraid i wasn't able to deliver your message|this is a permanent error|i've given "
    r"up|for further assistance|if you do so"
    r"|please include this problem report|delete your own text|this message was created "
    r"automatically|technical details of"
    r"|this is the (?:mail system|postfix|qmail|mail delivery)|learn more|please do not "
    r"reply|the original message was received"
    r"|no virus(?:es)? (?:was |were )?found|virus-?free|(?:ha sido|has been|was|wurde) "
    r"(?:scanned|checked|analizado|geprüft) (?:by|for|with|con|auf|mit)"
    r"|this is a mime-encapsulated|automatically generated|contact your|subject:|message from "
    r"\S|^from \S{1,200} \[|-{3,} transcript)"
    r"[^\n]*",
    re.IGNORECASE | re.MULTILINE,
)
# Nor does what Cisco and Exim write above every answer, whatever it was.
_ASIDES = re.compile(
    r"[\[(]?\b\d{1,3}(?:\.\d{1,3}){3}\b[\])]?|\bunknown address error\b"
    r"|\bsmtp error from remote mail(?: server|er)\b",
    re.IGNORECASE,
)


def best(answer: Answer, said: str) -> tuple[Classified, Answer]:
    """Choose the answer that tells most, and classify it.

    `answer` is taken where it is clear. Otherwise the answers and the prose in `said`, the text
    around it, compete by weight.
    """
    found = classify(answer)
    is_open = _is_open(found, answer)
    if found.weight >= MOST and not is_open:
        return found, answer
    others = [(classify(other), other) for other in _answers(said, answer)]
    prose = others[-1][0]
    # The first of those that say most; loose words count less where they only stand around an
    # answer.
    most = (
        (found, answer)
        if is_open
        else max(
            [(found, answer), *others],
            key=lambda each: 1.5 if each[0] is prose and prose.is_loose else _tells(each[0]),
        )
    )
    if not _is_open(*most):
        return most
    # Chosen among what the text says, it takes a code beside it to prove more.
    proofs = (
        each
        for each in others
        if each[0].class_ is Class.UNKNOWN_USER and (is_open or each[1].enhanced[2:4] == "1.")
    )
    return next(proofs, most)


def _is_open(found: Classified, answer: Answer) -> bool:
    """Tell whether somebody said "user unknown", and a filter may have done so: the text may have
    the proof.
    """
    return (
        found.class_ is Class.RECIPIENT_REFUSED
        and found.rule.startswith("unknown_user/")
        and answer.enhanced[2:4] != "7."
    )


def _tells(found: Classified) -> float:
    """Return its weight; of two that weigh the same, words tell more than a code does."""
    return found.weight + (0.0 if found.rule.startswith("code/") else 0.25)


def _answers(said: str, like: Answer) -> Iterator[Answer]:
    """Yield the replies that stand in a text, then the whole text as prose."""
    like = replace(like, stage=like.stage or stage_of(said), host=like.host or host_in(said))
    joined = _WRAPPED.sub(" ", said[:MAX_SAID])
    code_seen, by_rule = like.code, ""
    for match in _by_weight(joined):
        following = joined[match.end() : match.end() + 400]
        code, enhanced, text = parse(match["reply"] + "\n" + _continuation(following))
        code_seen = code_seen or code
        by_rule = by_rule or (enhanced if enhanced.startswith("5.7.") else "")
        yield replace(like, text=text, code=code, enhanced=enhanced or like.enhanced)
    given = parse(said)[1] or like.enhanced or by_rule
    yield replace(like, text=_prose(said), code=code_seen, enhanced=given)


def _by_weight(text: str) -> list[re.Match[str]]:
    """Return the replies in a text, those that say most first.

    What the server said goes before how the client put it; what ended it, before what was put off.
    """
    matches = [match for match, _ in zip(_REPLY.finditer(text), range(MAX_REPLIES), strict=False)]
    # The echo of what was refused before.
    matches = [match for match in matches if not NO_RECIPIENT.search(match["reply"])] or matches
    return sorted(
        matches,
        key=lambda match: (
            not match.group().startswith("<<<"),
            match["reply"].lstrip("#")[:1] == "4",
        ),
    )


def _continuation(text: str) -> str:
    """Return the lines of the same transcript that continue a reply."""
    lines = []
    for line in text.split("\n\n")[0].split("\n")[1:6]:
        if not _GOES_ON.match(line):
            break
        lines.append(line.replace("<<<", ""))
    return "\n".join(lines)


def _prose(said: str) -> str:
    return _ASIDES.sub(" ", _BOILERPLATE.sub(" ", said[:MAX_SAID]))
