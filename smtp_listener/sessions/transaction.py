"""One mail transaction: its envelope as it grows, and what becomes of it when its content has
come.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from domains.foundation.text.addresses import Address, BadAddress, parse_path
from smtp_listener.admission.policy import Refused
from smtp_listener.protocol import commands, replies
from smtp_listener.protocol.commands import PathCommand
from smtp_listener.protocol.content import Clock
from smtp_listener.protocol.reception import MAX_LINE, Reception
from smtp_listener.protocol.replies import ServerReply
from smtp_listener.protocol.spool import Spool
from smtp_listener.sessions.client import Client

MAIL_PARAMETERS = frozenset({"SIZE", "BODY", "SMTPUTF8"})


class Transaction(ABC):
    """What submission and port 25 have in common."""

    def __init__(
        self, session: Client, mail_from: Address | None, parameters: dict[str, str]
    ) -> None:
        self.session = session
        self.mail_from = mail_from
        self.smtputf8 = "SMTPUTF8" in parameters
        self.spool: Spool | None = None
        self.clock: Clock  # of the content, once it begins
        self.reception: Reception | None = None
        self.has_long_lines = False

    @property
    @abstractmethod
    def has_recipients(self) -> bool: ...

    @property
    def recipients(self) -> list[str]:
        """Those that were taken, as they will be written to."""
        return []

    @property
    def max_size(self) -> int:
        """For this message, in bytes."""
        return self.session.max_size

    def keep(self, spool: Spool) -> Callable[[bytes], None]:
        """Begin to keep content in this spool; what takes each piece of it."""
        self.spool = spool
        return spool.append

    @abstractmethod
    async def add_recipient(self, given: PathCommand) -> None:
        """Add a recipient; raise `Refused`, and `BadCommand` for parameters that cannot be read."""

    @abstractmethod
    async def store(self, data: bytes) -> ServerReply:
        """Store the message whose content is spooled; `data` is all of it, or a beginning that
        holds its header.
        """

    async def finish(self, reception: Reception) -> ServerReply:
        """Return the answer to the complete content."""
        assert self.spool is not None
        if self.reception is not None:
            reception.end_chunks()
        if refusal := judge(reception):
            return refusal
        try:
            data = self.spool.whole()
        except OSError:
            return replies.STORAGE_FULL
        self.has_long_lines = reception.has_long_lines
        return await self.store(data)

    def close(self) -> None:
        if self.spool is not None:
            self.spool.close()


def check_names(parameters: dict[str, str], known: frozenset[str]) -> None:
    if unknown := parameters.keys() - known:
        raise Refused(replies.BAD_PARAMETER(name=min(unknown)))


def check_mail_parameters(
    parameters: dict[str, str], known: frozenset[str], *, max_size: int
) -> None:
    check_names(parameters, known)
    if "SIZE" in parameters and commands.size(parameters["SIZE"]) > max_size:
        raise Refused(replies.TOO_LARGE(most=max_size))
    body = parameters.get("BODY", "7BIT").upper()
    if body == "BINARYMIME":
        raise Refused(replies.BINARY_MIME)
    if body not in ("7BIT", "8BITMIME"):
        raise commands.BadCommand("value", "BODY")


def judge(reception: Reception) -> ServerReply | None:
    """Return what is wrong with the content itself, or None."""
    if reception.is_too_large:
        return replies.TOO_LARGE(most=reception.max_size)
    match reception.trouble:
        case "disk":
            return replies.STORAGE_FULL
        case "line":
            return replies.LONG_LINE(most=MAX_LINE)
        case "bare":
            return replies.BARE_NEWLINE
        case "nul":
            return replies.NUL_BYTE
        case _:
            return None


def path_of(path: str, *, is_sender: bool, smtputf8: bool) -> Address | None:
    """Parse a path; return None for the null reverse-path. Raises `Refused`."""
    if is_sender and not path:
        return None
    try:
        return parse_path(path, smtputf8=smtputf8, is_sender=is_sender)
    except BadAddress as error:
        raise Refused(ServerReply(error.code, error.enhanced, error.text)) from error
