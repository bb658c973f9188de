"""A header section in the form that RFC 5322 asks for: what is mended before the message leaves,
and what is not ours to choose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from deliveries.message.headers import BadHeaders, Field, Headers

# octets of a line without its CRLF (RFC 5322, section 2.1.1); hosts with that limit wrap it, or
# refuse
MAX_LINE = 998
WIDTH = 78

# RFC 5322, section 3.6; RFC 2045, section 3. Large receivers refuse two of them, where no developer
# sees it. From and Sender say who sends: `smtp_listener.admission.policy` takes no second one at
# all.
ONCE = {
    b"date": "Date", b"reply-to": "Reply-To", b"to": "To", b"cc": "Cc", b"message-id": "Message-ID",
    b"in-reply-to": "In-Reply-To", b"references": "References", b"subject": "Subject",
    b"mime-version": "MIME-Version",
    b"content-type": "Content-Type", b"content-transfer-encoding": "Content-Transfer-Encoding",
}  # fmt: skip
_OURS_IF_EMPTY = frozenset({b"message-id", b"date"})
_LONG = re.compile(rb"^[^\r\n]{%d}" % (MAX_LINE + 1), re.MULTILINE)
_PIECE = re.compile(rb"[ \t]*[^ \t]+")


def in_order(headers: Headers) -> Headers:
    """Return the same header section without repeated fields and without lines over 998 octets.

    Raise `BadHeaders` where that cannot be. An empty Message-ID or Date counts as missing. Of two
    fields with the same value the later one is dropped.
    """
    names = [field.name for field in headers.fields if field.name in ONCE]
    if len(names) != len(set(names)) or not all(
        field.value for field in headers.fields if field.name in _OURS_IF_EMPTY
    ):
        headers = Headers(_once(headers))
    if _LONG.search(bytes(headers)):
        headers = Headers(
            [
                Field(field.name, _folded(field)) if _LONG.search(field.raw) else field
                for field in headers
            ]
        )
    return headers


def _once(headers: Headers) -> Iterator[Field]:
    values: dict[bytes, bytes] = {}
    for field in headers:
        if field.name in _OURS_IF_EMPTY and not field.value:
            continue
        if field.name not in ONCE or field.name not in values:
            values[field.name] = field.value
            yield field
        elif values[field.name] != field.value:
            raise BadHeaders(
                f"The message has more than one {ONCE[field.name]} field (RFC 5322, section 3.6)"
            )


def _folded(field: Field) -> bytes:
    """Fold the field anew where it has blanks.

    Unfolded, and in DKIM's relaxed form, it is the same.
    """
    return b"".join([_fold(line, field) + b"\r\n" for line in field.raw.split(b"\r\n")[:-1]])


def _fold(line: bytes, field: Field) -> bytes:
    if len(line) <= MAX_LINE:
        return line
    lines = [b""]
    pieces = _PIECE.findall(line)
    pieces[-1:] = [line[sum(map(len, pieces[:-1])) :]]  # with the blanks at its end
    for piece in pieces:
        if lines[-1].strip() and len(lines[-1]) + len(piece) > WIDTH:
            lines.append(piece)
        else:
            lines[-1] += piece
    if max(map(len, lines)) > MAX_LINE:
        name = field.raw.partition(b":")[0].decode("ascii")[:60]
        raise BadHeaders(
            f"The {name} field has a line over {MAX_LINE} bytes without a blank to fold it at "
            "(RFC 5322, section 2.1.1)"
        )
    return b"\r\n".join(lines)
