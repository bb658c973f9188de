"""Take a reply apart as it stands in a report: code, enhanced code, and the words."""

from __future__ import annotations

import re

_HOST_SAID = re.compile(r"^(.{0,300} )?said: ", re.IGNORECASE)


_CODES = re.compile(
    r"^\W{0,3}([245]\d\d)(?=[\s:;,.<#-]|$):?[\s;,'-]{0,3}(?:error_code ?: "
    r"?)?#?(?:([245]\.\d{1,3}\.\d{1,4})(?![\d.]))?[\s;,-]{0,3}",
    re.IGNORECASE,
)

# Cisco's gateways put their own verdict before what was answered: 5.1.0 - Unknown address error
# 550-'5.7.1 ... Access denied'
_QUOTED = re.compile(r"^\W{0,3}[245]\.\d{1,3}\.\d{1,3} - [\w /]{3,60}(?=\b[245]\d\d[- ]')")
# Google's reports put the code before a reply that has it.
_TWICE = re.compile(r"^([245]\d\d)[ -]{1,2}(?=\1[ -])")
# Exchange puts its own verdict around what was answered: 554 5.7.0 < #5.7.133 smtp;550 5.7.133 ...
_INSIDE = re.compile(
    r"^(?:[245]\d\d )?(?:[245]\.\d\.\d{1,3} )?<[^<>\n]{0,255}?#[245]\.\d{1,3}\.\d{1,4} smtp; ?"
    r"(?=[245]\d\d )",
    re.IGNORECASE,
)
# Barracuda answers for all recipients at the end, with what was answered to each.
_FOR_ONE = re.compile(
    r"^[245]\d\d permanent failure for one or more recipients \([^\s:()]{1,320}:(?=[245]\d\d[ -])",
    re.IGNORECASE,
)
_LEADING = re.compile(r"^#?[245]\.\d{1,3}\.\d{1,4}[ :,-]{1,3}")
_ENHANCED_ONLY = re.compile(
    r"(?:^\W{0,3}|[#(]|failed; |\bstatus code: {1,9})(?:[245]\d\d[ -])?"
    r"([245]\.\d{1,3}\.\d{1,4})(?![\d.])",
    re.IGNORECASE,
)


def parse(text: str) -> tuple[int, str, str]:
    """Split a reply as a report quotes it into code, enhanced code and the rest; 0 and "" where a
    code is missing.
    """
    text = text.strip()
    if _CODES.match(text) is None:  # else "said" is part of the reply: it tells of another host
        text = _HOST_SAID.sub("", text, count=1)
    text = _TWICE.sub("", _INSIDE.sub("", _FOR_ONE.sub("", _QUOTED.sub("", text))))
    if (match := _CODES.match(text)) is not None:
        return int(match[1]), match[2] or _later(text), text[match.end() :]
    enhanced = _later(text)
    return 0, enhanced, _LEADING.sub("", text, count=1)


def _later(text: str) -> str:
    """Find an enhanced code at the end, where qmail puts it: (#5.1.1)."""
    match = _ENHANCED_ONLY.search(text[:1000])
    return match[1] if match else ""
