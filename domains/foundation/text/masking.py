"""Mail addresses as those see them who are not to know them: `h•••o@docomo.ne.jp`.

It reads text, HTML and JSON alike, so that one filter at the end of a request masks every page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import quote, unquote

from domains.foundation.text.addresses import BadAddress, parse_path

DOTS = "•••"
LONGEST = 400  # characters of a local part that are looked at, escaped as they may be
SHOWS_BOTH_ENDS = 4  # characters of a local part, at least
_AT = re.compile("@|%40")
_DOMAIN = re.compile(r"\[[^\]\s<>]{1,80}\]|[^\W_](?:[\w.\-]*\w)?")
_ENTITY = re.compile(r"&(?:amp|#x27|#39|quot|lt|gt);\Z")
_BETWEEN = frozenset('<>,;:()[]\\"\u2022')  # ends a local part that is not quoted
_IN_URL = _BETWEEN | frozenset("=/?&#")


def masked(text: str, is_plain: Callable[[str], bool] = lambda address: False) -> str:
    """Return the text with every address masked but those of which `is_plain` says so; it is given
    the canonical form.
    """
    parts, end = [], 0
    for sign in _AT.finditer(text):
        domain = _DOMAIN.match(text, sign.end())
        start = _start(text, sign.start(), end, in_url=sign[0] != "@")
        if domain is None or start == sign.start() or sign.start() < end:
            continue
        local = text[start : sign.start()]
        if any(is_plain(key) for key in _keys(local, domain[0])):
            shown = local
        else:
            shown = _hidden(local, in_url=sign[0] != "@")
        parts += [text[end:start], shown, text[sign.start() : domain.end()]]
        end = domain.end()
    return "".join([*parts, text[end:]])


def key_of(address: str) -> str:
    """Return the form under which an address is compared: canonical where it is one."""
    try:
        return parse_path(address.strip().strip("<>"), smtputf8=True).key
    except BadAddress:
        return address.strip().lower()


def addresses_in(text: str) -> list[str]:
    """Return the canonical form of every address in what a person typed."""
    found: list[str] = []

    def note(key: str) -> bool:
        found.append(key)
        return False

    masked(text, note)
    return found


def _start(text: str, at: int, floor: int, *, in_url: bool) -> int:
    """Walk back from the sign to where the local part begins."""
    for mark in ('"', "&quot;"):
        if text.endswith(mark, floor, at):
            opened = text.rfind(mark, max(floor, at - LONGEST), at - len(mark))
            if opened >= 0 and "\n" not in text[opened:at]:
                return opened
    ends = _IN_URL if in_url else _BETWEEN
    here, least = at, max(floor, at - LONGEST)
    while here > least:
        before = text[here - 1]
        entity = _ENTITY.search(text, max(least, here - 6), here) if before == ";" else None
        if entity and entity[0] not in ("&lt;", "&gt;", "&quot;"):
            here = entity.start()
        elif before.isspace() or before in ends:
            break
        else:
            here -= 1
    return here


def _keys(local: str, domain: str) -> list[str]:
    """Return what the address may be: as it stands, and behind what a URL or a log put before."""
    plain = unquote(html.unescape(local))
    tails = {plain, *(plain.rpartition(sign)[2] for sign in "=/?'")}
    return [key_of(f"{tail}@{domain}") for tail in tails if tail]


def _hidden(local: str, *, in_url: bool) -> str:
    plain = unquote(html.unescape(local)).strip('"')
    first, last = plain[:1], plain[-1:] if len(plain) >= SHOWS_BOTH_ENDS else ""
    if len(plain) == 1:
        first = ""
    if in_url:
        return quote(f"{first}{DOTS}{last}")
    return html.escape(first) + DOTS + html.escape(last)
