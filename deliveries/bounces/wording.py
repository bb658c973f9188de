"""What is common to the texts that people read in reports: where the original begins, addresses,
stages, hosts.
"""

from __future__ import annotations

import re

from deliveries.smtp.outcomes import Stage

MAX_TEXT = 65_536  # characters of a report's text that are looked at
MAX_LINES = 1500

# Begins only where a word does, so that each character is looked at once. Not for judging
# addresses: reports hold what they hold.
_ATEXT = r"A-Za-z0-9!#$%&*+/=?^_`{|}~.'-"
ADDRESS = re.compile(
    rf"(?<![A-Za-z0-9._+-])[{_ATEXT}]{{1,128}}@[A-Za-z0-9](?:[A-Za-z0-9.-]{{0,250}}[A-Za-z0-9])?"
)

# Archives and reports to strangers hide who it was: hana...@example.test, h***@example.test. Old
# addresses of carriers in Japan may end in dots (NTT docomo, au), so there they are no mask.
_MASK = re.compile(
    r"(?:(?<!\.)\.\.\.|\*\*[^@]{0,64})@(?!(?:docomo\.ne|ezweb\.ne|au)\.(?:jp|com)$)",
    re.IGNORECASE,
)

# What mail systems write above the original that they send back, or its first field where they
# write nothing.
_ORIGINAL = re.compile(
    r"^[ \t>|]*(?:"
    r"[-=_*# ]{2,80}(?:this is a copy of|below (?:this line|is)|the header "
    r"of|unsent|original|returned|forwarded|included|enclosed"
    r"|message header|undelivered|copy of|non-deliver|message "
    r"non)[^\n]{0,80}(?:message|mail|headers?|follow|deliverable)"
    r"|message headers? follow|message header:|below is a copy of|original message "
    r"(?:headers?|follow)|included is a copy"
    r"|a copy of (?:the|your) (?:original )?message|the first \d+ lines|your message reads|a "
    r"summary of the undelivered"
    r"|the header of the original|the original message follows|---+ *forwarded message"
    r"|return-path: ?<|received: ?(?:from|by|\()|content-type: "
    r"?message/|元のメッセージ|オリジナルメッセージ"
    r")",
    re.IGNORECASE | re.MULTILINE,
)

_STAGES = (
    (Stage.RCPT,
     r"in reply to rcpt|after (?:pipelined )?rcpt|>>> ?rcpt|\[rcpt_to\]|rcpt command|smtp "
         r"command\s{1,4}rcpt|rcpt to response|smtp:rcpt"
     r"|<<< ?rcpt|\(state 14\)|not like (?:our )?(?:rcpt|recipient)|recipient was rejected"),
    (Stage.MAIL,
     r"in reply to mail|after (?:pipelined )?mail|>>> ?mail|\[mail_from\]|smtp command\s{1,4}mail"
     r"|not like (?:our )?(?:mail from|sender)|sender was rejected|\(state 13\)"),
    (Stage.BODY,
     r"end of data|after (?:pipelined )?data|in reply to data|\[data\]|smtp "
         r"command\s{1,4}data|after i sent the message"
     r"|not like our (?:data|final)|\(state 1[78]\)"),
    (Stage.GREETING, r"initial connection|refused to talk to me|in reply to connect"),
    (Stage.EHLO, r"(?:in reply to|after|>>>|performing the) ?(?:ehlo|helo)|my name was rejected"),
)  # fmt: skip
_STAGE = tuple((stage, re.compile(pattern, re.IGNORECASE)) for stage, pattern in _STAGES)
# A command that a program quotes in its own manner: "sent: RCPT TO:<…>", "C: RCPT TO", "--> RCPT".
_COMMAND = re.compile(
    r"(?:\bc|\bclient|\bsent|\bcommand|\bcmd|\bduring|\bstage|\bphase|\bresponse to|\bresult of"
    r"|\bissuing|\bsending|-->?|==?>|\bby the)\W{1,4}(?:smtp )?(?:end of )?"
    r"(?:(?P<rcpt>rcpt)|(?P<mail>mail from)|(?P<body>data\b(?! ?base)))"
    r"|(?P<refused>rcpt to(?::? ?<[^>]{1,320}>)? (?:failed|rejected|refused|error)|error, rcpt to)"
    r"|(?P<sender>error, mail from)|(?P<dot>error, (?:dot|data):)",
    re.IGNORECASE,
)
_MEANT = {
    "rcpt": Stage.RCPT, "refused": Stage.RCPT, "mail": Stage.MAIL, "body": Stage.BODY,
    "sender": Stage.MAIL, "dot": Stage.BODY,
}  # fmt: skip
# sendmail sends MAIL, RCPT and DATA in one go and shows the answer under the last; a server that
# then wants a recipient has refused it.
_PIPELINED = re.compile(r">>> ?data", re.IGNORECASE)
NO_RECIPIENT = re.compile(
    r"need rcpt|no valid recipients|recipients are invalid|rcpt (?:command|first)|no recipients",
    re.IGNORECASE,
)

_NAME = r"[A-Za-z0-9][A-Za-z0-9.-]{2,250}"
_HOST = re.compile(
    rf"host:?\s{{1,20}}({_NAME})\s?\[|talking to ({_NAME}?)\.?:|remote "
    rf"(?:system|mta|server)[:;]\s{{0,20}}(?:dns;)?\s?<?({_NAME})"
    rf"|^({_NAME}\.[a-z]{{2,20}}) (?:rejected your|gave "
    rf"this)|^({_NAME})\s?\[[0-9a-f.:]{{3,45}}\] (?:did|said|respond)",
    re.IGNORECASE | re.MULTILINE,
)


def notice(text: str) -> tuple[str, str]:
    """Split a text into what the mail system itself says, and the rest.

    The rest is the original, where it follows in the same text.
    """
    text = text[:MAX_TEXT]
    match = _ORIGINAL.search(text)
    return (text[: match.start()], text[match.start() :]) if match else (text, "")


def stage_of(text: str) -> Stage | None:
    """Return the stage that a text names, as the big mail systems do, or None."""
    text = " ".join(text[:8000].split())  # reports break their lines anywhere
    if _PIPELINED.search(text):
        return Stage.RCPT if NO_RECIPIENT.search(text) else Stage.BODY
    named = next((stage for stage, pattern in _STAGE if pattern.search(text)), None)
    return named or _last_command(text)


def _last_command(text: str) -> Stage | None:
    """Return the stage of the command that is quoted last: in a transcript it was answered last."""
    names = [match.lastgroup for match in _COMMAND.finditer(text)]
    return _MEANT[names[-1]] if names and names[-1] else None


def host_in(text: str) -> str:
    """Return the host that answered, or ""."""
    match = _HOST.search(text[:8000])
    return next((group for group in match.groups() if group), "") if match else ""


def is_masked(address: str) -> bool:
    """Tell whether somebody has hidden a part of this address: it names nobody."""
    return _MASK.search(address) is not None


def addresses(text: str) -> list[str]:
    return [match.lstrip(".'") for match in ADDRESS.findall(text)]
