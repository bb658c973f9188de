"""Tells by a mail's header and first words what came back: a report, an absence note, a challenge; and a warning from the end."""

from __future__ import annotations

import re

from deliveries.bounces.mime import Fields, header


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)


_MAILER = _any(
    r"mailer-?daemon|post ?master|mail(er)? delivery|delivery (sub)?system|mail ?delivery|mail ?system|mail administrator",
    r"undeliver|bounce|symantec_antivirus|\bndr@|<>",
)
_UNDELIVERED = _any(
    r"undeliver|non-?deliver|not delivered|could not be delivered|unable to deliver|returned (to sender|mail)|failure noti|delayed",
    r"delivery (status|report|has failed|fail|notif|problem|error|warning|delay|not)|bounced?\b|automatically rejected",
    r"(mail|message|e-?mail|delivery) (\w+ )?(delivery|fail|could not|not deliver|status|error|rejected|returned|warning|undeliver)",
    r"postmaster notify|nameserver error report|considered unsolicited|errors from",
    r"unzustellbar|non remis|no entregad|impossibile|недоставлен|не доставлено|退信|投递失败",
    r"(配信|送信)(エラー|不能|失敗|でき)|エラー(メール|通知)|届け(る|でき)|不達|メールの配信",
)
_ABSENT = _any(
    r"^(re: ?)?(auto(matic|mated)?[- :]?(re|response|answer|antwort|acknowledg)|ooo\b|away\b|vacation|absen[ct]|i am (away|out))",
    r"^(re: ?)?on (vacation|leave|holiday)|out of (the )?office|auto[- ]?reply",
    r"abwesen|automatische antwort|réponse automatique|respuesta automática|risposta automatica|resposta automática",
    r"fuera de (la )?oficina|afwezig|автоответ|自動(返信|応答|配信)|不在|休暇|自动回复|自動回覆",
)
_CHALLENGE = _any(
    r"(confirm|verify|approve|validate) (that )?(your|you|this|the|delivery)[^\n]{0,60}(message|e-?mail|mail|sender|sent|human|person)",
    r"challenge[- /]response|spamarrest|boxtrapper|sender verification|requires confirmation|awaiting (your )?(approval|confirmation)",
    r"click[^\n]{0,60}to (release|deliver|confirm|verify)",
)
_DELAYED = _any(
    r"warning message only|this is a warning|warning only|advisory-only|only a notification about a delay|temporary failure report",
    r"delivery[^\n]{0,30}delayed|has been (delayed|postponed)|is delayed for|not yet been delivered|delivery incomplete",
    r"still being retried|will be retried|retry for \d|(will )?(continue|keep) (trying|to try|to attempt)|attempts will continue",
    r"no action is required|配信が遅れ|再送を(試み|続け)",
)
_GIVEN_UP = _any(
    r"given up|failed permanently|permanent(ly)? (error|fail)|will be deleted|has been returned|could not be delivered for \d+ days",
    r"no further (delivery )?attempts",
)
_FAILED = _any(
    r"^(?![>|])[^\n]{0,200}?((could|can|was|were|has|have) ?(not|n't)|unable to|failed to|cannot) (be |been )?deliver",
    r"^(?![>|])[^\n]{0,200}?(送信|配信|お届け)(が)?(でき|に失敗)",
)
_ANSWER = _any(r"^(re|aw|antw|sv|fwd?|wg|tr|rv|回复|答复|返信)\s*[:：]")
_WARNS = _any(r"\bdelay|warning|遅延")
# RFC 3834, section 5, says Auto-Submitted; these were there before it.
_MARKS = (
    "x-autoreply", "x-autorespond", "x-autoresponse", "x-auto-reply", "x-autoreply-from", "x-mail-autoreply", "x-vacation",
)  # fmt: skip


def comes_from_a_mailer(fields: Fields) -> bool:
    """Not by Return-Path: absence notes have the null one as well."""
    return any(_MAILER.search(header(fields, name)) for name in ("from", "sender"))


def says_undelivered(fields: Fields) -> bool:
    return _UNDELIVERED.search(header(fields, "subject")) is not None


def is_an_answer(fields: Fields) -> bool:
    """A person who answers a report leaves its subject as it is."""
    return _ANSWER.match(header(fields, "subject")) is not None


def states_failure(text: str) -> bool:
    """In words of its own, not in a quotation."""
    return _FAILED.search(text[:4000]) is not None


def says_absent(fields: Fields) -> bool:
    return _ABSENT.search(header(fields, "subject")) is not None


def is_automatic(fields: Fields) -> bool:
    """Sent by a program; reports say so too, so this is asked after them."""
    submitted = header(fields, "auto-submitted").lower().partition(";")[0].strip()
    precedence = header(fields, "precedence").lower().replace("-", "_")
    return submitted not in ("", "no") or precedence == "auto_reply" or _is_marked(fields) or says_absent(fields)


def is_answer_of_program(fields: Fields) -> bool:
    """An absence note and its like: what it says beyond that was written by others (RFC 3834)."""
    submitted = header(fields, "auto-submitted").lower().partition(";")[0].strip()
    precedence = header(fields, "precedence").lower().replace("-", "_")
    return submitted == "auto-replied" or precedence == "auto_reply" or _is_marked(fields) or says_absent(fields)


def _is_marked(fields: Fields) -> bool:
    return any(mark in fields for mark in _MARKS)


def is_challenge(fields: Fields, text: str) -> bool:
    """A filter asks the sender to prove that a person wrote."""
    return any(_CHALLENGE.search(said) for said in (header(fields, "subject"), text[:4000]))


def is_delay(fields: Fields, text: str) -> bool:
    """A report that only warns: the mail system goes on trying."""
    if _GIVEN_UP.search(text):
        return False
    return _WARNS.search(header(fields, "subject")) is not None or _DELAYED.search(text) is not None
