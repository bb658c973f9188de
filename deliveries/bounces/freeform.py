"""Finds in a text made for people whom it is about, and what it says of each."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from deliveries.bounces.wording import ADDRESS, MAX_LINES, is_masked

MAX_RECIPIENTS = 100


@dataclass(frozen=True, slots=True)
class Mention:
    """A recipient, and the part of the text that is about it alone."""

    recipient: str
    text: str


_A = rf"[<\"'(]{{0,2}}(?:smtp:|mailto:)?({ADDRESS.pattern})[>\"')]{{0,2}}"
# How mail systems name a failed recipient, the plainest first. The first that finds any counts, so
# that an address told of by the way (a sender, a postmaster) is never taken for one.
_MANNERS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^\d{{3}} (?:\d\.\d\.\d )?{_A}\.\.\.\s",
        rf"^\s*(?:>>> ?rcpt to: ?|[-*>]{{0,3}}\s*recipient(?: address)?:\s*\[?|addressed "
            r"to:\s*|undeliverable address:\s*"
        rf"|>>>? ?to:\s*){_A}",
        rf"(?:(?:originally addressed to|was addressed,?) |dda:smtp=|\[smtp:|address: ){_A}",
        (rf"^[\s*>+-]{{0,12}}{_A}(?:\s*\(.{{0,200}}|<mailto:.{{0,300}}|\s*;.{{0,200}}"
            rf"|\s*:\s?.{{0,4000}}|\s*,?\s*)$"),
        rf"^\s*{_A} (?:\(|on |invalid|was |is |could|has |failed|does).{{0,300}}$",
        r"(?:deliver(?:ed|y)?|undeliverable|message|mail|sent|send|addressed|email|problems?"
            r"|transmit(?:ted)?|reach|address)"
        rf"\W{{1,3}}(?:\w+ ){{0,6}}?(?:to|for|recipients?|address|user|box)s?(?: "
            rf"\w+){{0,3}}\s*:?\s*{_A}",
        (r"(?:to|for|recipients?|address(?:es)?|user|attempts|full|mailbox|reached|宛先"
            rf"|宛て?先?)\s*(?:is|was)?\s*[:：]?\s*{_A}"),
        rf"{_A}",
    )
)  # fmt: skip
_VAGUE = _MANNERS[5:]
# sendmail's list above its transcript, which does not name each of them again.
_LIST = re.compile(r"^[ \t]*-{3,} the following addresses had ", re.IGNORECASE)
_LISTED = re.compile(rf"^[ \t]*<({ADDRESS.pattern})>[ \t]*$")
_NOT_THEM = re.compile(
    r"^\s*(from|sender|reply-to|return-path|message-?id|contact|x-|date|subject|mail from|>>> "
    r"?mail)\b"
    r"|message-id:|original sender|envelope-from|please contact|mail from:|accept(ing|s|ed)? "
    r"(any )?(e?-?mails?|messages?) from",
    re.IGNORECASE,
)
_BARE = re.compile(r"^[ \t]+([A-Za-z0-9][A-Za-z0-9._+-]{1,63})(?:[ \t]*|[ \t]{2,}\S[^\n@]{0,200})$")
_ANNOUNCED = re.compile(
    r"recipients?|addressees?|following|undeliver|could not be delivered", re.IGNORECASE
)
_NO_PEOPLE = re.compile(
    r"^(postmaster|mailer-daemon|abuse|root|helpdesk|support|no-?reply|admin)@", re.IGNORECASE
)
# Whom to ask, as a report says it.
_TO_ASK = re.compile(r"please|assist|contact|question|further|help", re.IGNORECASE)

# Beside the mailbox that an alias was turned into, programs name what was written to.
_ALIAS = r"\((?:ultimately )?(?:expanded|generated) from:?"
_ALIAS_CUT = re.compile(rf"({_ALIAS})[ \t]*\n[ \t]+", re.IGNORECASE)
_WRITTEN_TO = re.compile(
    rf"{_ALIAS} <?({ADDRESS.pattern})>?\)|^[ \t]*original address:[ \t]*<?({ADDRESS.pattern})",
    re.IGNORECASE | re.MULTILINE,
)


MAX_REPLY = 4000
_BEHIND = re.compile(
    r"^\W{0,4}5\d\d[ -][^\n@]{0,60}\b(?:quota|full|mailbox|storage|space|unknown|such)\b"
    rf"[^\n@]{{0,30}}\b(?:for|of|user|mailbox|account) <?({ADDRESS.pattern})",
    re.IGNORECASE | re.MULTILINE,
)


def mentions(text: str, *, not_them: frozenset[str] = frozenset()) -> list[Mention]:
    """Find each recipient once, in order, with what the text says of it.

    `not_them` are addresses in lower case that cannot be meant, such as the report's own.
    """
    text = _ALIAS_CUT.sub(r"\1 ", text)
    lines = [line[:4400] for line in text.split("\n")[:MAX_LINES]]
    for manner in _MANNERS:
        if found := _by(manner, lines, not_them if manner in _VAGUE else frozenset()):
            if manner is not _MANNERS[0]:
                return _sections(found, lines)
            return _sections(_backwards(found), lines) + _listed(found, lines)
    for manner in _MANNERS[:-1]:  # nobody else is named: mail to abuse@ comes back, too
        if found := _by(manner, lines, not_them, is_anybody=True):
            return _sections(found, lines)
    return []


def written_to(mention: Mention) -> str:
    """Return the address that was written to, where the text says what it was turned into."""
    match = _WRITTEN_TO.search(mention.text[:MAX_REPLY])
    found = (match[1] or match[2]) if match else ""
    return found if found and not is_masked(found) else mention.recipient


def behind(text: str, known: Collection[str]) -> list[str]:
    """Return the mailboxes that a reply names beside those (in lower case) that were written to:
    what an alias was turned into.
    """
    found = (match[1] for match in _BEHIND.finditer(text[:MAX_REPLY]))
    return list(
        dict.fromkeys(each for each in found if each.lower() not in known and not is_masked(each))
    )[:1]


def bare_names(text: str, domain: str) -> list[Mention]:
    """Find recipients written without their domain, each on a line of its own below "the following
    recipients:"; the domain is the reporter's.
    """
    if not domain:
        return []
    lines = text.split("\n")[:MAX_LINES]
    found: list[Mention] = []
    is_list = False
    for line in lines:
        if is_list and (match := _BARE.match(line)) is not None:
            found.append(Mention(f"{match[1]}@{domain.lower()}", text))
        elif line.strip():
            is_list = _ANNOUNCED.search(line) is not None or (
                is_list and line.rstrip().endswith(":")
            )
    return found[:MAX_RECIPIENTS]


def _by(
    manner: re.Pattern[str],
    lines: list[str],
    not_them: frozenset[str],
    *,
    is_anybody: bool = False,
) -> list[tuple[int, str]]:
    """Return line number and address of each match.

    `is_anybody`: addresses of a role count as well, but for those that a report gives to ask at.
    """
    found: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        if "@" not in line or _NOT_THEM.search(line) or (is_anybody and _TO_ASK.search(line)):
            continue
        for match in manner.finditer(line):
            address = match[1].lstrip(".'")
            if (
                address.lower() not in not_them
                and (is_anybody or not _NO_PEOPLE.match(address))
                and not is_masked(address)
            ):
                found.append((number, address))
    return found[: MAX_RECIPIENTS * 4]


def _listed(found: list[tuple[int, str]], lines: list[str]) -> list[Mention]:
    """Return those of sendmail's list that are not among `found`."""
    known = {address.lower() for _, address in found}
    more: list[Mention] = []
    is_list = False
    for number, line in enumerate(lines):
        if _LIST.match(line):
            is_list = True
        elif is_list and (match := _LISTED.match(line)) is not None:
            reason = lines[number + 1] if lines[number + 1 :] else ""
            # Without a reason, or behind an alias, the transcript tells of it by another name.
            if "(reason: " in reason and match[1].lower() not in known and not is_masked(match[1]):
                following = "".join(lines[number + 2 : number + 3])
                if "expanded from" not in following:
                    more.append(Mention(match[1], f"{line}\n{reason}"))
        elif not line.strip() or line.lstrip().startswith("---"):
            is_list = False
    return more[:MAX_RECIPIENTS]


def _backwards(found: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the recipients with the line at which the section of each begins: below the hit
    before.

    A transcript names the recipient after what the server said.
    """
    begins = [0, *(number + 1 for number, _ in found[:-1])]
    return [(begin, address) for begin, (_, address) in zip(begins, found, strict=True)]


def _sections(found: list[tuple[int, str]], lines: list[str]) -> list[Mention]:
    """Return each recipient with the text from its line to the next one's line.

    What stands at several mentions of one address is put together.
    """
    sections: dict[str, list[str]] = {}
    spelled: dict[str, str] = {}
    for (number, address), following in zip(found, [*found[1:], (len(lines), "")], strict=True):
        key = address.lower()
        if key not in sections and len(sections) >= MAX_RECIPIENTS:
            break
        spelled.setdefault(key, address)
        sections.setdefault(key, []).extend(lines[number : max(following[0], number + 1)])
    return [Mention(spelled[key], "\n".join(part)) for key, part in sections.items()]
