"""Takes a message of any shape apart into its leaves, in bounded time and memory.

Not the email package: ten thousand nested parts exhaust its stack, its charsets are whatever Python
has, and it keeps all 50 MB.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from deliveries.bounces.charsets import decode, decode_words

# octets; what a report says stands at its beginning, and the original may be as long as it likes
LOOKED_AT = 1_048_576
MAX_HEADER = 65_536
MAX_FIELDS = 500
MAX_PARTS = 100
MAX_DEPTH = 20

# The second is RFC 3462's; the others are what some write.
ORIGINALS = (
    "message/rfc822",
    "text/rfc822-headers",
    "text/rfc822-header",
    "message/rfc822-headers",
    "message/global",
)

Fields = dict[str, list[str]]

MAX_MAILS = 1000

_MBOX = re.compile(
    rb"\n(?=From [^\s\n]{1,320} {1,2}(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) "
    rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) )"
)
_BLANK_LINE = re.compile(rb"\n[ \t]*\n")
_TYPE = re.compile(r"\s*([a-z0-9.+-]+/[a-z0-9.+-]+)", re.IGNORECASE)
_PARAMETER = re.compile(r';\s*([a-z0-9*-]+)\s*=\s*(?:"([^"]*)"|([^\s;]+))', re.IGNORECASE)
_NOT_TEXT = re.compile(r"<(style|script|head)\b", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|/?p|/?div|/?tr|/?h\d|/?li|/?table)\b[^<>]{0,1000}>", re.IGNORECASE)
_TAG = re.compile(r"<(?![^<>@\s]{1,64}@)/?[a-z!][^<>]{0,2000}>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf: its type in lower case, its header fields, and its content with the transfer
    encoding undone.
    """

    type: str
    fields: Fields
    body: bytes
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def is_original(self) -> bool:
        """The message that the report is about, or its header section."""
        return self.type in ORIGINALS

    @property
    def text(self) -> str:
        text = decode(self.body, self.parameters.get("charset", ""))
        return without_tags(text) if self.type == "text/html" else text


def header(fields: Fields, name: str) -> str:
    """Return the first field of that name as text on one line, or ""."""
    values = fields.get(name)
    return " ".join(decode_words(values[0]).split()) if values else ""


def take_apart(data: bytes, *, most: int = LOOKED_AT) -> tuple[Fields, list[Part]]:
    """Return the mail's own header fields, and its leaves in order."""
    data = data[:most].replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    fields, body = _split(data)
    parts: list[Part] = []
    for part in _leaves(fields, body, 0):
        parts.append(part)
        if len(parts) >= MAX_PARTS:
            break
    return fields, parts


def mails(data: bytes) -> list[bytes]:
    """Return the messages of an mbox, or the one mail that the data are."""
    return _MBOX.split(data, MAX_MAILS)[:MAX_MAILS] if data.startswith(b"From ") else [data]


def read_fields(text: str) -> Fields:
    """Read header fields into lists by lower-case name; lines that are no field are skipped."""
    fields: Fields = {}
    last: list[str] | None = None
    for line in text.split("\n")[: MAX_FIELDS * 4]:
        if line[:1] in (" ", "\t"):
            if last:
                last[-1] = f"{last[-1][:4000]} {line.strip()}"
            continue
        name, colon, value = line.partition(":")
        if not colon or not 0 < len(name) <= 80 or " " in name.strip():
            last = None
            continue
        last = fields.setdefault(name.strip().lower(), [])
        last.append(value.strip()[:4000])
        if len(fields) > MAX_FIELDS:
            break
    return fields


def originals(parts: Iterable[Part]) -> Iterator[Fields]:
    """Yield the header sections of the messages that came back in parts of their own."""
    for part in parts:
        if part.is_original:
            yield take_apart(part.body)[0]


def without_tags(text: str) -> str:
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", _without_styles(text))))


def _without_styles(text: str) -> str:
    """Remove the elements that hold no text; one without an end takes the rest along."""
    lowered, kept, at = text.lower(), [], 0
    while (match := _NOT_TEXT.search(text, at)) is not None:
        kept.append(text[at : match.start()])
        end = lowered.find(f"</{match[1].lower()}", match.end())
        if end < 0:
            return " ".join(kept)
        at = end
    return " ".join([*kept, text[at:]])


def _split(data: bytes) -> tuple[Fields, bytes]:
    if data[:1] == b"\n":
        return {}, data[1:]
    end = _BLANK_LINE.search(data, 0, MAX_HEADER)
    head, body = (data[: end.start()], data[end.end() :]) if end else (data[:MAX_HEADER], b"")
    return read_fields(decode(head)), body


def _leaves(fields: Fields, body: bytes, depth: int) -> Iterator[Part]:
    given = " ".join(fields.get("content-type", ["text/plain"])[:1])
    match = _TYPE.match(given)
    type_ = match[1].lower() if match else "text/plain"
    parameters = {
        name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(given[:2000])
    }
    boundary = parameters.get("boundary", "")[:200]
    if type_.startswith("multipart/") and boundary and depth < MAX_DEPTH:
        pieces = _pieces(body, boundary)
        if len(pieces) > 1:
            for piece in pieces[1:]:
                yield from _leaves(*_split(piece), depth + 1)
            return
    yield Part(
        type_ if not type_.startswith("multipart/") else "text/plain",
        fields,
        _decoded(fields, body),
        parameters,
    )


def _pieces(body: bytes, boundary: str) -> list[bytes]:
    """Return what stands between the boundary's lines.

    The first is the preamble. What follows the closing line is left out.
    """
    mark = b"--" + boundary.encode("utf-8", "replace")
    inner, _, _ = (b"\n" + body).partition(b"\n" + mark + b"--")
    pieces = inner.split(b"\n" + mark, MAX_PARTS)
    return pieces[:1] + [piece.partition(b"\n")[2] for piece in pieces[1:]]


def _decoded(fields: Fields, body: bytes) -> bytes:
    encoding = " ".join(fields.get("content-transfer-encoding", [])[:1]).strip().lower()
    if encoding == "base64":
        return _from_base64(body)
    return binascii.a2b_qp(body) if encoding == "quoted-printable" else body


def _from_base64(body: bytes) -> bytes:
    clean = re.sub(rb"[^A-Za-z0-9+/]+", b"", body)
    if len(clean) % 4 == 1:  # a lone character is no octet
        clean = clean[:-1]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))
