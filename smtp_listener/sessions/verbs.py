"""What each command does to a session: one function for each verb."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from smtp_listener.protocol import commands, replies
from smtp_listener.protocol.channel import Ended
from smtp_listener.protocol.commands import Command
from smtp_listener.protocol.content import discard, read_chunk, read_lines
from smtp_listener.protocol.reception import Reception, hopeless
from smtp_listener.protocol.replies import ServerReply
from smtp_listener.protocol.spool import Spool
from smtp_listener.sessions import login
from smtp_listener.sessions.session import Session
from smtp_listener.sessions.transaction import Transaction

NAMELESS = "unknown"  # in the trace field, of a client that gives no name


# --- greeting, TLS, AUTH --------------------------------------------------------------------------
async def ehlo(session: Session, command: Command) -> ServerReply | None:
    session.count_idle()
    session.greeted_by(command.argument or NAMELESS, is_extended=True)
    *offers, last = [session.listener.hostname, *_offers(session)]
    for offer in offers:
        session.channel.say_raw(f"250-{offer}")
    session.channel.say_raw(f"250 {last}")
    return None


def _offers(session: Session) -> list[str]:
    offers = [
        "PIPELINING",
        f"SIZE {session.max_size}",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
    ]
    if session.port.is_submission:
        offers += ["DSN", "MT-PRIORITY MIXER"]
    if not session.tls:
        offers.append("STARTTLS")
    elif session.port.is_submission and not session.is_logged_in:
        offers.append("AUTH PLAIN LOGIN")
    return offers


async def hello(session: Session, command: Command) -> ServerReply:
    session.count_idle()
    session.greeted_by(command.argument or NAMELESS, is_extended=False)
    return ServerReply(250, "", session.listener.hostname)


async def starttls(session: Session, command: Command) -> ServerReply | None:
    """Start TLS and forget all that was said in plain text (RFC 3207, section 4.2); nobody can have
    logged in there.
    """
    if command.argument:
        return replies.NO_ARGUMENT
    if session.tls:
        return replies.TLS_ALREADY
    session.channel.say(replies.READY_FOR_TLS)
    session.listener.certificate.refresh()
    await session.channel.start_tls(session.listener.certificate.context)
    session.greeted_by("", is_extended=False)
    return None


async def auth(session: Session, command: Command) -> ServerReply:
    if not session.port.is_submission:
        return replies.AUTH_NOT_HERE
    if not session.is_extended:
        return replies.SAY_EHLO
    if not session.tls:
        return replies.AUTH_NEEDS_TLS
    if session.is_logged_in:
        return replies.AUTH_ALREADY
    if session.transaction is not None:
        return replies.AUTH_IN_MAIL
    shown = await login.ask(session.channel, command.argument)
    if isinstance(shown, ServerReply):
        return shown
    judged = await session.listener.authentication.judge(
        shown, session.client, session.channel.rest
    )
    if isinstance(judged, ServerReply):
        return judged
    await session.leave()  # a trusted network's credential, perhaps
    await session.enter(judged)
    session.account, session.username = judged, shown.username
    session.make_known()
    session.note_use(judged)
    return replies.AUTHENTICATED


# --- the message ----------------------------------------------------------------------------------
async def mail(session: Session, command: Command) -> ServerReply:
    if not session.helo:
        return replies.SAY_EHLO
    if session.transaction is not None:
        return replies.NESTED_MAIL
    session.transaction = await session.port.begin(
        session, commands.parse_path(command.argument, "FROM")
    )
    return replies.SENDER_OK


async def rcpt(session: Session, command: Command) -> ServerReply:
    if session.transaction is None:
        return replies.NO_MAIL
    if session.transaction.spool is not None:
        return replies.CONTENT_BEGUN
    await session.transaction.add_recipient(commands.parse_path(command.argument, "TO"))
    return replies.RECIPIENT_OK


async def data(session: Session, command: Command) -> ServerReply:
    if command.argument:
        return replies.NO_ARGUMENT
    if session.transaction is None:
        return replies.NO_MAIL
    if not session.transaction.has_recipients:
        return replies.NO_RECIPIENTS
    if session.transaction.spool is not None:
        return replies.DATA_AFTER_BDAT
    reception = _receive(session, session.transaction)
    session.channel.say(replies.GO_AHEAD)
    session.is_receiving = True
    await read_lines(
        session.channel, reception, session.transaction.clock, most=hopeless(session.max_size)
    )
    session.is_receiving = False
    return await session.finish(session.transaction, reception)


def _receive(session: Session, transaction: Transaction) -> Reception:
    keep = transaction.keep(Spool(session.listener.spool_folder))
    transaction.clock = session.port.clock(session.channel)
    return Reception(
        keep, max_size=transaction.max_size, is_repairing=session.listener.is_repairing
    )


async def bdat(session: Session, command: Command) -> ServerReply:
    size, is_last = _bdat(command.argument)
    if not size and not is_last:
        session.count_idle()
    transaction = (
        session.transaction
        if session.transaction is not None and session.transaction.has_recipients
        else None
    )
    if transaction is not None and transaction.reception is None:
        transaction.reception = _receive(session, transaction)
    reception = transaction.reception if transaction is not None else None
    if size + (reception.size if reception else 0) > hopeless(session.max_size):
        raise Ended(replies.TOO_LARGE_BY_FAR(most=session.max_size))
    session.is_receiving = True
    clock = transaction.clock if transaction is not None else session.port.clock(session.channel)
    await read_chunk(session.channel, size, reception.take_chunk if reception else discard, clock)
    session.is_receiving = False
    if transaction is None or reception is None:
        return replies.NO_RECIPIENTS
    if is_last:
        return await session.finish(transaction, reception)
    if reception.is_too_large:  # the chunks that follow meet no transaction
        session.drop_transaction()
        return replies.TOO_LARGE(most=reception.max_size)
    return replies.CHUNK_OK(size=size)


# --- the rest -------------------------------------------------------------------------------------
async def rset(session: Session, command: Command) -> ServerReply:
    session.count_idle()
    session.drop_transaction()
    return replies.OK


async def noop(session: Session, command: Command) -> ServerReply:
    session.count_idle()
    return replies.OK


async def vrfy(session: Session, command: Command) -> ServerReply:
    session.count_idle()
    return replies.CANNOT_VERIFY


async def expn(session: Session, command: Command) -> ServerReply:
    return replies.NOT_IMPLEMENTED


async def help_(session: Session, command: Command) -> ServerReply:
    session.count_idle()
    return replies.HELP


async def quit_(session: Session, command: Command) -> ServerReply:
    return replies.BYE


VERBS: dict[str, Callable[[Session, Command], Awaitable[ServerReply | None]]] = {
    "EHLO": ehlo, "HELO": hello, "STARTTLS": starttls, "AUTH": auth,
    "MAIL": mail, "RCPT": rcpt, "DATA": data, "BDAT": bdat,
    "RSET": rset, "NOOP": noop, "VRFY": vrfy, "EXPN": expn, "HELP": help_, "QUIT": quit_,
}  # fmt: skip


def _bdat(argument: str) -> tuple[int, bool]:
    """Parse the arguments of `BDAT size [LAST]` (RFC 3030, section 2)."""
    size, _, last = argument.replace("\t", " ").partition(" ")
    if (
        not size.isascii()
        or not size.isdigit()
        or len(size) > 20
        or last.strip().upper() not in ("", "LAST")
    ):
        raise Ended(replies.BAD_CHUNK)  # what follows cannot be told from commands
    return int(size), bool(last)
