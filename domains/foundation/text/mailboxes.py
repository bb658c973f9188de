"""The mailboxes of a From or Sender field, or a refusal wherever two readers could see different
ones.
"""

from __future__ import annotations

import binascii
import codecs
import re
import unicodedata
from collections.abc import Callable

from domains.foundation.text.addresses import (
    Address,
    BadAddress,
    check_written,
    is_printable,
    parse_path,
)
from domains.foundation.text.texts import field_control, name_control, without_controls

MAX_LENGTH = 16_384

# One token a turn, first alternative that fits. All repetition is possessive or atomic, so no input
# is read twice: time is linear. Narrower than RFC 5322 where its readers are known to disagree:
# - comments do not nest and hold no address or escape;
# - a quoted string holds angle brackets or escapes, but not both;
# - an address is one token (no folding or comments inside it), and its quoted local part holds no
#   "@", bracket or escape.
_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff"
_ADDRESS = rf'(?:[{_ATEXT}.]++|"[^"\\<>@()]*+")@[{_ATEXT}.]++'
_TOKEN = re.compile(
    rf"(?P<space>[ \t]++)"
    rf"|(?P<comment>\([^()\\<>@]*+\))"
    rf"|(?P<address>{_ADDRESS})"
    rf"|(?P<angle><[ \t]*+(?P<inside>{_ADDRESS})[ \t]*+>)"
    rf'|(?P<word>[{_ATEXT}.]++|"[^"\\]*+"|"(?>(?:[^"\\<>@]|\\[ -~])*)")'
    rf"|(?P<comma>,)"
)
_FOLD = re.compile(r"\r\n(?=[ \t])")
_ENCODED_WORD = re.compile(r"=\?([^?\s]*+)\?([BbQq])\?([^?\s]*+)\?=")
_BETWEEN_WORDS = re.compile(r"(?<=\?=)[ \t]+(?==\?)")
# The bytes that Windows-1252 leaves free: readers take them as C1.
_WINDOWS_CONTROLS = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
# Around an "@" in a name; each is tried at one place only, and the local part's length is bounded,
# so time is linear.
_LOCAL = re.compile(r"[^\s@<>()\[\]\",:;]{1,64}\Z")
_LABEL = r"(?>(?:[\w-]|[^\x00-\u02ff\s\u2000-\u206f\u3000-\u303f])+)"
_DOMAIN = re.compile(rf"{_LABEL}(?>(?:\.{_LABEL})+)")
# No charsets of mail, and they warn.
_PYTHON_ONLY = frozenset({"unicode-escape", "raw-unicode-escape"})


def decode_word(encoding: str, payload: str) -> bytes:
    """Return the bytes of an encoded word of this encoding, "B" or "Q" (RFC 2047).

    Raise `BadAddress`.
    """
    data = payload.encode("utf-8")
    try:
        return (
            binascii.a2b_qp(data.replace(b"_", b" "))
            if encoding in "Qq"
            else binascii.a2b_base64(data)
        )
    except binascii.Error as error:
        raise refusal("An encoded word is malformed (RFC 2047)") from error


def mailboxes(value: str | bytes, *, smtputf8: bool = True) -> list[Address]:
    """Return the addresses of an address list (RFC 5322, section 3.4), at least one.

    Raise `BadAddress` (550 5.6.0) when in doubt.

    `value` is the field's value, folded or not. The display names are checked for what they could
    smuggle, and then forgotten. Without `smtputf8` a domain must be in A-labels.
    """
    text = _FOLD.sub("", value if isinstance(value, str) else _decode(value)).rstrip("\r\n")
    if len(text) > MAX_LENGTH:
        raise refusal("The address list is too long")
    # Names are written with the ideographic space.
    if not is_printable(text.replace("\t", " ").replace("\u3000", " ")):
        raise refusal("The address list has a control character")
    check_encoded_words(text)
    return [_mailbox(tokens, smtputf8=smtputf8) for tokens in _split(text)]


def addresses_in_names(value: bytes) -> list[tuple[str, str]]:
    """Find each address that a display name or a comment shows a reader, with its domain; both
    lower case.

    `value` has passed `mailboxes`. The names are read as mail programs show them: encoded words
    decoded, the space between two of them dropped (RFC 2047, section 6.2), full-width letters made
    plain, what nobody sees removed.
    """
    found: list[tuple[str, str]] = []
    for element in _split(_FOLD.sub("", _decode(value)).rstrip("\r\n")):
        name = " ".join(token for kind, token in element if kind in ("word", "comment")).replace(
            "\\", ""
        )
        shown = _ENCODED_WORD.sub(_shown_word, _BETWEEN_WORDS.sub("", name))
        plain = (
            without_controls(unicodedata.normalize("NFKC", shown)).lower().replace("\u3002", ".")
        )
        for sign in re.finditer("@", plain):
            local = _LOCAL.search(plain, max(sign.start() - 64, 0), sign.start())
            domain = _DOMAIN.match(plain, sign.end())
            # "2@1.99" is a price.
            if local and domain and any(map(str.isalpha, domain[0].rpartition(".")[2])):
                found.append((f"{local[0]}@{domain[0]}", domain[0]))
    return found


def _shown_word(match: re.Match[str]) -> str:
    data, charset = decode_word(match[2], match[3]), match[1].partition("*")[0].lower()
    if charset.startswith("iso-2022-jp"):
        return data.decode("iso-2022-jp-ext", "replace")
    text = _text_of(data, charset)
    return data.decode("latin-1") if text is None else text


def _decode(value: bytes) -> str:
    try:
        # Other charsets hide "@" and quotes in second bytes: Shift_JIS, ISO-2022-JP.
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refusal("The address list is neither ASCII nor UTF-8") from error


def check_encoded_words(text: str, decode: Callable[[str, str], bytes] = decode_word) -> None:
    """Refuse encoded words that hide what would be refused in the open: line ends, terminal
    controls, turned text.

    Readers join adjacent words of one charset before they decode them, or after (RFC 2047, section
    6.2), so both are looked at.
    """
    if "=?" not in text:
        return
    joined: dict[str, bytes] = {}
    for match in _ENCODED_WORD.finditer(text):
        # What follows "*" is a language (RFC 2231, section 5).
        charset = match[1].partition("*")[0].lower()
        data = decode(match[2], match[3])
        _check_name(data, charset)
        joined[charset] = joined.get(charset, b"") + data
    for charset, data in joined.items():
        _check_name(data, charset)


def _check_name(data: bytes, charset: str) -> None:
    name = _text_of(data, charset)
    found = field_control(data) if name is None else name_control(name)
    if found:
        raise refusal(f"An encoded word hides a control character: {found}")


def _text_of(data: bytes, charset: str) -> str | None:
    """Return the text that a reader makes of it; None where its bytes below 128 are all that can
    be judged.

    Some readers take ISO-8859-1 for Windows-1252 (WHATWG Encoding), others by the letter, to whom
    0x9B begins a terminal's command; so only what says Windows-1252 is read as that. ASCII with
    bytes above 127 is read as ISO-8859-1. ISO-2022-JP often holds half-width letters, which
    Python's codec does not know; it can write no control above 127.
    """
    if charset.startswith("iso-2022-jp"):
        return None
    try:
        codec = codecs.lookup(charset).name
        if codec in _PYTHON_ONLY:
            return None
        if codec == "cp1252" and (free := _WINDOWS_CONTROLS.search(data)):
            return chr(free[0][0])
        return data.decode("latin-1" if codec == "ascii" else codec, "replace")
    except (LookupError, ValueError):  # ValueError: the charset's codec takes no such input at all
        return None


def _split(text: str) -> list[list[tuple[str, str]]]:
    """Return the tokens but white space, as (kind, text), of each comma-separated element."""
    elements: list[list[tuple[str, str]]] = [[]]
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise refusal("The address list is malformed or ambiguous (RFC 5322, section 3.4)")
        position = match.end()
        if match["comma"]:
            elements.append([])
        elif kind := next(
            (name for name in ("address", "angle", "word", "comment") if match[name]), None
        ):
            elements[-1].append((kind, match["inside"] or match[0]))
    return elements


def _mailbox(tokens: list[tuple[str, str]], *, smtputf8: bool) -> Address:
    """Read a bare address, or any display name and one address in angle brackets (RFC 5322, section
    3.4).
    """
    tokens = [token for token in tokens if token[0] != "comment"]
    kinds = [kind for kind, _ in tokens]
    if kinds != ["address"] and kinds != ["word"] * (len(kinds) - 1) + ["angle"]:
        raise refusal("The address list is malformed or ambiguous (RFC 5322, section 3.4)")
    return sole_address(tokens[-1][1], smtputf8=smtputf8)


def sole_address(text: str, *, smtputf8: bool) -> Address:
    """Parse an address of a From or Sender field. Raise `BadAddress`."""
    # An encoded word is not allowed here (RFC 2047, section 5), but some readers decode it.
    if "=?" in text:
        raise refusal("An address contains an encoded word")
    try:
        address = parse_path(text, smtputf8=True, is_sender=True)
        check_written(text.rpartition("@")[2], smtputf8=smtputf8)
        return address
    except BadAddress as error:
        raise refusal(error.text) from error


def refusal(text: str) -> BadAddress:
    return BadAddress(550, "5.6.0", text)
