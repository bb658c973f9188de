"""Classifies an answer: a receiver's own words first, then everybody's, then the enhanced code,
then the bare one.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from deliveries.classification import caution, codes
from deliveries.classification.caution import Sign
from deliveries.classification.dialects import DIALECTS, provider_of
from deliveries.classification.language_phrases import LANGUAGES, NOT_AT
from deliveries.classification.local_rules import LocalRules
from deliveries.classification.message_phrases import (
    CONTENT,
    DENIED,
    FORM,
    LATE,
    LINKS,
    NETWORK,
    POLICY,
    PROGRAMS,
    SPAM,
    SYSTEM,
    TOO_LARGE,
    VIRUS,
)
from deliveries.classification.provider_codes import PROVIDER_CODES
from deliveries.classification.reasons import REASONS
from deliveries.classification.recipient_phrases import (
    DISABLED,
    DNS_TROUBLE,
    DOMAIN,
    FULL,
    NO_MAIL,
    REFUSES,
    REJECTED,
    SYSTEM_FULL,
    TOLD,
    UNKNOWN,
)
from deliveries.classification.rules import HARD, BounceRule, RuleTable, normal
from deliveries.classification.sender_phrases import (
    ADDRESS,
    AUTHENTICATION,
    LISTS,
    NAMES,
    RATE,
    RELAY,
    SENDER,
    SENDER_LISTED,
    SENDING,
)
from deliveries.classification.stems import LAST, MAY_NOT, STEMS
from deliveries.smtp.outcomes import Bounced, Deferred, InDoubt, Stage
from suppressions.classes import MEANINGS, Class, Fault

# What is said plainly comes before what is said by the way: "spam" or "policy" stand in many a
# refusal of another kind.
TELLING = (
    *PROVIDER_CODES, *DIALECTS, *REASONS,
    *PROGRAMS, *FORM, *AUTHENTICATION, *SENDER_LISTED, *NAMES, *LINKS, *LISTS, *VIRUS, *SENDING,
    *SYSTEM_FULL, *FULL, *RATE,
    *TOO_LARGE, *RELAY, *REFUSES, *SENDER, *NO_MAIL, *ADDRESS, *DNS_TROUBLE, *DOMAIN, *DISABLED,
    *TOLD, *NOT_AT, *UNKNOWN, *MAY_NOT, *LANGUAGES, *STEMS, *SPAM,
)  # fmt: skip
LOOSE = (*CONTENT, *NETWORK, *DENIED, *POLICY, *SYSTEM, *REJECTED, *LATE, *LAST)
PHRASES = (*TELLING, *LOOSE)
_SHIPPED = (RuleTable(TELLING), RuleTable(LOOSE))
_tables = _SHIPPED
# Rules that people have added, for this process: they speak before the shipped ones. None until
# somebody has read them.
_added: LocalRules | None = None
_LOOSE_NAMES = {rule.name for rule in LOOSE}
REPORTERS_REASONS = {"mailbox_disabled/au-account"}
VAGUE = {"system/trouble", "network/expired", "recipient_refused/rejected"}
# Postfix names the check that refused before it says why.
_CHECK = re.compile(r"^<?@>?: recipient address rejected: (?=\S)(?!access denied)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said, at which stage and by whom, about which domain; what is not known is empty."""

    text: str
    code: int = 0
    enhanced: str = ""
    stage: Stage | None = None
    host: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Classified:
    """`is_hard`: more mail to this address is pointless.

    `detail` says more than the class, or is empty. `rule` is who spoke.

    `signs`: what was weighed where the words say that the address is dead.
    """

    class_: Class
    is_hard: bool
    fault: Fault
    detail: str
    rule: str
    signs: tuple[Sign, ...] = ()

    @property
    def weight(self) -> int:
        """How much this says: 4 the reporter's reason for what its server said; 3 words, or a code
        that is used for one thing only; 2 words that are said of many things; 1 a code; 0 nothing.
        """
        if self.rule in REPORTERS_REASONS:
            return 4
        if self.rule in VAGUE:
            return 2
        if (
            not self.rule.startswith("code/")
            or codes.by_telling(self.rule.removeprefix("code/")) is not None
        ):
            return 3
        return 0 if self.class_ is Class.OTHER else 1

    @property
    def is_loose(self) -> bool:
        """True for words that also stand in texts about something else."""
        return self.rule in _LOOSE_NAMES


def classify(answer: Answer) -> Classified:
    text = _CHECK.sub("", normal(answer.text))
    provider = provider_of(answer.host, answer.domain)
    if (
        _added
        and (spoke := _added.find(text, provider=provider, stage=answer.stage, code=answer.code))
        is not None
    ):
        return Classified(
            spoke.class_, spoke.is_hard, MEANINGS[spoke.class_].fault, spoke.detail, spoke.full_name
        )
    # Tables that are measured want to be asked each time.
    judge = _judged if _tables is _SHIPPED else _judged.__wrapped__
    return judge(text, provider, answer.stage, answer.code, answer.enhanced, _tables)


@lru_cache(maxsize=1024)  # receivers repeat themselves, and addresses are out of the text already
def _judged(
    text: str,
    provider: str,
    stage: Stage | None,
    code: int,
    enhanced: str,
    tables: tuple[RuleTable, RuleTable],
) -> Classified:
    """Judge `text` as `normal` leaves it."""
    answer = Answer("", code, enhanced, stage)
    # Said for one thing only, whatever words come with it.
    if codes.is_own(enhanced, provider) or codes.is_exact(enhanced):
        return _by_codes(answer, text, provider)
    telling, loose = tables
    found = telling.find(text, provider=provider, stage=stage, code=code)
    is_vague = (
        found is not None
        and found.name in caution.VAGUE
        and caution.OTHER_REASON.search(text) is not None
    )
    if is_vague or (found is None and codes.by_telling(answer.enhanced, provider) is None):
        found = loose.find(text, provider=provider, stage=stage, code=code) or found
    if found is not None and enhanced[2:4] == "7.":
        is_trouble = found.name == "system/trouble" and enhanced.startswith("5.")
        knows_rule = codes.by_telling(enhanced, provider) is not None
        if is_trouble or (found.name in caution.VAGUE and knows_rule):
            found = None  # "Rejected", "service unavailable", and a code that says: by a rule
    if found is not None and code in codes.NO_MAIL and found.name in _LOOSE_NAMES:
        found = None  # RFC 7504: whatever words come with it
    return _by_rule(found, answer, text) if found else _by_codes(answer, text, provider)


def add(rules: LocalRules | None) -> None:
    """Ask these rules before the shipped ones, in place of those added before."""
    global _added
    _added = rules


@contextmanager
def speaking(telling: RuleTable, loose: RuleTable) -> Iterator[None]:
    """Let these tables speak in place of the shipped ones: for measuring what a rule is worth,
    never in a service.
    """
    global _tables
    shipped, _tables = _tables, (telling, loose)
    try:
        yield
    finally:
        _tables = shipped


@cache
def version() -> str:
    """Return a digest of the shipped tables; any change of a rule, sign or code changes it."""
    said = "\n".join(
        repr(
            (
                rule.name,
                rule.class_,
                rule.pattern,
                rule.is_hard,
                rule.says_so_itself,
                sorted(rule.providers),
                sorted(rule.stages),
                sorted(rule.codes),
            )
        )
        for rule in PHRASES
    )
    said += inspect.getsource(caution) + inspect.getsource(codes)
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def classify_outcome(
    outcome: Deferred | Bounced | InDoubt, *, host: str, domain: str = ""
) -> Classified:
    """Tell what a failed try means. Nothing that may still go well is hard."""
    reply = outcome.reply
    answer = Answer(reply.text, reply.code, reply.enhanced or "", outcome.stage, host, domain)
    # Our own codes say just what we mean.
    found = _by_codes(answer, "") if reply.local else classify(answer)
    return found if isinstance(outcome, Bounced) else softened(found)


def plainly(class_: Class, *, rule: str, detail: str = "") -> Classified:
    """Classify what needs no reading of an answer."""
    return Classified(class_, False, MEANINGS[class_].fault, detail, rule)


def softened(found: Classified) -> Classified:
    return replace(found, is_hard=False) if found.is_hard else found


def _by_rule(rule: BounceRule, answer: Answer, text: str) -> Classified:
    class_, is_hard, detail = rule.class_, rule.is_hard, rule.detail
    against: tuple[Sign, ...] = ()
    if class_ in HARD and answer.stage in codes.ABOUT_US:
        class_, is_hard = codes.ABOUT_US[answer.stage], False
    elif class_ is Class.UNKNOWN_DOMAIN and codes.is_of_sender(answer.stage, answer.enhanced):
        class_, is_hard = Class.SENDER_REFUSED, False
    elif class_ in HARD and is_hard:
        against = _signs(class_, rule.name, answer, text, is_certain=rule.says_so_itself)
        is_hard = caution.is_dead(against)
        if class_ is Class.UNKNOWN_USER and not is_hard:
            class_ = Class.RECIPIENT_REFUSED
        elif not is_hard and caution.is_unsure(text, answer.code, answer.enhanced):
            class_, detail = Class.NETWORK, "dns"
    elif is_hard:  # a domain that takes no mail
        is_hard = not caution.is_temporary(answer.code, answer.enhanced)
    return Classified(class_, is_hard, MEANINGS[class_].fault, detail, rule.name, against)


def _signs(
    class_: Class, name: str, answer: Answer, text: str, *, is_certain: bool
) -> tuple[Sign, ...]:
    return caution.signs(
        class_,
        text,
        rule=name,
        is_certain=is_certain,
        code=answer.code,
        enhanced=answer.enhanced,
        stage=answer.stage,
    )


def _by_codes(answer: Answer, text: str, provider: str = "") -> Classified:
    class_ = codes.by_enhanced(answer.enhanced, provider)
    name = f"code/{answer.enhanced}"
    if class_ is None:
        class_, name = codes.by_code(answer.code, answer.stage), f"code/{answer.code}"
    if class_ is None:
        class_, name = Class.OTHER, "code/none"
    if class_ in HARD and answer.stage in codes.ABOUT_US:
        class_ = codes.ABOUT_US[answer.stage]
    detail = codes.detail(answer.enhanced, provider) if name == f"code/{answer.enhanced}" else ""
    if answer.code in codes.NO_MAIL and class_ in (Class.NETWORK, Class.SYSTEM):
        is_meant = answer.enhanced[2:] in codes.NO_MAIL_TOO or caution.is_no_mail(text)
        class_, detail = Class.NETWORK, "accepts_no_mail" if is_meant else ""
    if class_ not in HARD:
        is_hard = detail == "accepts_no_mail"
        return Classified(class_, is_hard, MEANINGS[class_].fault, detail, name)
    against = _signs(class_, name, answer, text, is_certain=False)
    is_hard = caution.is_dead(against)
    if class_ is Class.UNKNOWN_USER and not is_hard:
        class_ = Class.SYSTEM if caution.is_doubtful(class_, text) else Class.RECIPIENT_REFUSED
    return Classified(class_, is_hard, MEANINGS[class_].fault, detail, name, against)
