"""From and Sender fields that break the grammar: taken where every reading of them leads to a
domain of the account.

People and scripts write `app@shop.example <app@shop.example>`, `Shop, Inc. <...>`, `Shop: News
<...>` or names in raw Shift_JIS. Readers make different things of these. None of that is a harm
while nobody can see somebody else's address: so every "@" that any reader could see is followed to
its domain, however the text is decoded, and whatever is taken for a comment, a quote or an escape.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Collection

from domains.foundation.text import texts
from domains.foundation.text.addresses import (
    Address,
    BadAddress,
    canonical_domain,
)
from domains.foundation.text.mailboxes import (
    MAX_LENGTH,
    check_encoded_words,
    refusal,
    sole_address,
)

MAX_SIGNS = 100  # of "@" in one field: each is looked up as a domain in each view

_FOLD = re.compile(r"\r\n(?=[ \t])")
_ENCODED_WORD = re.compile(r"=\?([^?\s]*+)\?([BbQq])\?([^?\s]*+)\?=(?:[ \t]+(?==\?))?")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_QUOTED = re.compile(r'"(?>(?:[^"\\]|\\.?)*)("?)')
_ANGLE = re.compile(r"<([^<>]*+)>")
_LOCAL = re.compile(r"[^\s<>()\[\]\",;:@\\']{1,64}\Z")
_AROUND_DOT = re.compile(r"(?<!\s)\s*+([.@])\s*+")
_QUOTES = re.compile("[\"']")
_ANGLES = re.compile("[<>]")
_RUN = re.compile(r"[^\s<>()\[\]\",;:@\\']*+")
_WORD_RUN = re.compile(r"[\w.-]*+")
_ASCII_RUN = re.compile(r"[\w.-]*+", re.ASCII)
_BLANKS = re.compile(r"\s+")
_LEGACY = ("cp932", "euc_jp", "latin-1")


def authors(value: bytes, domains: Collection[str], *, smtputf8: bool) -> list[Address]:
    """Return the mailboxes of a field that `mailboxes` refuses, at least one.

    Raise `BadAddress` (550 5.6.0), which names the character.

    `value` is the field's value, folded or not; `domains` are those of the account, in A-labels.
    """
    readings = [_FOLD.sub("", text).strip("\r\n") for text in _decoded(value)]
    if len(readings[0]) > MAX_LENGTH or value.count(b"@") > MAX_SIGNS:
        raise refusal("The address list is too long")
    for text in readings:
        check_encoded_words(text, _forgiving)
        _check_domains(text, domains)
    return _authors(readings[0], smtputf8=smtputf8)


def _decoded(value: bytes) -> list[str]:
    """Return what readers may decode the bytes to; first what they are most likely meant to be."""
    # ISO-2022-JP, which hides quotes, brackets and "@" from those who read bytes.
    if b"\x1b" in value and value.isascii():
        texts_ = [value.decode("iso2022_jp_ext", "replace"), value.decode("ascii")]
        _check_controls(texts_[0])
        return texts_
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return [found for charset in _LEGACY if (found := _decode(value, charset)) is not None]
    _check_controls(text)
    return [text]


def _decode(value: bytes, charset: str) -> str | None:
    try:
        return value.decode(charset)
    except UnicodeDecodeError:
        return None


def _check_controls(text: str) -> None:
    if found := texts.first_control(_FOLD.sub("", text).strip("\r\n").replace("\t", " ")):
        raise refusal(f"The address list has a control character: {found}")


# --- every "@" is followed ------------------------------------------------------------------------
def _check_domains(text: str, domains: Collection[str]) -> None:
    seen: set[str] = set()
    for view in _views(text):
        for sign in re.finditer("@", view):
            if view.startswith("[", sign.end()):
                raise _ambiguous("[", "an address literal")
            found = (run.match(view, sign.end()) for run in (_RUN, _WORD_RUN, _ASCII_RUN))
            seen |= {match[0].strip("._-") for match in found if match}
    for written in sorted(seen):
        domain = _domain(written)
        if domain and domain not in domains:
            raise _ambiguous("@", f"an address of {domain}")


def _domain(written: str) -> str:
    """Empty for what is nobody's domain: half a letter of Shift_JIS, `S@les`, `2@1.99`."""
    try:
        return canonical_domain(written)
    except BadAddress:
        return ""


def _views(text: str) -> set[str]:
    """Return the text as different readers see it before they look for addresses."""
    decoded = _ENCODED_WORD.sub(_word, text)
    views = {text, decoded, unicodedata.normalize("NFKC", decoded)}
    views |= {view.replace("\\", "") for view in views}
    views |= {_without_comments(view)[0] for view in views}
    joined = {_BLANKS.sub("", view) for view in views}  # Python joins what stands apart in a domain
    views |= {_QUOTES.sub("", view) for view in views}
    views |= {_without_comments(view)[0] for view in views}
    views |= {_ANGLES.sub("", view) for view in views}  # PHPMailer drops them
    return views | joined | {_AROUND_DOT.sub(r"\1", view) for view in views}


def _word(match: re.Match[str]) -> str:
    """Decode an encoded word as the most forgiving reader does (RFC 2047)."""
    charset, data = match[1].partition("*")[0].lower(), _forgiving(match[2], match[3])
    try:
        return data.decode(
            "iso2022_jp_ext" if charset.startswith("iso-2022-jp") else charset, "replace"
        )
    except (LookupError, ValueError):  # ValueError: the charset's codec takes no such input at all
        return data.decode("latin-1")


def _forgiving(encoding: str, payload: str) -> bytes:
    """Return the bytes of an encoded word, whatever is wrong with its padding."""
    data = payload.encode("utf-8", "replace")
    if encoding in "Qq":
        return binascii.a2b_qp(data, header=True)
    letters = _NOT_BASE64.sub(b"", data)
    return binascii.a2b_base64(letters[: len(letters) - (len(letters) % 4 == 1)] + b"==")


def _without_comments(text: str) -> tuple[str, int]:
    """Return the text with a blank for each comment, nested or not.

    The number says how many parentheses are left open (below 0: closed too often).
    """
    kept: list[str] = []
    depth = lowest = 0
    for piece in re.split(r"([()])", text):
        if piece in ("(", ")"):
            depth += 1 if piece == "(" else -1
            lowest = min(lowest, depth)
            depth = max(depth, 0)
            kept.append(" ")
        elif not depth:
            kept.append(piece)
    return "".join(kept), lowest or depth


# --- who writes -----------------------------------------------------------------------------------
def _authors(text: str, *, smtputf8: bool) -> list[Address]:
    """Return what stands in angle brackets, or else the bare addresses.

    Raise `BadAddress` where something is left open: it would leave many readers without an author.
    """
    outside, is_open = _without_comments(
        _QUOTED.sub(lambda quoted: " " if quoted[1] else '"', text)
    )
    rest = _ANGLE.sub(" ", outside)
    for char in '"<>':
        if char in rest:
            raise _ambiguous(char, "open")
    if is_open:
        raise _ambiguous("(" if is_open > 0 else ")", "open")
    inside = [angle.strip(" \t") for angle in _ANGLE.findall(outside)]
    # A quoted local part is gone from `outside`: such an address is for the strict grammar alone.
    found = [sole_address(written, smtputf8=smtputf8) for written in inside or _bare(rest)]
    if not found:
        raise refusal("The address list has no address")
    return found


def _bare(text: str) -> list[str]:
    """Return the addresses that stand there without brackets."""
    found = []
    for sign in re.finditer("@", text):
        local, domain = (
            _LOCAL.search(text, max(sign.start() - 64, 0), sign.start()),
            _RUN.match(text, sign.end()),
        )
        if local and domain and _domain(domain[0]):
            found.append(f"{local[0]}@{domain[0]}")
    return found


def _ambiguous(char: str, what: str) -> BadAddress:
    why = "it is left open" if what == "open" else f"it can be read as {what}"
    return refusal(
        f"The address list is malformed or ambiguous at {char} (U+{ord(char):04X}): {why}"
    )
