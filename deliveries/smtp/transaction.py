"""One mail transaction as a client leads it, in as few round trips as the peer's extensions allow
(sans-IO).
"""

from collections.abc import Generator

from deliveries.message.priorities import Priority
from deliveries.smtp.dialogue import Answer, ClientSession, Glance, Send, Step, read
from deliveries.smtp.mail import Mail
from deliveries.smtp.obstacles import obstacle_for
from deliveries.smtp.outcomes import (
    Bounced,
    Deferred,
    Delivered,
    FailureScope,
    InDoubt,
    Outcome,
    Stage,
    judge,
)
from deliveries.smtp.peer import suspect
from deliveries.smtp.replies import Reply, local_reply

# content up to this size rides with its envelope: at worst this much is sent for a refused
# recipient
ONE_TRIP = 65_536

NO_MEANING = "4.5.0"  # the enhanced code of our own words for a reply that answers nothing
CHUNKING, PIPELINING = "CHUNKING", "PIPELINING"


Talk = Generator[Step, Answer, Outcome]


def transact(
    session: ClientSession, mail: Mail, *, is_fresh: bool = True, now: float = 0.0
) -> Talk:
    """Offer `mail`, and again without each extension that the peer may have refused in its place,
    until that changes the answer.

    `is_fresh`: it was heard a moment ago. Where the session has ended with that, `session.way_back`
    says what to leave out in another one. `now` is the time of day.
    """
    session.way_back = None
    offers = session.capabilities
    outcome = yield from _offer(session, mail, is_fresh=is_fresh)
    while not isinstance(outcome, Delivered) and (
        blamed := suspect(session.said, outcome, session.peer.proven)
    ):
        if (
            blamed == CHUNKING
            # whether the host takes what follows for the chunk or for commands (RFC 3030, section
            # 2), nobody knows
        ):
            session.in_step = False
        if not session.in_step:
            session.way_back = blamed
            break
        session.capabilities = session.capabilities.without(frozenset({blamed}))
        again = yield from _offer(session, mail, is_fresh=is_fresh)
        if not is_same(again, outcome):
            session.peer.breaks(blamed, outcome.reply, now=now)
            session.capabilities = offers = offers.without(frozenset({blamed}))
        outcome = again
    session.capabilities = offers
    if isinstance(outcome, Delivered):
        session.has_delivered = True
        session.peer.proven |= session.said
    elif session.in_step:
        # It has answered each command of a group, the next loss is no fault of it.
        session.peer.proven |= session.said & {PIPELINING}
    elif isinstance(outcome, InDoubt) and CHUNKING in session.said - session.peer.proven:
        # The second try, if there is one, goes by DATA.
        session.peer.breaks(CHUNKING, outcome.reply, now=now)
    return outcome


def is_same(again: Outcome, outcome: Deferred | Bounced | InDoubt) -> bool:
    """Tell whether leaving something out has changed nothing."""
    return not isinstance(again, Delivered) and (again.stage, again.reply.code) == (
        outcome.stage,
        outcome.reply.code,
    )


def _offer(session: ClientSession, mail: Mail, *, is_fresh: bool) -> Talk:
    """Return the dialogue that offers `mail` once.

    Only where the peer was heard a moment ago does small content ride with its envelope. On a
    connection that idled, the peer may have just hung up; with everything sent at once that would
    leave every such mail in doubt, one round trip more leaves it deferred. A peer that has taken no
    chunk yet gets its first message by DATA, and is asked at the second.
    """
    session.said.clear()
    if obstacle := obstacle_for(mail, session.capabilities):
        return _unsaid(obstacle)
    peer = session.peer
    if not session.capabilities.chunking or (
        CHUNKING not in peer.proven and (peer.is_probed or not session.has_delivered)
    ):
        return _by_data(session, mail)
    is_small = mail.size <= ONE_TRIP
    if CHUNKING not in peer.proven:
        return _by_first_chunk(session, mail)
    if session.capabilities.pipelining and is_fresh and is_small and not session.reset_due:
        return _in_one_trip(session, mail)
    return _by_chunk(session, mail)


def _unsaid(obstacle: Reply) -> Talk:
    """Refuse here what this host does not take."""
    return judge(obstacle, Stage.MAIL)
    yield  # makes it a dialogue like the others


def dot_stuffed(content: bytes, on_top: bytes = b"") -> bytes:
    """Return the content as DATA sends it, with its final dot (RFC 5321 4.5.2).

    `on_top` are header fields, which begin with no dot.
    """
    first = b"." if content.startswith(b".") else b""
    return b"".join((on_top, first, content.replace(b"\r\n.", b"\r\n.."), b".\r\n"))


def _by_data(session: ClientSession, mail: Mail) -> Talk:
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


def _unwind_data(session: ClientSession, refusal: Outcome) -> Talk:
    """End a DATA that is under way behind a refused envelope: by an empty message, if the peer goes
    ahead (RFC 2920 3.1).
    """
    if not session.in_step:
        return refusal
    reply = yield from read(Stage.DATA)
    if _refusal(session, reply, Stage.DATA, wanted=3) is None:
        yield Send(b".\r\n")
        yield from _end(session)
    return refusal


def _by_chunk(session: ClientSession, mail: Mail) -> Talk:
    refusal = yield from _envelope(session, mail)
    if refusal:
        return refusal
    session.said.add(CHUNKING)
    return (yield from _content(session, _last_chunk(mail)))


def _by_first_chunk(session: ClientSession, mail: Mail) -> Talk:
    """Send the line of BDAT alone, and the content a moment later.

    A host that offers chunks and does not know them says so, or hangs up, at the line. So nothing
    is in doubt then, and no content is taken for commands.
    """
    refusal = yield from _envelope(session, mail)
    if refusal:
        return refusal
    if PIPELINING in session.said:  # what follows is no fault of it
        session.said.discard(PIPELINING)
        session.peer.proven.add(PIPELINING)
    session.said.add(CHUNKING)
    session.peer.is_probed = True
    try:
        yield Send(b"BDAT %d LAST\r\n" % mail.size)
        if early := (yield Glance()):
            return _unwanted(session, early, Stage.DATA)
        return (yield from _content(session, mail.on_top + mail.content))
    finally:
        session.peer.is_probed = False


def _in_one_trip(session: ClientSession, mail: Mail) -> Talk:
    """Send MAIL, RCPT and the content in one write.

    A peer that refuses RCPT reads the chunk all the same (RFC 3030, section 2).
    """
    refusal = yield from _envelope(session, mail, _last_chunk(mail))
    session.said.add(CHUNKING)
    if refusal is None:
        return (yield from _end(session))
    # Nothing was refused and all was sent: the peer may have read to the end before it went.
    if refusal.reply.local:
        return judge(refusal.reply, Stage.BODY)
    if session.in_step:
        yield from _end(session)
        session.reset_due = True
    return refusal


def _last_chunk(mail: Mail) -> bytes:
    return b"BDAT %d LAST\r\n%b%b" % (mail.size, mail.on_top, mail.content)


def _envelope(
    session: ClientSession, mail: Mail, tail: bytes = b""
) -> Generator[Step, Answer, Outcome | None]:
    """Send MAIL and RCPT, after RSET where one is due; return the first refusal.

    A pipelining peer gets all, and `tail`, at once.
    """
    commands = _commands(session, mail)
    pipelining = session.capabilities.pipelining
    if pipelining:
        session.said.add(PIPELINING)
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


def _commands(session: ClientSession, mail: Mail) -> list[tuple[Stage, bytes]]:
    commands = [
        (Stage.MAIL, _mail(session, mail)),
        (Stage.RCPT, b"RCPT TO:<%b>\r\n" % mail.recipient.encode()),
    ]
    if session.reset_due:
        # RSET puts the session back to where EHLO left it, and a refusal of it says as little about
        # the mail.
        commands.insert(0, (Stage.EHLO, b"RSET\r\n"))
    return commands


def _mail(session: ClientSession, mail: Mail) -> bytes:
    """Write MAIL without DSN parameters: the reverse-path is ours, and so are the reports."""
    offers, line = session.capabilities, b"MAIL FROM:<%b>" % mail.reverse_path.encode()
    if offers.size is not None:
        session.said.add("SIZE")
        line += b" SIZE=%d" % mail.size
    if mail.eight_bit and offers.eightbitmime:
        session.said.add("8BITMIME")
        line += b" BODY=8BITMIME"
    if mail.smtputf8 and offers.smtputf8:
        session.said.add("SMTPUTF8")
        line += b" SMTPUTF8"
    # NORMAL is what no parameter means (RFC 6710)
    if offers.mt_priority and mail.priority is not Priority.NORMAL:
        session.said.add("MT-PRIORITY")
        line += b" MT-PRIORITY=%d" % mail.priority.mt_priority
    return line + b"\r\n"


def _content(session: ClientSession, data: bytes) -> Talk:
    early = yield Send(data, is_content=True)
    if early is None:
        return (yield from _end(session))
    session.in_step = False  # the peer is left in the middle of a message: only hanging up ends it
    return _unwanted(session, early, Stage.DATA)


def _end(session: ClientSession) -> Talk:
    reply = yield from read(Stage.BODY)
    refusal = _refusal(session, reply, Stage.BODY, wanted=2)
    # after a refused BDAT a must (RFC 3030 2), after DATA no harm
    session.reset_due = refusal is not None
    return refusal or Delivered(reply)


def _refusal(session: ClientSession, reply: Reply, stage: Stage, *, wanted: int) -> Outcome | None:
    return None if reply.kind == wanted else _unwanted(session, reply, stage)


def _unwanted(session: ClientSession, reply: Reply, stage: Stage) -> Outcome:
    """Judge what such a reply means.

    After one about the session, or of a kind that answers nothing, nothing more is said.
    """
    if reply.kind not in (4, 5):
        reply = local_reply(
            451,
            NO_MEANING,
            f"the host answered {reply.code} at {stage.upper()}, which has no meaning there",
        )
    outcome = judge(reply, stage)
    if reply.local or (isinstance(outcome, Deferred) and outcome.scope is FailureScope.SESSION):
        session.in_step = False
    return outcome
