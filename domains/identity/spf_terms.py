"""The text of an SPF record taken apart: terms, qualifiers, macros (RFC 7208, sections 4.6 and 7).
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote


class SpfResult(StrEnum):
    """RFC 7208, section 2.6."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105  (a verdict)
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class SpfSyntaxError(Exception):
    """The record cannot be read: permerror; `term` is what is wrong."""

    def __init__(self, term: str) -> None:
        super().__init__(term)
        self.term = term


QUALIFIERS = {
    "+": SpfResult.PASS,
    "-": SpfResult.FAIL,
    "~": SpfResult.SOFTFAIL,
    "?": SpfResult.NEUTRAL,
}
ASKING = frozenset({"include", "a", "mx", "ptr", "exists"})  # mechanisms that cost a look-up
_MECHANISM = re.compile(
    r"([-+?~]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?![\w.-])(.*)", re.IGNORECASE | re.DOTALL
)
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.IGNORECASE | re.DOTALL)
_CIDR = re.compile(r"(.*?)(?:/(\d{1,2}))?(?://(\d{1,3}))?", re.DOTALL)
_MACRO = re.compile(
    r"%(?:\{([slodipvhcrt])(\d*)(r?)([-.+,/_=]*)\}|([%_-])|(.?))", re.IGNORECASE | re.DOTALL
)
_LAST_LABEL = re.compile(
    r"(?:.*\.)?(?:[a-z0-9]*[a-z][a-z0-9]*|[a-z0-9]+-[a-z0-9-]*[a-z0-9])\.?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class SpfTerm:
    """One mechanism. `domain` is not expanded yet; the lengths are those of networks."""

    text: str
    result: SpfResult
    name: str
    domain: str = ""
    length4: int = 32
    length6: int = 128


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """All terms of a record: its mechanisms in order, and where `redirect=` leads."""

    terms: tuple[SpfTerm, ...]
    redirect: str = ""


def is_spf(text: str) -> bool:
    """Return whether a TXT record is an SPF record (section 4.5)."""
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def parsed(text: str) -> SpfRecord:
    """Return the terms; raises `SpfSyntaxError` at the first that is none (section 4.6)."""
    terms: list[SpfTerm] = []
    modifiers: dict[str, str] = {}
    for word in text.split(" ")[1:]:
        if not word:
            continue
        modifier = _MODIFIER.fullmatch(word)
        if modifier:
            _note_modifier(modifiers, modifier[1].lower(), modifier[2], word)
        else:
            terms.append(_mechanism(word))
    return SpfRecord(tuple(terms), modifiers.get("redirect", ""))


def _note_modifier(found: dict[str, str], name: str, value: str, word: str) -> None:
    if name in ("redirect", "exp"):
        if name in found or not value:
            raise SpfSyntaxError(word)
        _check_domain(value, word)
    else:
        _check_macros(value, word)
    found[name] = value


def _mechanism(word: str) -> SpfTerm:
    match = _MECHANISM.fullmatch(word)
    if match is None:
        raise SpfSyntaxError(word)
    result, name, rest = QUALIFIERS[match[1] or "+"], match[2].lower(), match[3]
    if name == "all":
        if rest:
            raise SpfSyntaxError(word)
        return SpfTerm(word, result, name)
    if name in ("ip4", "ip6"):
        return _network(word, result, name, rest)
    domain, length4, length6 = rest, 32, 128
    if name in ("a", "mx"):
        domain, length4, length6 = _lengths(word, rest)
    if domain.startswith(":"):
        domain = domain[1:]
        _check_domain(domain, word)
    elif domain or name in ("include", "exists"):
        raise SpfSyntaxError(word)
    return SpfTerm(word, result, name, domain, length4, length6)


def _network(word: str, result: SpfResult, name: str, rest: str) -> SpfTerm:
    address, slash, length = rest.removeprefix(":").partition("/")
    most = 32 if name == "ip4" else 128
    is_length = bool(re.fullmatch(r"0|[1-9]\d{0,2}", length)) and int(length) <= most
    if not rest.startswith(":") or (slash and not is_length):
        raise SpfSyntaxError(word)
    try:
        IPv4Address(address) if name == "ip4" else IPv6Address(address)
    except ValueError as error:
        raise SpfSyntaxError(word) from error
    number = int(length) if slash else most
    return SpfTerm(word, result, name, address, number, number)


def _lengths(word: str, rest: str) -> tuple[str, int, int]:
    match = _CIDR.fullmatch(rest)
    assert match is not None  # every part may be empty
    lengths = []
    for text, most in ((match[2], 32), (match[3], 128)):
        if text is not None and (int(text) > most or (len(text) > 1 and text[0] == "0")):
            raise SpfSyntaxError(word)
        lengths.append(most if text is None else int(text))
    return match[1], lengths[0], lengths[1]


def _check_domain(text: str, word: str) -> None:
    """Check a domain-spec's macros, and that it ends in one or in a top label (section 7.1).

    Raise `SpfSyntaxError`.
    """
    _check_macros(text, word)
    ends_in_macro = re.search(r"%(\{[^}]*\}|[%_-])$", text) is not None
    if not text or not (ends_in_macro or ("." in text and _LAST_LABEL.fullmatch(text))):
        raise SpfSyntaxError(word)


def _check_macros(text: str, word: str) -> None:
    if any(not "!" <= char <= "~" for char in text):
        raise SpfSyntaxError(word)
    for match in _MACRO.finditer(text):
        bad_letter = match[1] is not None and match[1].lower() in "crt"  # only in explanations
        if match[6] is not None or bad_letter or (match[2] and int(match[2]) == 0):
            raise SpfSyntaxError(word)


def expanded(text: str, letters: Mapping[str, str]) -> str:
    """Return a domain-spec with its macros filled in, cut at the left to 253 characters
    (section 7.3).
    """

    def one(match: re.Match[str]) -> str:
        if match[5]:
            return {"%": "%", "_": " ", "-": "%20"}[match[5]]
        value = letters[match[1].lower()]
        parts = re.split(f"[{re.escape(match[4] or '.')}]", value)
        if match[3]:
            parts.reverse()
        if match[2]:
            parts = parts[-int(match[2]) :]
        filled = ".".join(parts)
        return quote(filled, safe="-._~") if match[1].isupper() else filled

    name = _MACRO.sub(one, text).removesuffix(".")
    while len(name) > 253:
        name = name.partition(".")[2]
    return name
