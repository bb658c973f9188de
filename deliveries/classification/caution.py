"""Weighs the signs that an address is dead: it is called so by two that do not depend on each
other, or by one that is certain.

A wrong "dead" silences a customer; a wrong "alive" costs one more message. Words alone are said by
filters, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from deliveries.smtp.outcomes import Stage
from suppressions.classes import Class

ENOUGH = 2
CERTAIN = 2
OWNER = ("7.17",)  # RFC 7293, section 5: the mailbox has another owner than the sender thinks

# Who says so could not ask, has not finished asking, or may be asked again.
DOUBT = re.compile(
    r"verification in progress|unverified address|(could not|cannot|can't|unable to|failed to) (be "
    r")?(verif|validat|check|contact|reach)"
    r"|callout|call-out|try again later|try later|temporar|look-?up (failure|failed|error)|ldap"
    r"|directory (server )?(unavail|error)"
    r"|not responding|did not respond|timed? out|timeout|service unavailable"
    r"|internal (server )?error|recipient verification"
    r"|(not |un)available (at the moment|at this time|right now|for now)"
)
# For a domain it is the look-up itself that may have failed for now; "DNS lookup failure: host not
# found" is an answer.
DOMAIN_DOUBT = re.compile(
    r"found,? try again|try again later|try later|temporar|timed? ?out|timeout|servfail|not "
    r"responding|server failure|unreachable"
)
# Said beside a vague "unavailable", these are the reason. "Rejected" alone is none: Postfix says it
# of everything.
OTHER_REASON = re.compile(
    r"polic(y|ies)|\bspam|black ?-?list|block ?-?list|reputation|not (authori[sz]ed|allowed"
    r"|permitted)|restrict|\bblocked|security|quarantin|virus|\brate\b|quota|\bfull\b|suspended"
    r"|disabled|only accepts?\b|accepts only|inactive"
)
# Beside a code whose words nobody knows, these say that the code was not meant.
OTHER_WORDS = re.compile(
    OTHER_REASON.pattern + r"|denied|required|refus|closed|locked|expired|too (large|big)|exceed"
)
# With the code 556 or 521 alone (RFC 7504), words that have to do with it.
NO_MAIL_HERE = re.compile(
    r"\b(accept\w*|e?-?mails?|smtp|mx|domain|host|server|receiv\w*|service)\b"
)
# It speaks of somebody else: who sent it, from where, or what stands in the message.
ABOUT_OTHERS = re.compile(
    r"sender (address )?(verif|reject|domain)|sender's|envelope.?sender|\b(helo|ehlo|reply-to)\b"
    r"|client host|\byour (ip|host|server|network|domain|country|helo)\b"
    r"|\bin (the )?(message |to |from )?(header|body|links?)\b|\bheader (to|from|cc)\b|too many"
    r"|dictionary|harvest"
)
REFUSED = "unknown_user/rejected-address"
# Words that are also said where nobody was looked up.
VAGUE = frozenset(
    {
        "unknown_user/mailbox-unavailable",
        REFUSED,
        "unknown_user/stem-en-unknown",
    }
)


@dataclass(frozen=True, slots=True)
class Sign:
    """What speaks for a dead address (`weight` above 0) or against it (below), in a few words for
    people.
    """

    says: str
    weight: int


def signs(
    class_: Class,
    text: str,
    *,
    rule: str,
    is_certain: bool,
    code: int,
    enhanced: str,
    stage: Stage | None,
) -> tuple[Sign, ...]:
    """Return the signs for an answer whose words (`text` as `normal` leaves it) or code mean
    `class_`, one of the two dead ones.
    """
    if is_certain:
        return (
            Sign("words that a known receiver or program says of dead addresses only", CERTAIN),
        )
    is_code = rule.startswith("code/")
    found = [_first(rule, is_code=is_code)]
    if class_ is Class.UNKNOWN_USER:
        found += _of_user(text, enhanced, stage)
    else:
        found += _of_domain(enhanced, code, stage)
    if is_doubtful(class_, text):
        found.append(Sign("who answers could not ask, or may be asked again", -2))
    if (match := ABOUT_OTHERS.search(text)) is not None:
        found.append(Sign(f'the words "{match.group()}" are about somebody else', -2))
    reason = (OTHER_WORDS if is_code else OTHER_REASON).search(text)
    if reason is not None:
        weight = -2 if is_code or rule in VAGUE else -1
        found.append(Sign(f'the words "{reason.group()}" give another reason', weight))
    if is_temporary(code, enhanced):
        found.append(Sign("the reporter calls it temporary", -1))
    return tuple(each for each in found if each.weight)


def _first(rule: str, *, is_code: bool) -> Sign:
    if is_code:
        return Sign(f"the code {rule.removeprefix('code/')}, which has one meaning", 1)
    if rule == REFUSED:
        return Sign("words that say no more than that it was refused", 0)
    return Sign("words", 1)


def is_doubtful(class_: Class, text: str) -> bool:
    """Tell whether the words say that it is not known yet; `text` as `normal` leaves it."""
    return (DOUBT if class_ is Class.UNKNOWN_USER else DOMAIN_DOUBT).search(text) is not None


def is_unsure(text: str, code: int, enhanced: str) -> bool:
    """Tell whether a look-up of a domain may end otherwise next time, and no code says that it is
    the domain's fault; `text` as `normal` leaves it.
    """
    may_pass = is_doubtful(Class.UNKNOWN_DOMAIN, text) or is_temporary(code, enhanced)
    return may_pass and enhanced[2:] != "1.2"


def is_no_mail(text: str) -> bool:
    """Tell whether words beside the code 556 or 521 let it mean that no mail is taken there; `text`
    as `normal` leaves it. Some use these numbers for something else.
    """
    if not any(map(str.isalpha, text)):
        return True
    others = OTHER_WORDS.search(text) or ABOUT_OTHERS.search(text)
    return NO_MAIL_HERE.search(text) is not None and others is None


def is_temporary(code: int, enhanced: str) -> bool:
    """Tell if a code says that another try may go well (RFC 5321, section 4.2.1; RFC 3463, section
    2).
    """
    return 400 <= code < 500 or (enhanced.startswith("4.") and code < 500)


def is_dead(found: tuple[Sign, ...]) -> bool:
    return sum(each.weight for each in found) >= ENOUGH


def _of_user(text: str, enhanced: str, stage: Stage | None) -> list[Sign]:
    found = []
    subject = enhanced[2:4]
    if subject == "1." or enhanced[2:] in OWNER:
        found.append(Sign(f"the code {enhanced}, which is about the address", 1))
    elif subject == "2." and "available" in text:
        # RFC 3463, section 3.3: X.2.y is about the state of a mailbox, which then exists. Some say
        # so of those that do not, in plain words.
        found.append(Sign(f"the code {enhanced}, which is about a mailbox", -1))
    elif subject == "7.":
        # RFC 3463: X.7.y is about security: who says so speaks of a rule, whatever the words are.
        found.append(Sign(f"the code {enhanced}, which is about a rule", -1))
    if stage is Stage.RCPT:
        found.append(Sign("said when the recipient was named", 1))
    elif stage in (Stage.DATA, Stage.BODY) and subject != "1.":
        found.append(Sign("said after the content, as filters do", -1))
    return found


def _of_domain(enhanced: str, code: int, stage: Stage | None) -> list[Sign]:
    found = []
    if enhanced[2:] in ("1.2", "4.4", "1.10", "4.310"):
        found.append(Sign(f"the code {enhanced}, which is about the domain", 1))
    if code >= 500 or enhanced.startswith("5."):
        found.append(Sign("a refusal for good", 1))
    elif not code and not enhanced:
        found.append(Sign("the reporter's own look-up", 1))
    if stage in (Stage.DATA, Stage.BODY):
        found.append(Sign("it may be the domain of any address in the message", -2))
    return found
