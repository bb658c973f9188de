"""What we add to a message's header and what we take out of it; all else leaves as it came."""

import base64
import re
from collections import Counter
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from deliveries.bounces import feedback_id
from deliveries.intake.submission import Arrival, SubmittedMessage
from deliveries.message.headers import Headers
from domains.foundation.text.texts import storable
from domains.senders import dkim

# Bcc must not be seen by the others (RFC 5322, section 3.6.3), and Return-Path is written by the
# last host alone (RFC 5321, section 4.4); the rest steers us and is nobody else's business.
REMOVED = frozenset({b"bcc", b"resent-bcc", b"return-path", b"x-idempotency-key", feedback_id.NAME})
CONTROL_PREFIX = b"x-ekiden-"

# Octets of a Message-ID that the record keeps: it is indexed, and PostgreSQL's index takes 2700 in
# all.
MAX_KEPT_ID = 512

SHORTEST_SIGNATURE = 80  # characters of base64; Ed25519's has 88, and every RSA key's has more
RESULTS = b"authentication-results"
_AUTHSERV_ID = re.compile(r'"((?>(?:[^"\\]|\\.)*))"|([^\s;()"]++)')
_COMMENT_TOKEN = re.compile(r"\\.|[()]|\s++|[^\\()\s]++|\\")
_QUOTED_PAIR = re.compile(r"\\(.)")
_UNSAFE = re.compile(r"[^A-Za-z0-9.:_\[\]-]+")


def complete(
    submission: SubmittedMessage,
    *,
    queue_id: str,
    hostname: str,
    now: datetime,
    unsubscribe: bytes = b"",
) -> tuple[Headers, str]:
    """Return the header section to be signed and sent, and its Message-ID.

    `unsubscribe` are the fields that offer an end of it.
    """
    given = submission.headers
    message_id = storable(given.value(b"message-id")[:MAX_KEPT_ID].decode("utf-8", "replace"))
    headers = without_claimed_results(without_control(given), hostname)
    added = []
    if not message_id:
        message_id = f"<{queue_id}@{hostname}>"
        added.append(f"Message-ID: {message_id}\r\n".encode())
    if not given.all(b"date"):
        added.append(f"Date: {_date(now.replace(microsecond=0))}\r\n".encode())
    arrival = submission.arrival
    trace = received(
        arrival,
        queue_id=queue_id,
        hostname=hostname,
        now=now,
        is_hidden=submission.sender.hides_client_address,
    )
    added += [line + b"\r\n" for line in unsubscribe.split(b"\r\n")[:-1]]
    return headers.before(trace).after(*added), message_id


def without_control(headers: Headers) -> Headers:
    names = {field.name for field in headers if field.name.startswith(CONTROL_PREFIX)}
    return headers.without(REMOVED | names)


def without_claimed_results(headers: Headers, hostname: str) -> Headers:
    """Drop the authentication results that somebody else wrote in our name (RFC 8601, section
    5).
    """
    claimed = [
        field for field in headers.all(RESULTS) if authserv_id(field.value) == hostname.lower()
    ]
    return Headers(field for field in headers if field not in claimed) if claimed else headers


def without_dead_signatures(
    headers: Headers, submission: SubmittedMessage, body_hash: bytes, *, now: datetime
) -> Headers:
    """Drop the app's DKIM signatures of the From domain that are false: one that is false says
    nothing good of the other.

    `headers` is the completed section, `body_hash` of the simple form. Other signatures stay, dead
    or not (RFC 6376, section 4.2), and so do those that only their key could prove wrong.
    """
    signatures = [
        (field, tags)
        for field in headers.all(b"dkim-signature")
        if (tags := _tags(field.value)).get(b"d", b"").lower() == submission.from_domain.encode()
    ]
    if not signatures:
        return headers
    relaxed = dkim.body_hash(submission.body.chunks(), relaxed=True)
    hashes = {
        b"simple": base64.b64encode(body_hash),
        b"relaxed": base64.b64encode(relaxed),
    }
    changed = _changed(submission.headers, headers)
    dead = [
        field
        for field, tags in signatures
        if not _fits(tags, hashes) or _is_over(tags, now) or changed & _covered(tags)
    ]
    return Headers(field for field in headers if field not in dead)


def _tags(value: bytes) -> dict[bytes, bytes]:
    """Return the tags of a signature, without white space (RFC 6376, section 3.2)."""
    pairs = (tag.partition(b"=") for tag in b"".join(value.split()).split(b";"))
    return {name: text for name, _, text in pairs}


def _changed(given: Headers, completed: Headers) -> set[bytes]:
    """Return the names of the fields that we added or removed, but for the trace field: on top of
    the others it is read last.
    """
    before = Counter(field.name for field in given)
    after = Counter(field.name for field in completed)
    return {name for name in before | after if before[name] != after[name]} - {b"received"}


def _covered(tags: dict[bytes, bytes]) -> set[bytes]:
    return set(tags.get(b"h", b"").lower().split(b":"))


def _is_over(tags: dict[bytes, bytes], now: datetime) -> bool:
    end = tags.get(b"x", b"")
    return end.isdigit() and int(end[:12]) < now.timestamp()


def _fits(tags: dict[bytes, bytes], hashes: dict[bytes, bytes]) -> bool:
    if len(tags.get(b"b", b"")) < SHORTEST_SIGNATURE:
        return False
    if b"l" in tags:  # of a part of the body
        return True
    form = tags.get(b"c", b"").partition(b"/")[2] or b"simple"
    return tags.get(b"bh") == hashes.get(form)


def authserv_id(value: bytes) -> str:
    """Return who claims the results, in lower case and without a final dot; empty where nobody can
    be read.

    Comments may stand before the name, and it may be quoted (RFC 8601, section 2.2).
    """
    text = value.decode("utf-8", "replace")
    start = depth = 0
    for token in _COMMENT_TOKEN.finditer(text):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth < 0 or (not depth and token[0] != ")" and not token[0].isspace()):
            start = token.start()
            break
    else:
        return ""
    match = _AUTHSERV_ID.match(text, start)
    name = (match[2] if match[1] is None else match[1]).lower() if match else ""
    return _QUOTED_PAIR.sub(r"\1", name).removesuffix(".")


def received(
    arrival: Arrival, *, queue_id: str, hostname: str, now: datetime, is_hidden: bool
) -> bytes:
    """Return the one trace field (RFC 5321, section 4.4).

    It has no `for`: that would show one recipient to the others.
    """
    origin = "" if is_hidden else f"from {_origin(arrival)}\r\n\t"
    tls = f"\r\n\t(using {_UNSAFE.sub(' ', arrival.tls)})" if arrival.tls else ""
    lines = (
        f"Received: {origin}by {hostname} with {arrival.protocol} id {queue_id}{tls};\r\n"
        f"\t{_date(now.replace(microsecond=0))}\r\n"
    )
    return lines.encode("ascii", "replace")


@lru_cache(maxsize=4)
def _date(second: datetime) -> str:
    """Format a Date value; it is cached for all messages of a second."""
    return format_datetime(second)


def _origin(arrival: Arrival) -> str:
    name = _UNSAFE.sub("-", arrival.helo)[:255].strip("-") or "unknown"
    return (
        f"{name} ([{_address_literal(arrival.client_address)}])" if arrival.client_address else name
    )


def _address_literal(address: str) -> str:
    return f"IPv6:{address}" if ":" in address else address
