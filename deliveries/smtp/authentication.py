"""How a client logs in (RFC 4954), as a dialogue, and why it does not where that would be of no
use.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Generator
from dataclasses import dataclass, field, replace

from deliveries.smtp.dialogue import Answer, ClientSession, Send, Step, read
from deliveries.smtp.outcomes import Bounced, Deferred, FailureScope, Outcome, Stage, judge
from deliveries.smtp.replies import Reply, local_reply

NONE = "none"
INITIAL_MOST = 500  # octets of an AUTH command with its response (RFC 4954, section 4: 512)
# Replies by which a host asks for a log-in or refuses ours, wherever they come (RFC 4954, section
# 6): they are about us and not about the message.
ABOUT_LOGIN = frozenset({530, 534, 535, 538})


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to a smarthost. `secret` is the password, or the access token; one that says hello
    with `our_name` is ourselves.
    """

    mechanism: str = NONE
    username: str = ""
    secret: str = field(default="", repr=False)
    our_name: str = ""


Talk = Generator[Step, Answer, Outcome | None]


def authenticate(
    session: ClientSession, login: Login, *, host: str, port: int, our_name: str
) -> Talk:
    """Log in where that is wanted; an outcome where the session is of no use then.

    `host` and `port` are what we connected to. One that has a name of ours is ourselves, and would
    send what it gets back here.
    """
    if session.name in (our_name.lower(), login.our_name.lower() or our_name.lower()):
        return judge(_itself(session.name), Stage.EHLO)
    if login.mechanism == NONE:
        return None
    if login.mechanism not in session.capabilities.auth:
        return judge(_not_offered(login, session), Stage.AUTH)
    reply = yield from _say(login, host, port)
    return None if reply.kind == 2 else _refused(reply)


def is_about_login(outcome: Outcome) -> bool:
    """Tell if the host wants a log-in of us, or another one, before it looks at the message."""
    return (
        isinstance(outcome, Bounced | Deferred)
        and not outcome.reply.local
        and (outcome.stage is Stage.AUTH or outcome.reply.code in ABOUT_LOGIN)
    )


def as_refused_login(outcome: Outcome) -> Outcome:
    """Return what such an answer to MAIL or RCPT is: one about the session."""
    if isinstance(outcome, Bounced) and is_about_login(outcome):
        return Deferred(outcome.reply, outcome.stage, FailureScope.SESSION)
    return outcome


def _say(login: Login, host: str, port: int) -> Generator[Step, Answer, Reply]:
    """Hold the exchange of the mechanism, and return the reply that ends it."""
    if login.mechanism == "LOGIN":  # draft-murchison-sasl-login
        first, *later = [b"", login.username.encode(), login.secret.encode()]
    else:
        first, later = _response(login, host, port), []
    command = b"AUTH %s" % login.mechanism.encode()
    if first and len(command) + len(encoded := b64encode(first)) < INITIAL_MOST:
        command += b" " + encoded
    elif first:
        later = [first]
    yield Send(command + b"\r\n", is_secret=True)
    reply = yield from read(Stage.AUTH)
    for response in later:
        if reply.kind != 3:
            return reply
        yield Send(b64encode(response) + b"\r\n", is_secret=True)
        reply = yield from read(Stage.AUTH)
    return (yield from _told_why(login, reply)) if reply.kind == 3 else reply


def _response(login: Login, host: str, port: int) -> bytes:
    match login.mechanism:
        case "PLAIN":  # RFC 4616
            return b"\0%s\0%s" % (login.username.encode(), login.secret.encode())
        case "XOAUTH2":  # https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
            return f"user={login.username}\1auth=Bearer {login.secret}\1\1".encode()
        case "OAUTHBEARER":  # RFC 7628; RFC 5801 for the two characters
            name = login.username.replace("=", "=3D").replace(",", "=2C")
            head = f"n,a={name},\1host={host}\1port={port}\1"
            return f"{head}auth=Bearer {login.secret}\1\1".encode()
    raise ValueError(f"no mechanism {login.mechanism}")


def _told_why(login: Login, challenge: Reply) -> Generator[Step, Answer, Reply]:
    """Answer the challenge that says why a token is refused, after which the refusal comes (RFC
    7628, section 3.2.3).
    """
    yield Send(b"AQ==\r\n" if login.mechanism == "OAUTHBEARER" else b"\r\n", is_secret=True)
    reply = yield from read(Stage.AUTH)
    why = _status(challenge.text)
    return replace(reply, text=f"{reply.text} (status {why})") if why else reply


def _status(challenge: str) -> str:
    try:
        refusal = json.loads(b64decode(challenge, validate=True))
    except ValueError:
        return ""
    status = refusal.get("status") if isinstance(refusal, dict) else ""
    return status[:40] if isinstance(status, str) and status.isascii() else ""


def _refused(reply: Reply) -> Outcome:
    if reply.kind not in (4, 5):
        text = f"the host answered {reply.code} at AUTH, which has no meaning there"
        reply = local_reply(451, "4.7.0", text)
    return judge(reply, Stage.AUTH)


def _itself(name: str) -> Reply:
    text = (
        f"the smarthost says hello as {name}, which is this service's own name: mail would go in "
        "circles"
    )
    return local_reply(451, "4.4.6", text)


def _not_offered(login: Login, session: ClientSession) -> Reply:
    offered = ", ".join(sorted(session.capabilities.auth)) or "none"
    text = f"the smarthost does not offer AUTH {login.mechanism} (it offers: {offered[:200]})"
    return local_reply(451, "4.7.0", text)
