"""Says whether a message that does not call itself a report is built like one: by several signs,
each of which alone says little.

A person who writes about a delivery quotes a reply, too; so a letter that answers, or quotes with
">", has to show more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from deliveries.bounces import kinds
from deliveries.bounces.mime import Fields, Part, header

LEAST = 4
LOOKED_AT = 8000  # characters

# A reply with its code at the beginning of a line, or after the words that programs put before one.
_REPLY = re.compile(
    r"^[ \t]*(?:<<< ?|(?:smtp )?(?:error|reason|response|reply|diagnostic|status)[^\n:]{0,40}: "
    r"?)?[45]\d\d[ -](?:#?[45]\.\d{1,3}\.\d{1,3}\b|-? ?[A-Za-z<])",
    re.IGNORECASE | re.MULTILINE,
)
_COMMANDS = re.compile(r"^[ \t]*(?:>>> ?)?(?:rcpt to|mail from) ?:", re.IGNORECASE | re.MULTILINE)
_PROGRAM = re.compile(
    r"error message below|message details:|technical details|transcript of|diagnostic (?:code"
    r"|information)|original mail as follows"
    r"|failed recipient|delivery attempts?|remote (?:server|host|mta)|returned mail|automatically "
    r"generated|do not reply",
    re.IGNORECASE,
)
# List servers write to the one who posted, in the list's name: https://www.fml.org, ezmlm, Mailman,
# Majordomo.
_LIST = re.compile(
    r"loop alert|duplicated message-id|not member|non-?member submission|not a member|article from"
    r"|posting .{0,20}(reject|refus)"
    r"|bounce .{0,60}:|message.{0,20}(rejected|held)|request to mailing list .{0,60}rejected",
    re.IGNORECASE,
)
# The header of a report that a person passed on inside a letter, in the words of the reader's
# program.
_PASSED_ON = re.compile(
    r"^[ \t>*|]*(?:from|von|de|da|van|från|fra|od|от|差出人|发件人|寄件者|보낸 ?사람)\*?[ \t]*[:：]"
    r"[^\n]{0,80}(?:mailer-?daemon|mail delivery|postmaster@|microsoftexchange)[^\n]{0,200}\n"
    r"(?:[^\n]{0,200}\n){0,4}?"
    r"[ \t>*|]*(?:to|an|à|para|a|aan|till|til|do|кому|宛先|收件人|收件者|받는 ?사람|subject|betreff"
    r"|objet|asunto|oggetto|onderwerp|ämne|emne|temat|assunto|тема|件名|主题|主旨|제목)\*?[ \t]*"
    r"[:：]",
    re.IGNORECASE | re.MULTILINE,
)
_LIST_FIELDS = (
    "x-mlserver",
    "x-ml-name",
    "x-mailman-version",
    "mailing-list",
    "x-listmember",
    "x-listprocessor-version",
    "x-ml-info",
)


def is_report(fields: Fields, parts: Sequence[Part], text: str, rest: str) -> bool:
    """Tell if the signs weigh `LEAST` or more: `text` is what stands before the original, `rest`
    begins with it.
    """
    return weight(fields, parts, text, rest) >= LEAST


def is_answer(fields: Fields, parts: Sequence[Part], text: str, rest: str) -> bool:
    """Tell if its null return path is the only sign: a program answered (RFC 3834, section 3.3)."""
    return _has_null_path(fields) and weight(fields, parts, text, rest) <= 1


def weight(fields: Fields, parts: Sequence[Part], text: str, rest: str) -> int:
    text = text[:LOOKED_AT]
    if kinds.says_absent(fields):
        return 0
    if (
        any(name in fields for name in _LIST_FIELDS)
        and _LIST.search(header(fields, "subject")) is not None
    ):
        return LEAST
    signs = (
        2 * (_REPLY.search(text) is not None),
        2 * kinds.states_failure(text),
        2 * (len(_COMMANDS.findall(text)) >= 2),
        2 * (any(part.is_original for part in parts) or _is_header(rest)),
        3 * (_PASSED_ON.search(text) is not None),
        _PROGRAM.search(text) is not None,
        _has_null_path(fields),
        kinds.is_automatic(fields),
        -2 * (text.count("\n>") > 2),
        -1 * kinds.is_an_answer(fields),
    )
    return sum(signs)


def _is_header(rest: str) -> bool:
    """Tell if the original's own header follows, and not a sentence that a person wrote above a
    quotation.
    """
    return (
        len(
            re.findall(
                r"^(?:received|message-id|return-path|mime-version|content-type"
                r"|x-mailer):",
                rest[:LOOKED_AT],
                re.IGNORECASE | re.MULTILINE,
            )
        )
        >= 2
    )


def _has_null_path(fields: Fields) -> bool:
    return any(value.strip().startswith("<>") for value in fields.get("return-path", []))
