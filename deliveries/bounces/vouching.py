"""Whether a complaint was sent by a provider's feedback loop: its own DKIM signature says so, body
and all.

A provider does not make complaints up, but anybody can write one. Only domains are in the table
that sign nothing else: a signature by a domain of which people have mailboxes (hotmail.com signs
Microsoft's reports and its users' mail alike) proves that a user of it wrote.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence

import dkim
from django.conf import settings

from deliveries.bounces.mime import Fields, Part, header, read_fields, take_apart
from deliveries.bounces.wording import addresses
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure
from domains.foundation.dns.servers import nameservers
from domains.foundation.text import texts

logger = logging.getLogger(__name__)

# Signing domain -> the domain of the report's From. Yahoo (with AOL and the brands that it hosts):
# https://senders.yahooinc.com/faqs/ ("What is the format of a CFL?"), read in November 2026.
FEEDBACK_LOOPS = {"arf.mail.yahoo.com": "arf.mail.yahoo.com"}

SIGNATURES_MOST = 5
KEY_LEAST = 1024  # bits
# Without these under the signature a report of somebody else's could be given another addressee,
# sender or reading.
SIGNED = frozenset({b"from", b"to", b"content-type", b"mime-version"})
# dkimpy ends no line at a CR alone, and takes VT and FF around a value for blanks; `take_apart`
# does the opposite. A genuine report has neither.
_LONE_CR = re.compile(rb"\r(?!\n)")
_LINE_END = re.compile(rb"\r?\n")
_HEADER_END = re.compile(rb"\r?\n\r?\n")


def is_vouched_for(data: bytes) -> bool:
    """Tell whether a feedback loop made this report, for us, and names who complained.

    Who subscribes to a loop gets signed reports about his own mail, in which he chose all but the
    recipient that the provider names; he could pass one on. So the report must be addressed to us,
    and the original's header says nothing about its recipient.
    """
    fields, parts = take_apart(data)
    domain = _only_domain(fields, "from")
    if (
        domain not in FEEDBACK_LOOPS.values()
        or _only_domain(fields, "to") != settings.EKIDEN_HOSTNAME
        or not _names_recipient(parts)
        or not _is_read_alike(data, fields)
    ):
        return False
    numbers = (
        range(min(len(fields["dkim-signature"]), SIGNATURES_MOST))
        if "dkim-signature" in fields
        else ()
    )
    return any(FEEDBACK_LOOPS.get(_signer(data, number)) == domain for number in numbers)


def _only_domain(fields: Fields, name: str) -> str:
    """Return the domain of the one address in the one field of this name, else ""."""
    found = addresses(header(fields, name)) if len(fields.get(name, ())) == 1 else []
    return found[0].rpartition("@")[2].lower() if len(found) == 1 else ""


def _is_read_alike(data: bytes, fields: Fields) -> bool:
    """Tell whether what we read is what the signature is about: the same lines and values.

    A field that is there twice is signed once, and we might read the other.
    """
    head = _HEADER_END.split(data, maxsplit=1)[0]
    if _LONE_CR.search(data) or any(texts.field_control(line) for line in _LINE_END.split(head)):
        return False
    return all(len(fields.get(name.decode(), ())) == 1 for name in SIGNED)


def _names_recipient(parts: Sequence[Part]) -> bool:
    reports = [read_fields(part.text) for part in parts if part.type == "message/feedback-report"]
    return len(reports) == 1 and "original-rcpt-to" in reports[0]


def _signer(data: bytes, number: int) -> str:
    """Return the domain of this signature where it holds for all of the mail, or ""."""
    try:
        signed = dkim.DKIM(data, minkey=KEY_LEAST, logger=logging.getLogger("dkimpy"))
        if not signed.verify(idx=number, dnsfunc=_key_record):
            return ""
    except Exception as error:  # a stranger's signature, and what its checking makes of it
        logger.info("a signature of a report could not be checked: %s", error)
        return ""
    tags = signed.signature_fields
    names = {name.lower() for name in (tags.get(b"h") or b"").replace(b" ", b"").split(b":")}
    # With a length anybody may append.
    if b"l" in tags or not {name.strip() for name in names} >= SIGNED:
        return ""
    return (tags.get(b"d") or b"").decode("ascii", "replace").strip().lower()


def _key_record(name: bytes, timeout: float = 5) -> bytes | None:
    """Look up the TXT record of a key as dkimpy asks for it; our own resolver keeps the time."""
    return asyncio.run(_look_up(name.decode("ascii", "replace").rstrip(".")))


async def _look_up(name: str) -> bytes | None:
    resolver = Resolver(nameservers(settings.EKIDEN_DNS))
    try:
        return next((text.encode() for text in await resolver.txt(name)), None)
    except (NoSuchName, TemporaryFailure) as error:
        logger.info("the key %s of a report's signature is not there: %s", name, error)
        return None
