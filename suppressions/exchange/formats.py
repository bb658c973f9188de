"""What the columns of other services' suppression lists are called, and what their words mean here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from suppressions.classes import Class

COMPLAINT, UNSUBSCRIBE, IMPORTED, PERSON, AUTOMATIC = "complaint", "unsubscribe", "imported", "person", "automatic"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a word for a reason comes to."""

    source: str
    category: str
    is_hard: bool
    reason: str


BOUNCE = Kind(IMPORTED, Class.UNKNOWN_USER, True, "Bounced at another service")
SOFT = Kind(IMPORTED, Class.OTHER, False, "Refused at another service")
SPAM = Kind(COMPLAINT, Class.COMPLAINT, False, "Complained at another service")
LEFT = Kind(UNSUBSCRIBE, "", False, "Unsubscribed at another service")
BY_HAND = Kind(IMPORTED, "", False, "Suppressed by a person at another service")
LISTED = Kind(IMPORTED, "", False, "Imported")

# Words in the column that says why, without case and punctuation.
WORDS = {
    "bounce": BOUNCE, "bounced": BOUNCE, "hardbounce": BOUNCE, "hardfail": BOUNCE, "permanent": BOUNCE, "invalid": BOUNCE,
    "complaint": SPAM, "spamcomplaint": SPAM, "spam": SPAM, "spamreport": SPAM, "complained": SPAM,
    "unsubscribe": LEFT, "unsubscribed": LEFT, "manualsuppression": BY_HAND, "manual": BY_HAND,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Format:
    """Recognised by the columns it needs (names without case and punctuation); `kind` where no word and no code says another."""

    name: str
    needs: frozenset[str]
    address: str
    kind: Kind
    word: str = ""
    text: str = ""
    code: str = ""
    at: str = ""


def _format(name: str, columns: str, address: str, kind: Kind, **more: str) -> Format:
    return Format(name, frozenset(columns.split()), address, kind, **more)


# The more columns one needs, the earlier it comes: sets of columns that are part of another's must not hide it.
FORMATS: tuple[Format, ...] = (
    _format("Ekiden", "address source class hard reason firstseen lastseen count until", "address", LISTED),
    # Suppressions dump of the Bounce API: https://postmarkapp.com/developer/api/suppressions-api
    _format("Postmark", "emailaddress suppressionreason", "emailaddress", BOUNCE, word="suppressionreason", at="createdat"),
    # Downloads of the Suppressions pages, named as in the API: https://www.twilio.com/docs/sendgrid/api-reference/bounces-api
    _format("SendGrid bounces or blocks", "status reason email created", "email", BOUNCE, text="reason", code="status", at="created"),
    _format("SendGrid invalid addresses", "reason email created", "email", BOUNCE, text="reason", at="created"),
    _format("SendGrid spam reports", "ip email created", "email", SPAM, at="created"),
    _format("SendGrid unsubscribes", "email created", "email", LEFT, at="created"),
    # https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/bounces
    _format("Mailgun bounces", "address code error createdat", "address", BOUNCE, text="error", code="code", at="createdat"),
    _format("Mailgun unsubscribes", "address tags createdat", "address", LEFT, at="createdat"),
    _format("Mailgun complaints", "address createdat", "address", SPAM, at="createdat"),
    # The table of a message database: https://github.com/postalserver/postal (db "suppressions")
    _format("Postal", "type address reason timestamp", "address", BOUNCE, word="type", text="reason", at="timestamp"),
    # ListSuppressedDestinations of the SES v2 API, and what its console downloads
    _format("Amazon SES", "emailaddress reason lastupdatetime", "emailaddress", BOUNCE, word="reason", at="lastupdatetime"),
    _format("Amazon SES", "emailaddress suppressionreason dateadded", "emailaddress", BOUNCE, word="suppressionreason", at="dateadded"),
    _format("a list with reasons", "email reason", "email", LISTED, word="reason", text="reason"),
    _format("a list with reasons", "address reason", "address", LISTED, word="reason", text="reason"),
    _format("a list of addresses", "email", "email", LISTED),
    _format("a list of addresses", "address", "address", LISTED),
    _format("a list of addresses", "emailaddress", "emailaddress", LISTED),
    _format("a list of addresses", "recipient", "recipient", LISTED),
)
# Files without a header: what SES takes in bulk (address,BOUNCE), and a plain column.
SES_PLAIN = _format("Amazon SES, without a header", "", "0", BOUNCE, word="1")
PLAIN = _format("a list of addresses, without a header", "", "0", LISTED)

_PUNCTUATION = re.compile(r"[^a-z0-9]")


def word(text: str) -> str:
    return _PUNCTUATION.sub("", text.lower())


def recognise(first: Sequence[str]) -> tuple[Format, dict[str, int], bool]:
    """The format of a file by its first row, where its columns are, and whether that row is a header. Raises `ValueError`."""
    columns = {word(cell): number for number, cell in reversed(list(enumerate(first)))}
    for each in sorted(FORMATS, key=lambda each: -len(each.needs)):
        if each.needs <= columns.keys():
            return each, columns, True
    if first and "@" in first[0]:
        plain = SES_PLAIN if len(first) > 1 and word(first[1]) in WORDS else PLAIN
        return plain, {str(number): number for number in range(len(first))}, False
    raise ValueError("There is no column of addresses: its header must be email, address or recipient")


def kind_of(format_: Format, said: str, code: str) -> Kind:
    """SendGrid's blocks come with the same columns as its bounces; only X.1.y and 55X are about a dead address."""
    if said and (known := WORDS.get(word(said))) is not None:
        return known
    if format_.kind is BOUNCE and code and not code.startswith(("5.1.", "5.0.", "55")):
        return SOFT
    return format_.kind


@lru_cache(maxsize=10_000)
def moment(text: str) -> datetime | None:
    """Unix time, ISO 8601 or RFC 5322; UTC where no zone is named; None for what is none of these."""
    text = text.strip()
    try:
        if text.isdigit() and len(text) in (10, 13):
            return datetime.fromtimestamp(int(text[:10]), UTC)
        found = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
