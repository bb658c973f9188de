"""One mail transaction as a client leads it, in as few round trips as the peer's extensions allow (sans-IO)."""

from collections.abc import Generator

from deliveries.outcomes import Deferred, Delivered, Outcome, Scope, Stage, judge
from deliveries.priorities import Priority
from deliveries.smtp.dialogue import Answer, Capabilities, Send, Session, Step, read
from deliveries.smtp.mail import Mail
from deliveries.smtp.replies import Reply, local_reply

ONE_TRIP = 65_536  # content up to this size rides with its envelope: at worst this much is sent for a refused recipient

TOO_LARGE = local_reply(552, "5.3.4", "the message is larger than the host takes")
NOT_8BIT = local_reply(554, "5.6.3", "the message has 8-bit content, which the host does not take")
NOT_UTF8 = local_reply(553, "5.6.7", "the message needs internationalized addresses, which the host does not take")

Talk = Generator[Step, Answer, Outcome]


def transact(session: Session, mail: Mail, *, is_fresh: bool = True) -> Talk:
    """Offer `mail` once. `is_fresh`: the peer was heard a moment ago.

    Only then does small content ride with its envelope. On a connection that idled, the peer may have just hung up;
    with everything sent at once that would leave every such mail in doubt, one round trip more leaves it deferred.
    """
    if obstacle := obstacle_for(mail, session.capabilities):
        return judge(obstacle, Stage.MAIL)
    if not session.capabilities.chunking:
        return (yield from _by_data(session, mail))
    is_small = mail.size <= ONE_TRIP
    if session.capabilities.pipelining and is_fresh and is_small and not session.reset_due:
        return (yield from _in_one_trip(session, mail))
    return (yield from _by_chunk(session, mail))


def obstacle_for(mail: Mail, offers: Capabilities) -> Reply | None:
    """Why this host cannot get this mail as it is; it is never converted, which would break its signature."""
    if offers.size and mail.size > offers.size:
        return TOO_LARGE
    if mail.smtputf8 and not offers.smtputf8:
        return NOT_UTF8
    # SMTPUTF8 alone lets headers be UTF-8, and with it 8BITMIME must be offered (RFC 6531 3.1)
    return NOT_8BIT if mail.eight_bit and not offers.eightbitmime else None


def dot_stuffed(content: bytes, on_top: bytes = b"") -> bytes:
    """The content as DATA sends it, with its final dot (RFC 5321 4.5.2). `on_top` are header fields, which begin with no dot."""
    first = b"." if content.startswith(b".") else b""
    return b"".join((on_top, first, content.replace(b"\r\n.", b"\r\n.."), b".\r\n"))


def _by_data(session: Session, mail: Mail) -> Talk:
    if session.capabilities.pipelining:
        refusal = yield from _envelope(session, mail, b"DATA\r\n")
        if refusal:
            return (yield from _unwind_data(session, refusal))
    else:
        refusal = yield from _envelope(session, mail)
        if refusal:
            return refusal
        yield Send(b"DATA\r\n")
    go_ahead = yield from read(Stage.DATA)
    if refusal := _refusal(session, go_ahead, Stage.DATA, wanted=3):
        session.reset_due = True
        return refusal
    return (yield from _content(session, dot_stuffed(mail.content, mail.on_top)))


def _unwind_data(session: Session, refusal: Outcome) -> Talk:
    """DATA is under way behind a refused envelope: an empty message ends it if the peer goes ahead (RFC 2920 3.1)."""
    if not session.in_step:
        return refusal
    reply = yield from read(Stage.DATA)
    if _refusal(session, reply, Stage.DATA, wanted=3) is None:
        yield Send(b".\r\n")
        yield from _end(session)
    return refusal


def _by_chunk(session: Session, mail: Mail) -> Talk:
    refusal = yield from _envelope(session, mail)
    if refusal:
        return refusal
    return (yield from _content(session, _last_chunk(mail)))


def _in_one_trip(session: Session, mail: Mail) -> Talk:
    """MAIL, RCPT and the content in one write. A peer that refuses RCPT reads the chunk all the same (RFC 3030 2)."""
    refusal = yield from _envelope(session, mail, _last_chunk(mail))
    if refusal is None:
        return (yield from _end(session))
    if refusal.reply.local:  # nothing was refused and all was sent: the peer may have read to the end before it went
        return judge(refusal.reply, Stage.BODY)
    if session.in_step:
        yield from _end(session)
        session.reset_due = True
    return refusal


def _last_chunk(mail: Mail) -> bytes:
    return b"BDAT %d LAST\r\n%b%b" % (mail.size, mail.on_top, mail.content)


def _envelope(session: Session, mail: Mail, tail: bytes = b"") -> Generator[Step, Answer, Outcome | None]:
    """MAIL and RCPT, after RSET where one is due; the first refusal. A pipelining peer gets all, and `tail`, at once."""
    commands = _commands(session, mail)
    pipelining = session.capabilities.pipelining
    if pipelining:
        yield Send(b"".join([line for _, line in commands]) + tail)
    refusal: Outcome | None = None
    for stage, line in commands:
        if not pipelining:
            yield Send(line)
        reply = yield from read(stage)
        refusal = refusal or _refusal(session, reply, stage, wanted=2)
        if refusal and not (pipelining and session.in_step):
            break
    session.reset_due = refusal is not None
    return refusal


def _commands(session: Session, mail: Mail) -> list[tuple[Stage, bytes]]:
    commands = [
        (Stage.MAIL, _mail(session.capabilities, mail)),
        (Stage.RCPT, b"RCPT TO:<%b>\r\n" % mail.recipient.encode()),
    ]
    if session.reset_due:
        # RSET puts the session back to where EHLO left it, and a refusal of it says as little about the mail.
        commands.insert(0, (Stage.EHLO, b"RSET\r\n"))
    return commands


def _mail(offers: Capabilities, mail: Mail) -> bytes:
    """DSN parameters are left out: the reverse-path is ours, and so are the reports."""
    size = b" SIZE=%d" % mail.size if offers.size is not None else b""
    body = b" BODY=8BITMIME" if mail.eight_bit else b""
    utf8 = b" SMTPUTF8" if mail.smtputf8 else b""
    is_told = offers.mt_priority and mail.priority is not Priority.NORMAL  # which is what no parameter means (RFC 6710)
    priority = b" MT-PRIORITY=%d" % mail.priority.mt_priority if is_told else b""
    return b"MAIL FROM:<%b>%b%b%b%b\r\n" % (mail.reverse_path.encode(), size, body, utf8, priority)


def _content(session: Session, data: bytes) -> Talk:
    early = yield Send(data, is_content=True)
    if early is None:
        return (yield from _end(session))
    session.in_step = False  # the peer is left in the middle of a message: only hanging up ends it
    return _unwanted(session, early, Stage.DATA)


def _end(session: Session) -> Talk:
    reply = yield from read(Stage.BODY)
    refusal = _refusal(session, reply, Stage.BODY, wanted=2)
    session.reset_due = refusal is not None  # after a refused BDAT a must (RFC 3030 2), after DATA no harm
    return refusal or Delivered(reply)


def _refusal(session: Session, reply: Reply, stage: Stage, *, wanted: int) -> Outcome | None:
    return None if reply.kind == wanted else _unwanted(session, reply, stage)


def _unwanted(session: Session, reply: Reply, stage: Stage) -> Outcome:
    """What such a reply means. After one about the session, or of a kind that answers nothing, nothing more is said."""
    if reply.kind not in (4, 5):
        reply = local_reply(451, "4.5.0", f"the host answered {reply.code} at {stage.upper()}, which has no meaning there")
    outcome = judge(reply, stage)
    if reply.local or (isinstance(outcome, Deferred) and outcome.scope is Scope.SESSION):
        session.in_step = False
    return outcome
