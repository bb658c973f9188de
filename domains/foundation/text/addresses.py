"""Mail addresses: strict parsing, IDNA, the legacy local parts of Japanese carriers, and the one
key used in every look-up.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from dataclasses import dataclass

import idna

from domains.foundation.text import texts

# RFC 5321, section 4.5.3.1; the path counts its angle brackets. A domain of 255 octets in DNS is
# 253 characters of text.
MAX_LOCAL = 64
MAX_DOMAIN = 253
MAX_PATH = 256

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff"
_DOT_ATOM = re.compile(rf"[{_ATEXT}]++(?>(?:\.[{_ATEXT}]++)*)")
# Dots anywhere: ".a", "a." and "a..b" were handed out by Japanese carriers before RFC 2821 and are
# still in use.
_BARE_LOCAL = re.compile(rf"[{_ATEXT}.]++")
_QUOTED_LOCAL = re.compile(r'"((?>(?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*))"')
_QUOTED_PAIR = re.compile(r"\\(.)")
_NEEDS_ESCAPE = re.compile(r'(["\\])')
# The underscore is no host name character (RFC 1123), but DNS carries it and mail hosts with one
# exist; Postfix takes it too.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?>(?:\.{_LABEL})+)")
# Beside control characters, what has no form that two readers agree about: private use, other
# blanks. Unassigned ones too: their case folding may change with a later Unicode, and with it the
# key.
_UNPRINTABLE = frozenset({"Cn", "Co", "Cf", "Zs"})
# Category Cf, but part of ordinary words in Persian and the Indic scripts.
_JOINERS = frozenset("\u200c\u200d")


class BadAddress(ValueError):
    """An address that cannot be taken; `code`, `enhanced` and `text` are the reply for the
    client.
    """

    def __init__(self, code: int, enhanced: str, text: str) -> None:
        super().__init__(f"{code} {enhanced} {text}")
        self.code = code
        self.enhanced = enhanced
        self.text = text


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: `local` is the meaning of the local part, without quoting; `domain` is in
    A-labels and lower case.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return self.wire

    @property
    def wire(self) -> str:
        """As it stands between the angle brackets of a path: quoted only where the grammar demands
        it.
        """
        if _DOT_ATOM.fullmatch(self.local):
            return f"{self.local}@{self.domain}"
        return f'"{_NEEDS_ESCAPE.sub(_ESCAPED, self.local)}"@{self.domain}'

    @property
    def key(self) -> str:
        """The same for every way to write this mailbox.

        Case is folded although RFC 5321 lets hosts tell `Bob` from `bob`: none does in practice,
        and a suppression that an app walks around by another spelling is worse. Non-ASCII is folded
        as Unicode's caseless match (definition D145) and kept in NFC.
        """
        return f"{_fold(self.local)}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Tell if only a host with SMTPUTF8 can be given it (a domain is always in A-labels and
        never needs it).
        """
        return not self.local.isascii()

    @property
    def is_relay_trick(self) -> bool:
        """Tell whether a host might read a second destination in the local part: `u%d@here`,
        `d!u@here`, `"u@d"@here`.
        """
        return any(mark in self.local for mark in "%!@")


_ESCAPED = r"\\\1"


def parse_path(
    text: str, *, smtputf8: bool, is_sender: bool = False, allow_literal: bool = False
) -> Address:
    """Read the address between the angle brackets of a MAIL or RCPT command.

    The source is RFC 5321, section 4.1.2. Raise `BadAddress`.

    The null reverse-path `<>` and the domainless `<postmaster>` are the caller's to see first.
    `smtputf8` tells whether the transaction declared SMTPUTF8 (RFC 6531). `is_sender` chooses the
    enhanced code: 5.1.7 in place of 5.1.3.
    """
    enhanced = "5.1.7" if is_sender else "5.1.3"
    if not smtputf8 and not text.isascii():
        raise BadAddress(
            553, "5.6.7", "This address needs SMTPUTF8 (RFC 6531), which was not declared"
        )
    try:
        address = _parse(text, allow_literal=allow_literal)
    except ValueError as error:
        raise BadAddress(501, enhanced, str(error)) from error
    return address


def canonical_domain(text: str) -> str:
    """Return the one form of a domain name: A-labels, lower case, no final dot, two labels or more.

    Raise `BadAddress`.
    """
    try:
        return _domain(text)
    except ValueError as error:
        raise BadAddress(501, "5.1.3", str(error)) from error


def readable_domain(name: str) -> str:
    """Return a canonical domain for people: `xn--wgv71a.jp (日本.jp)`; as it is where it has no
    other form, or one that hides something.
    """
    try:
        shown = idna.decode(name)
    except (idna.IDNAError, UnicodeError):
        return name
    return f"{name} ({shown})" if shown != name and is_printable(shown) else name


def check_written(domain: str, *, smtputf8: bool) -> None:
    """Refuse a domain of a header field that receivers may read as another one than we do; raises
    `BadAddress`.

    A header field goes out as it came, and no receiver must map it. Without SMTPUTF8 only A-labels
    are a domain there; with it, full-width letters and ideographic dots are left to each reader
    (RFC 5891 and RFC 6532 have none of them).
    """
    if domain.isascii():
        return
    shown = domain.encode("ascii", "backslashreplace").decode("ascii")
    if not smtputf8:
        raise BadAddress(
            550,
            "5.6.7",
            f"The domain {shown} is not ASCII: write it as A-labels (xn--), or declare SMTPUTF8",
        )
    if "\u3002" in domain or unicodedata.normalize("NFKC", domain) != unicodedata.normalize(
        "NFC", domain
    ):
        raise BadAddress(
            550,
            "5.6.7",
            f"The domain {shown} has an ideographic dot or a letter in a compatibility form",
        )


def _parse(text: str, *, allow_literal: bool) -> Address:
    if len(text) > MAX_PATH or _octets(text) > MAX_PATH - 2:
        raise ValueError("The address is too long (RFC 5321, section 4.5.3.1)")
    if text.startswith("@"):
        raise ValueError("Source routes are not taken (RFC 5321, appendix C)")
    written, at, host = text.rpartition("@")
    if not at:
        raise ValueError("The address has no domain")
    local = _local(written)
    address = Address(
        local, _literal(host) if allow_literal and host.startswith("[") else _domain(host)
    )
    if _octets(address.wire) > MAX_PATH - 2:
        raise ValueError("The address is too long (RFC 5321, section 4.5.3.1)")
    return address


def _local(written: str) -> str:
    quoted = _QUOTED_LOCAL.fullmatch(written)
    local = _QUOTED_PAIR.sub(r"\1", quoted[1]) if quoted else written
    if not quoted and not _BARE_LOCAL.fullmatch(written):
        raise ValueError("The local part is malformed (RFC 5321, section 4.1.2)")
    if not local.strip(" ."):
        raise ValueError("The local part is empty")
    if _octets(local) > MAX_LOCAL:
        raise ValueError(
            f"The local part is longer than {MAX_LOCAL} octets (RFC 5321, section 4.5.3.1.1)"
        )
    if not is_printable(local):
        raise ValueError("The local part has a character that cannot be shown")
    return local


def is_printable(text: str) -> bool:
    """Tell whether no character of it is a control, a line or paragraph separator or otherwise
    invisible; the ASCII space passes.
    """
    if texts.has_control(text):
        return False
    return text.isascii() or all(
        char == " " or char in _JOINERS or unicodedata.category(char) not in _UNPRINTABLE
        for char in text
    )


def _domain(text: str) -> str:
    name = (text.lower() if text.isascii() else _to_ascii(text)).removesuffix(".")
    if len(name) > MAX_DOMAIN:
        raise ValueError("The domain is too long (RFC 5321, section 4.5.3.1.2)")
    if not _DOMAIN.fullmatch(name):
        raise ValueError(
            "The domain is malformed, or not fully qualified (RFC 5321, section 2.3.5)"
        )
    # "192.0.2.1" is no name: no top-level domain is all digits (RFC 3696, section 2).
    if name.rpartition(".")[2].isdigit():
        raise ValueError("The domain is an IP address without brackets")
    return name


def _to_ascii(text: str) -> str:
    """Map case, width and full stops (UTS #46) and check each label (IDNA 2008). Raises
    `ValueError`.
    """
    if len(text) > MAX_DOMAIN:
        raise ValueError("The domain is too long (RFC 5321, section 4.5.3.1.2)")
    if not is_printable(text):  # UTS #46 would drop some of these silently
        raise ValueError("The domain has a character that cannot be shown")
    try:
        return idna.encode(text, uts46=True, std3_rules=False).decode("ascii").lower()
    except UnicodeError as error:
        raise ValueError("The domain is not a valid internationalised name (RFC 5891)") from error


def _literal(host: str) -> str:
    """Return an address literal (RFC 5321, section 4.1.3) in one spelling; raise `ValueError`."""
    inside = host[1:-1] if host.endswith("]") else ""
    tag, colon, rest = inside.partition(":")
    if colon and tag.lower() == "ipv6" and "%" not in rest:
        return f"[IPv6:{ipaddress.IPv6Address(rest)}]"
    return f"[{ipaddress.IPv4Address(inside)}]"


def _octets(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _fold(local: str) -> str:
    if local.isascii():
        return local.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", local).casefold())
