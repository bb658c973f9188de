"""What a client's command line says: the verb, the path, the parameters (RFC 5321, section 4.1;
RFC 3461, section 4).
"""

import re
from dataclasses import dataclass, field

from domains.foundation.text import texts

# RFC 5321, section 4.5.3.1.4, wants 512; MAIL and RCPT grow with extensions (ORCPT alone may take
# 500)
MAX_LINE = 2048
MAX_AUTH_LINE = 12_288  # RFC 4954, section 4

_BLANKS = " \t"
_LINE = re.compile(r"([A-Za-z]+)(?:[ \t]+(.*))?")
_GREETING = re.compile(rb"(EHLO|HELO)(?:[ \t]+(.*))?", re.IGNORECASE | re.DOTALL)
_ENDS = re.compile(rb"[\0\r\n]")
# In angle brackets, or without them up to the first blank outside quotes. Printers and scripts
# leave them out, and put blanks inside: one address is all that such a line can mean.
_QUOTED = r"\"(?>(?:[^\"\\]|\\.)*)\""
_PATH = re.compile(
    rf"(?:<((?>(?:[^<>\"]|{_QUOTED})*))>|((?>(?:[^<>\" \t]|{_QUOTED})+)))(?:[ \t]+(.*))?"
)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_NOTIFY = re.compile(r"NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}")
_MT_PRIORITY = re.compile(r"-?[1-9]|0")
# After these the client must wait for our reply before it says more (RFC 2920, section 3.1).
SYNCHRONISING = frozenset({"EHLO", "HELO", "STARTTLS", "AUTH", "DATA"})


class BadCommand(ValueError):
    """`reason` is one of "line", "verb", "syntax", "parameter", "value"; `name` says which."""

    def __init__(self, reason: str, name: str = "") -> None:
        super().__init__(f"{reason} {name}")
        self.reason = reason
        self.name = name


@dataclass(frozen=True, slots=True)
class Command:
    verb: str
    argument: str


@dataclass(frozen=True, slots=True)
class PathCommand:
    """The address as it was written, without brackets, and the parameters by their names in upper
    case.
    """

    path: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse(line: bytes) -> Command:
    """Parse one line without its CRLF; a tab counts as a blank. Raises `BadCommand`."""
    if greeting := _GREETING.fullmatch(line):
        return Command(greeting[1].decode().upper(), _name(greeting[2] or b""))
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadCommand("line") from error
    if texts.has_control(text.replace("\t", " ")):
        raise BadCommand("line")
    match = _LINE.fullmatch(text)
    if match is None:
        raise BadCommand("verb")
    return Command(match[1].upper(), (match[2] or "").strip(_BLANKS))


def _name(written: bytes) -> str:
    """Decode how a client calls itself: anything, since the name is for the trace field only (RFC
    5321, section 4.1.4).

    Computers are called `MÜLLER-PC`, `経理部` in code page 932, `office (2nd floor)`, or have no
    name at all. What could be the end of the line for somebody is refused: two readers would
    see different commands.
    """
    if _ENDS.search(written):
        raise BadCommand("line")
    return written.decode("utf-8", "replace").strip(_BLANKS)


def parse_path(argument: str, keyword: str) -> PathCommand:
    """Parse a path and its parameters, such as `FROM:<a@b.test> SIZE=5` with the keyword FROM.
    Raises `BadCommand`.
    """
    if argument[: len(keyword)].upper() != keyword:
        raise BadCommand("syntax")
    rest = argument[len(keyword) :].lstrip(_BLANKS)
    match = _PATH.fullmatch(rest[1:].lstrip(_BLANKS)) if rest.startswith(":") else None
    if match is None:
        raise BadCommand("syntax")
    path = match[2] if match[1] is None else match[1].strip(_BLANKS)
    return PathCommand(path, _parameters(match[3] or ""))


def path_in(argument: str) -> str:
    """Return the address of a MAIL or RCPT command for people, however malformed the command is."""
    written = argument.partition(":")[2].strip(_BLANKS)
    match = _PATH.match(written)
    return texts.clean(
        written if match is None else match[2] if match[1] is None else match[1].strip(_BLANKS)
    )[:320]


def _parameters(text: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for word in text.replace("\t", " ").split(" "):
        if not word:
            continue
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise BadCommand("parameter", _safe(word))
        name = match[1].upper()
        if name in parameters:
            raise BadCommand("parameter", name)
        parameters[name] = match[2] or ""
    return parameters


def size(value: str) -> int:
    """Parse SIZE: at most 20 digits (RFC 1870, section 3)."""
    if not re.fullmatch(r"[0-9]{1,20}", value):
        raise BadCommand("value", "SIZE")
    return int(value)


def mt_priority(value: str) -> int:
    """Parse MT-PRIORITY: -9 to 9 (RFC 6710, section 3)."""
    if not _MT_PRIORITY.fullmatch(value):
        raise BadCommand("value", "MT-PRIORITY")
    return int(value)


def notify(value: str) -> str:
    if not _NOTIFY.fullmatch(value.upper()):
        raise BadCommand("value", "NOTIFY")
    return ",".join(dict.fromkeys(value.upper().split(",")))


def ret(value: str) -> str:
    if value.upper() not in {"FULL", "HDRS"}:
        raise BadCommand("value", "RET")
    return value.upper()


def envid(value: str) -> str:
    """Return the decoded ENVID, at most 100 characters (RFC 3461, section 4.4).

    Raise `BadCommand` for another.
    """
    if len(value) > 100:
        raise BadCommand("value", "ENVID")
    return _decode_xtext(value, "ENVID")


def orcpt(value: str) -> str:
    """Decode ORCPT, such as `rfc822;user@host`, of at most 500 characters (RFC 3461, section
    4.2).
    """
    kind, mark, address = value.partition(";")
    if not mark or not re.fullmatch(r"[A-Za-z0-9-]+", kind) or len(value) > 500:
        raise BadCommand("value", "ORCPT")
    return f"{kind.lower()};{_decode_xtext(address, 'ORCPT')}"


def _decode_xtext(text: str, name: str) -> str:
    if not _XTEXT.fullmatch(text):
        raise BadCommand("value", name)
    decoded = re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), text)
    if not decoded.isascii() or texts.has_control(decoded):
        raise BadCommand("value", name)
    return decoded


def _safe(text: str) -> str:
    return texts.clean(text)[:40]
