"""Body lines over 998 octets: written anew in a transfer encoding, part by part, where the content
says that it is text.

No host has to take such lines (RFC 5321, section 4.5.3.1.6), and one that wraps them makes our
signature false.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import replace
from email.message import Message

from deliveries.intake.submission import MemoryBody, SubmittedMessage
from deliveries.message.header_form import MAX_LINE
from deliveries.message.headers import BadHeaders, Headers, parse, split

MAX_DEPTH = 20
_LONG = re.compile(rb"^[^\r\n]{%d}" % (MAX_LINE + 1), re.MULTILINE)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_AS_IS = frozenset({b"", b"7bit", b"8bit", b"binary"})
_ENCODING = b"content-transfer-encoding"


class NotText(ValueError):
    """A part with such lines that nobody but the app can write anew; the text is for the client."""


def without_long_lines(submission: SubmittedMessage) -> SubmittedMessage:
    """Return the same with a body that may leave; raise `NotText` where it cannot.

    All of the body is in memory then.
    """
    given = b"".join(submission.body.chunks())
    headers, body = rewritten(submission.headers, given)
    if body is given:
        return submission
    is_ascii = bytes(headers).isascii() and body.isascii()
    return replace(submission, headers=headers, body=MemoryBody(body), eight_bit=not is_ascii)


def rewritten(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """Return the message with no line over 998 octets in its body.

    Raise `NotText` where that cannot be.
    """
    marked, body = _part(headers, body, depth=0)
    if marked is not headers and not marked.all(b"mime-version"):
        marked = marked.after(b"MIME-Version: 1.0\r\n")
    return marked, body


def _part(headers: Headers, body: bytes, *, depth: int) -> tuple[Headers, bytes]:
    if not _LONG.search(body):
        return headers, body
    content = Message()
    content["Content-Type"] = headers.value(b"content-type").decode("latin-1") or "text/plain"
    kind, boundary = content.get_content_type(), content.get_boundary()
    if (
        kind.startswith("multipart/")
        and boundary
        and depth < MAX_DEPTH
        and kind != "multipart/signed"
    ):
        return headers, _multipart(body, boundary.encode("latin-1", "replace"), depth=depth)
    encoding = headers.value(_ENCODING).lower()
    if encoding == b"base64":
        return headers, _in_lines(_NOT_BASE64.sub(b"", body))
    if kind.startswith("text/") and encoding == b"quoted-printable":
        return headers, _quoted(binascii.a2b_qp(body))
    if kind.startswith("text/") and encoding in _AS_IS:
        marked = headers.without(frozenset({_ENCODING})).after(
            b"Content-Transfer-Encoding: quoted-printable\r\n"
        )
        return marked, _quoted(body)
    raise NotText(
        f"A part of type {kind} has a line over {MAX_LINE} bytes: encode it (base64, "
        "quoted-printable)"
    )


def _multipart(body: bytes, boundary: bytes, *, depth: int) -> bytes:
    """Rewrite each part by itself; the lines between the parts stay (RFC 2046, section 5.1.1).

    Raises `NotText` where such a line is too long.
    """
    pieces = re.split(rb"(?m)(^--%b(?:--)?[ \t]*\r\n)" % re.escape(boundary), body)
    for index, piece in enumerate(pieces):
        is_part = (
            index and index % 2 == 0 and b"--" not in pieces[index - 1].strip()[2 + len(boundary) :]
        )
        if is_part:
            pieces[index] = _rewritten_part(piece, depth=depth)
        elif _LONG.search(piece):
            raise NotText(f"A line over {MAX_LINE} bytes stands outside all parts of the message")
    return b"".join(pieces)


def _rewritten_part(piece: bytes, *, depth: int) -> bytes:
    """Rewrite one part, whose last line end belongs to the boundary that follows."""
    if not _LONG.search(piece):
        return piece
    section, start = split(piece)
    try:
        headers, body = _part(parse(section), piece[start:].removesuffix(b"\r\n"), depth=depth + 1)
    except BadHeaders as error:
        raise NotText(f"A part with a line over {MAX_LINE} bytes has a malformed header") from error
    return bytes(headers) + b"\r\n" + body + b"\r\n"


def _quoted(data: bytes) -> bytes:
    """Encode as quoted-printable; the line end that is added for a moment tells the codec which one
    to write.
    """
    return binascii.b2a_qp(data + b"\r\n").removesuffix(b"\r\n")


def _in_lines(letters: bytes) -> bytes:
    return b"".join([letters[start : start + 76] + b"\r\n" for start in range(0, len(letters), 76)])
