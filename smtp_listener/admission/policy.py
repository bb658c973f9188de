"""What a client may send: the checks of a finished message against its account, as replies or
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from deliveries.message.header_form import in_order
from deliveries.message.headers import BadHeaders, Headers, parse, split
from deliveries.message.priorities import BY_NAME, Priority
from domains.foundation.text.addresses import Address, BadAddress, canonical_domain
from domains.foundation.text.mailboxes import addresses_in_names, mailboxes
from domains.foundation.text.readings import authors
from domains.foundation.text.texts import field_control, may_hold_control
from smtp_listener.protocol import replies
from smtp_listener.protocol.replies import ServerReply

MAX_RECEIVED = 30
MAX_OWN_RECEIVED = 3  # a customer may forward to another of ours; three times is a loop
OTHER_SENDERS = {
    b"sender": "Sender",
    b"resent-from": "Resent-From",
    b"resent-sender": "Resent-Sender",
}
SENDERS = {b"from": "From"} | OTHER_SENDERS

ADDRESS_FIELDS = frozenset({*SENDERS, b"reply-to", b"to", b"cc", b"resent-to", b"resent-cc"})
# What an address list is made of, as far as its addresses go: quoted local parts, names in quotes,
# comments, escapes, what stands in angle brackets, words, a group's name, the end of a mailbox.
# Possessive, and escapes are one piece, so that time is linear.
_QUOTED = rb'"(?>(?:[^"\\]|\\.)*)"'
_PIECE = re.compile(
    rb"(?P<quoted>%b@[^\s,;:<>()\x22]*+)|%b|\((?>(?:[^()\\]|\\.)*)\)|\\."
    rb"|<(?P<angle>[^<>]*+)>|(?P<word>[^\s,;:<>()\x22\\]++)|(?P<group>:)|(?P<end>[,;])"
    % (_QUOTED, _QUOTED)
)


class Refused(Exception):
    """The message is not taken; `reply` says why."""

    def __init__(self, reply: ServerReply) -> None:
        super().__init__(reply.text)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Checked:
    """A message that may be sent: its fields, where its body begins, the domain that signs it, and
    how urgent its header says it is.
    """

    headers: Headers
    body_start: int
    header_from: str
    from_domain: str
    priority: Priority | None


class WaitingDomains(Protocol):
    """A project's domains that may not send: for lack of their records, for a proof that is gone,
    or until their first key is seen; and those below which DMARC lets no name send.
    """

    @property
    def unverified(self) -> Collection[str]: ...
    @property
    def lapsed(self) -> Collection[str]: ...
    @property
    def keyless(self) -> Collection[str]: ...
    @property
    def strict(self) -> Collection[str]: ...


class NotAllowed(Refused):
    """The account may not send as this domain."""

    def __init__(self, domain: str) -> None:
        super().__init__(replies.SENDER_NOT_ALLOWED(domain=domain))
        self.domain = domain

    def told(self, waiting: WaitingDomains) -> Refused:
        """Return the refusal that says why, if the domain is one of the project's that may not
        send.
        """
        if self.domain in waiting.lapsed:
            return Refused(replies.SENDER_LAPSED(domain=self.domain))
        if self.domain in waiting.unverified:
            return Refused(replies.SENDER_NOT_VERIFIED(domain=self.domain))
        if self.domain in waiting.keyless:
            return Refused(replies.SENDER_WITHOUT_KEY(domain=self.domain))
        if above := _nearest(self.domain, waiting.strict):
            return Refused(replies.SENDER_STRICT(domain=self.domain, above=above))
        return self


def _nearest(domain: str, above: Collection[str]) -> str:
    """Return the nearest of these above the domain."""
    while domain:
        domain = domain.partition(".")[2]
        if domain in above:
            return domain
    return ""


def check_sender(address: Address | None, domains: Collection[str]) -> None:
    """Check the reverse-path: it is the null one, or of a domain of the account.

    Raise `NotAllowed` for another.
    """
    if address is not None and address.domain not in domains:
        raise NotAllowed(address.domain)


def check_message(
    data: bytes, domains: Collection[str], *, smtputf8: bool, hostname: str
) -> Checked:
    """Check the header section and return what it says; raise `Refused`.

    Every mailbox that says who sends must be of a domain of the account.
    """
    section, body_start = split(data)
    try:
        headers = in_order(parse(section))
    except BadHeaders as error:
        raise Refused(replies.BAD_HEADERS(why=str(error))) from error
    if may_hold_control(section):
        check_controls(headers)
    check_loop(headers, hostname)
    writers = _mailboxes(headers, b"from", "From", domains, smtputf8=smtputf8)
    if not writers:
        raise Refused(replies.FROM_MISSING)
    for name, shown in OTHER_SENDERS.items():
        _mailboxes(headers, name, shown, domains, smtputf8=smtputf8)
    if not smtputf8 and any(address.needs_smtputf8 for address in writers):
        raise Refused(replies.EIGHT_BIT_HEADERS)
    return Checked(headers, body_start, writers[0].wire, writers[0].domain, check_priority(headers))


SHORT = 300  # bytes of a field that is remembered


def check_controls(headers: Headers) -> None:
    """Refuse control characters: readers that end a line at VT, FF, NEL or U+2028 would find fields
    that nobody checked.
    """
    for field in headers:
        if found := field_control(field.value):
            name = field.raw.partition(b":")[0].decode("ascii")[:60]
            raise Refused(replies.CONTROL_IN_HEADER(name=name, character=found))


def check_names(headers: Headers, domains: Collection[str]) -> None:
    """Refuse a display name with a foreign address: many mail programs show the name alone, as if
    it were the sender.

    An address of a verified domain, or of a part of one, is the project's own.
    """
    for name, shown in SENDERS.items():
        for field in headers.all(name):
            # It breaks the grammar: then every address in it is the account's.
            with suppress(BadAddress):
                for address, domain in addresses_in_names(field.value):
                    if not _is_own(domain, domains):
                        raise Refused(replies.FOREIGN_NAME(name=shown, address=address))


def _is_own(domain: str, domains: Collection[str]) -> bool:
    try:
        domain = canonical_domain(domain)
    except BadAddress:
        return False
    return any(domain == own or domain.endswith(f".{own}") for own in domains)


def _mailboxes(
    headers: Headers, name: bytes, shown: str, domains: Collection[str], *, smtputf8: bool
) -> list[Address]:
    """Empty where there is no such field; two of them could be read differently here and there
    (RFC 5322, section 3.6).
    """
    fields = headers.all(name)
    if len(fields) > 1 and not name.startswith(b"resent-"):
        raise Refused(replies.FROM_TWICE(name=shown))
    try:
        found = [
            address
            for field in fields
            for address in _authors(field.value, domains, smtputf8=smtputf8)
        ]
    except BadAddress as error:
        raise Refused(replies.FROM_UNREADABLE(name=shown, why=error.text)) from error
    for address in found:
        check_sender(address, domains)
    return found


def _authors(value: bytes, domains: Collection[str], *, smtputf8: bool) -> list[Address]:
    """Read the authors by the grammar; where that fails, take them if all that readers can make of
    the field is the account's own.

    Raises `BadAddress`.
    """
    try:
        return list(
            _read_before(value, smtputf8)
            if len(value) <= SHORT
            else mailboxes(value, smtputf8=smtputf8)
        )
    except BadAddress:
        return authors(value, domains, smtputf8=smtputf8)


@lru_cache(maxsize=1024)
def _read_before(value: bytes, smtputf8: bool) -> tuple[Address, ...]:
    """Read the mailboxes of a field, and keep them.

    An app writes the same From into message after message.
    """
    return tuple(mailboxes(value, smtputf8=smtputf8))


def needs_smtputf8(headers: Headers) -> bool:
    """Tell whether an address in a header field can only be read by hosts with SMTPUTF8.

    A name or a subject in UTF-8 is no such address, although RFC 6532 says it of any field: clients
    write those to every host.
    """
    return any(
        field.name in ADDRESS_FIELDS
        and not field.raw.isascii()
        and _holds_utf8_address(field.value)
        for field in headers
    )


def _holds_utf8_address(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:  # Shift_JIS has "@" in its second bytes; SMTPUTF8 would not help
        return False
    bare: list[bytes] = []
    angles: list[bytes] = []
    for piece in _PIECE.finditer(value + b","):
        if piece["end"]:
            if any(b"@" in written and not written.isascii() for written in angles or bare):
                return True
            bare, angles = [], []
        elif piece["group"]:
            bare = []
        elif piece["angle"] is not None:
            angles.append(piece["angle"])
        elif written := piece["quoted"] or piece["word"]:
            bare.append(written)
    return False


def check_priority(headers: Headers) -> Priority | None:
    """Return what X-Ekiden-Priority asks for, or None.

    Other words are refused: who mistypes "urgent" would learn of it in no other way.
    """
    fields = headers.all(b"x-ekiden-priority")
    if not fields:
        return None
    priority = BY_NAME.get(fields[0].value.decode("ascii", "replace").lower())
    if priority is None or len(fields) > 1:
        raise Refused(replies.BAD_PRIORITY)
    return priority


def check_returned(data: bytes, hostname: str) -> None:
    """Check mail of port 25 for loops only: reports come with odd headers."""
    with suppress(BadHeaders):
        check_loop(parse(split(data)[0]), hostname)


def check_loop(headers: Headers, hostname: str) -> None:
    """Refuse a loop, by the trace fields that each host adds (RFC 5321, section 6.3)."""
    trace = [b" " + b" ".join(field.value.lower().split()) for field in headers.all(b"received")]
    own = f" by {hostname} ".encode()
    if len(trace) >= MAX_RECEIVED or sum(own in field for field in trace) >= MAX_OWN_RECEIVED:
        raise Refused(replies.LOOP(most=MAX_RECEIVED))


def is_coming_back(headers: Headers, hostname: str, queue_id: str) -> bool:
    """Tell whether the message bears the trace field of when it was taken under this queue id."""
    own = re.compile(rf" by {re.escape(hostname)} .* id {re.escape(queue_id)}\b".encode())
    fields = (b" " + b" ".join(field.value.lower().split()) for field in headers.all(b"received"))
    return any(own.search(field) for field in fields)
