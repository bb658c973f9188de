"""How a try at a delivery can end, judged from the reply it got and the stage it had reached."""

from dataclasses import dataclass
from enum import StrEnum

from deliveries.smtp.replies import Reply


class Stage(StrEnum):
    """Where in a delivery's life an answer came; the first eleven are the steps of an SMTP session,
    in their order.
    """

    DNS = "dns"
    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # until the whole content is sent
    # the final dot (or last chunk) is out: from here on the peer may have taken the message
    BODY = "body"
    QUIT = "quit"
    SUPPRESSION = "suppression"
    EXPIRY = "expiry"
    INTERRUPTED = "interrupted"
    REPORT = "report"
    OPERATOR = "operator"
    CLAIM = "claim"  # what somebody says of a delivery and has not proven


class FailureScope(StrEnum):
    """What a refusal is about, and so what else it says something about."""

    SESSION = "session"
    SITE = "site"
    MESSAGE = "message"
    RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class Delivered:
    reply: Reply


@dataclass(frozen=True, slots=True)
class Deferred:
    reply: Reply
    stage: Stage
    scope: FailureScope


@dataclass(frozen=True, slots=True)
class Bounced:
    reply: Reply
    stage: Stage
    scope: FailureScope


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The whole message was sent and no reply came: the peer has it, or has it not (RFC 1047)."""

    reply: Reply
    stage: Stage


Outcome = Delivered | Deferred | Bounced | InDoubt

SCOPES = {
    Stage.DNS: FailureScope.SITE,
    Stage.CONNECT: FailureScope.SESSION,
    Stage.GREETING: FailureScope.SESSION,
    Stage.EHLO: FailureScope.SESSION,
    Stage.STARTTLS: FailureScope.SESSION,
    Stage.AUTH: FailureScope.SESSION,
    Stage.MAIL: FailureScope.MESSAGE,
    Stage.RCPT: FailureScope.RECIPIENT,
    Stage.DATA: FailureScope.MESSAGE,
    Stage.BODY: FailureScope.MESSAGE,
    Stage.QUIT: FailureScope.SESSION,
}


def judge(reply: Reply, stage: Stage) -> Outcome:
    """Judge what `reply` at `stage`, one of those in SCOPES, means for the delivery.

    A 5yz before MAIL speaks of the session (a crowded or misled host), never of this message:
    another host or a later time may take it. A 421 closes the session wherever it comes (RFC 5321
    3.8). Unknown trouble is temporary.
    """
    if stage is Stage.BODY and reply.local:
        return InDoubt(reply, stage)
    if stage is Stage.BODY and reply.kind == 2:
        return Delivered(reply)
    scope = FailureScope.SESSION if reply.code == 421 else SCOPES[stage]
    if reply.kind == 5 and scope is not FailureScope.SESSION:
        return Bounced(reply, stage, scope)
    return Deferred(reply, stage, scope)
