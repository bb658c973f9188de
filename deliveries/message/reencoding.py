"""A message with 8-bit content as one in ASCII, for hosts without 8BITMIME (RFC 6152, section 3):
parts by RFC 2045, headers by RFC 2047.

What somebody has signed or encrypted stays as it is, since its bytes are what counts; so does what
cannot be understood.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from email.message import Message
from urllib.parse import quote

from deliveries.message.headers import BadHeaders, Field, parse, split
from domains.senders import dkim

MOST_DEPTH = 20  # of parts within parts
SEALED = frozenset(
    {
        "multipart/signed",
        "multipart/encrypted",
        "application/pkcs7-mime",
        "application/pgp-encrypted",
    }
)
ENCODED = frozenset({b"base64", b"quoted-printable"})
ADDRESSES = frozenset({
    b"from", b"sender", b"reply-to", b"to", b"cc", b"resent-from", b"resent-sender",
    b"resent-reply-to", b"resent-to", b"resent-cc",
    b"disposition-notification-to", b"return-receipt-to", b"errors-to", b"list-id", b"list-owner",
})  # fmt: skip
PARAMETERS = frozenset({b"content-type", b"content-disposition"})
# Names of hosts and messages, and signatures: no encoded word may stand in them (RFC 2047, section
# 5).
KEPT = frozenset(
    {
        b"message-id",
        b"in-reply-to",
        b"references",
        b"received",
        b"return-path",
        b"dkim-signature",
        b"arc-seal",
    }
)

WORD_OCTETS = 45  # of text in an encoded word, which has 75 characters at most
_SIGNING_DOMAIN = re.compile(rb"(?:^|;)d=([^;]*+)")
_NON_ASCII = re.compile("[\u0080-\U0010ffff]")
_QUOTED_PAIR = re.compile(r"\\(.)")
# Of an address list: a name in quotes, a comment, an address in angle brackets, what parts
# mailboxes, or a run of words.
_PIECE = re.compile(
    r'"(?>(?:[^"\\]|\\.)*)"|\((?>(?:[^()\\]|\\.)*)\)|<[^<>]*+>|[,;:]|[^"(<,;:]++|.', re.DOTALL
)
_PARAMETER = re.compile(r';(\s*)([A-Za-z0-9_-]+)\s*=\s*("(?>(?:[^"\\]|\\.)*)"|[^\s;"]++)')


def seven_bit(content: bytes) -> bytes:
    """Return the whole message in ASCII, as far as it may be touched; lines end in CRLF before and
    after.
    """
    return content if content.isascii() else _entity(content, depth=0, is_message=True)


def signing_domain(content: bytes) -> str:
    """Return the domain of the signature that we put on top; empty where the message is not
    signed.
    """
    return next(
        (_domain(field) for field in _header(content) if field.name == b"dkim-signature"), ""
    )


def signed_anew(content: bytes, signers: Sequence[dkim.Signer], *, now: int) -> bytes:
    """Return the message with new signatures in place of those of the same domain, which its new
    bytes have made false.
    """
    section, start = split(content)
    domains = {signing_domain(content), *(signer.domain for signer in signers)}
    fields = [
        field
        for field in _header(content)
        if field.name != b"dkim-signature" or _domain(field) not in domains
    ]
    signatures = dkim.sign(
        [(each.name, each.raw) for each in fields],
        dkim.body_hash(content[start:]),
        signers=signers,
        now=now,
    )
    return signatures + b"".join(field.raw for field in fields) + content[len(section) :]


def _header(content: bytes) -> list[Field]:
    try:
        return list(parse(split(content)[0]))
    except BadHeaders:
        return []


def _domain(signature: Field) -> str:
    found = _SIGNING_DOMAIN.search(b"".join(signature.value.split()))
    return found[1].decode("ascii", "replace").lower() if found else ""


def _entity(data: bytes, *, depth: int, is_message: bool = False) -> bytes:
    """Re-encode a message or a part: its fields, an empty line and its body."""
    section, start = split(data)
    try:
        fields = list(parse(section))
    except BadHeaders:
        return data
    body = data[start:]
    kind, encoding = _content_type(fields), _value(fields, b"content-transfer-encoding").lower()
    if not body.isascii():
        body, new = _body(body, kind, encoding, depth=depth)
        if new in ENCODED or (new and encoding):
            fields = _with(fields, b"Content-Transfer-Encoding", new)
            if kind is None and is_message:
                fields = _declared(fields, body=data[start:])
    return b"".join([_ascii(field) for field in fields]) + data[len(section) : start] + body


def _body(body: bytes, kind: Message | None, encoding: bytes, *, depth: int) -> tuple[bytes, bytes]:
    """Return the body in ASCII, and its new encoding: empty where nothing may change."""
    name = kind.get_content_type() if kind else "text/plain"
    if name in SEALED or encoding in ENCODED or depth > MOST_DEPTH:
        return body, b""
    if name.startswith("multipart/"):
        body = _parts(body, kind, depth=depth)
        return body, b"7bit" if body.isascii() else b"8bit"
    if name.startswith("message/"):
        body = _entity(body, depth=depth + 1)
        return body, b"7bit" if body.isascii() else b"8bit"
    foreign = len(body) - len(body.decode("ascii", "ignore"))
    if name.startswith("text/") and foreign * 4 < len(body):
        return _quoted_printable(body), b"quoted-printable"
    return _base64(body), b"base64"


def _parts(body: bytes, kind: Message | None, *, depth: int) -> bytes:
    boundary = kind.get_param("boundary") if kind else None
    if not isinstance(boundary, str) or not boundary.isascii() or not boundary:
        return body
    delimiter = re.compile(
        rb"(?:\A|\r\n)--" + re.escape(boundary.encode()) + rb"(?:--)?[ \t]*(?:\r\n|\Z)"
    )
    pieces, at, is_within = [], 0, False
    for match in delimiter.finditer(body):
        piece = body[at : match.start()]
        pieces += [
            _entity(piece, depth=depth + 1) if is_within else _without_foreign(piece),
            match[0],
        ]
        at, is_within = match.end(), not match[0].strip().endswith(boundary.encode() + b"--")
    rest = body[at:]
    return b"".join(pieces) + (
        _entity(rest, depth=depth + 1) if is_within else _without_foreign(rest)
    )


def _without_foreign(text: bytes) -> bytes:
    """Replace what is not ASCII: what stands outside the parts is shown to nobody."""
    return text.decode("ascii", "replace").replace("\ufffd", "?").encode()


def _quoted_printable(body: bytes) -> bytes:
    """Encode in lines of 76 octets at most.

    The line end that is added shows the encoder which one to use, and is taken off again.
    """
    return binascii.b2a_qp(body + b"\r\n", istext=True)[:-2]


def _base64(body: bytes) -> bytes:
    end = b"\r\n" if body.endswith(b"\r\n") else b""
    lines = [base64.b64encode(body[start : start + 57]) for start in range(0, len(body), 57)]
    return b"\r\n".join(lines) + end


# --- fields ---
def _content_type(fields: list[Field]) -> Message | None:
    field = next((field for field in fields if field.name == b"content-type"), None)
    if field is None:
        return None
    holder = Message()
    holder["Content-Type"] = " ".join(field.value.decode("ascii", "replace").split())
    return holder


def _value(fields: list[Field], name: bytes) -> bytes:
    return next((field.value for field in fields if field.name == name), b"")


def _with(fields: list[Field], name: bytes, value: bytes) -> list[Field]:
    new = Field(name.lower(), b"%b: %b\r\n" % (name, value))
    if not any(field.name == new.name for field in fields):
        return [*fields, new]
    return [new if field.name == new.name else field for field in fields]


def _declared(fields: list[Field], *, body: bytes) -> list[Field]:
    """Declare the charset of 8-bit text that does not name one, so that the encoding counts (RFC
    2045, section 4; RFC 1428).
    """
    charset = b"utf-8" if _is_utf8(body) else b"unknown-8bit"
    return _with(
        _with(fields, b"MIME-Version", b"1.0"), b"Content-Type", b"text/plain; charset=" + charset
    )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _ascii(field: Field) -> bytes:
    """Return the field with encoded words in place of what is not ASCII; as it is where they are
    not allowed.
    """
    if field.raw.isascii() or field.name in KEPT:
        return field.raw
    name = field.raw.partition(b":")[0]
    if not _is_utf8(field.value):
        return (
            field.raw
            if field.name in ADDRESSES | PARAMETERS
            else b"%b: %b\r\n" % (name, _unknown(field.value))
        )
    text = field.value.decode()
    if field.name in PARAMETERS:
        value = _PARAMETER.sub(_extended, text)
    elif field.name in ADDRESSES:
        value = "".join(map(_piece, _PIECE.findall(text)))
    else:
        value = _words(text)
    encoded = b"%b: %b\r\n" % (name, value.encode())
    return encoded if encoded.isascii() else field.raw


def _piece(piece: str) -> str:
    if piece.isascii() or piece.startswith("<"):
        return piece
    if piece.startswith("("):
        return f"({_encoded(piece[1:-1])})"
    if piece.startswith('"'):
        return _encoded(_QUOTED_PAIR.sub(r"\1", piece[1:-1]))
    return piece if "@" in piece else _words(piece)


def _words(text: str) -> str:
    """Encode from the first word that is not ASCII to the last one, and keep the blanks
    around it.
    """
    found = list(_NON_ASCII.finditer(text))
    start = text.rfind(" ", 0, found[0].start()) + 1
    end = text.find(" ", found[-1].end())
    end = len(text) if end < 0 else end
    return text[:start] + _encoded(text[start:end]) + text[end:]


def _encoded(text: str) -> str:
    """Write encoded words, each on a line of its own (RFC 2047, section 2), cut between
    characters.
    """
    words, word = [], ""
    for character in text:
        if len((word + character).encode()) > WORD_OCTETS:
            words.append(word)
            word = ""
        word += character
    return "\r\n ".join(
        f"=?utf-8?B?{base64.b64encode(each.encode()).decode()}?=" for each in [*words, word]
    )


def _unknown(value: bytes) -> bytes:
    """Write encoded words for bytes whose charset nobody named."""
    pieces = [value[start : start + WORD_OCTETS] for start in range(0, len(value), WORD_OCTETS)]
    return b"\r\n ".join(b"=?unknown-8bit?B?%b?=" % base64.b64encode(piece) for piece in pieces)


def _extended(match: re.Match[str]) -> str:
    """Write a parameter with its charset (RFC 2231, section 4)."""
    space, name, value = match.groups()
    if value.isascii():
        return match[0]
    plain = _QUOTED_PAIR.sub(r"\1", value[1:-1]) if value.startswith('"') else value
    return f";{space}{name}*=utf-8''{quote(plain, safe='')}"
