"""The form of an answer: what is left without all that differs from message to message.

Answers of one form are counted together, and none of what is taken out is anybody's data any more.
"""

from __future__ import annotations

import re

from deliveries.classification.rules import MAX_TEXT

LONGEST = 300

_REPLACED = (
    (re.compile(r"https?://[^\s<>\"']{1,500}"), "(url)"),
    (re.compile(r"[^\s<>()\[\]\"';:,@]{1,64}@[^\s<>()\[\]\"';:,@]{1,253}"), "(address)"),
    (
        re.compile(
            r"\b\d{1,3}(?:\.\d{1,3}){3}\b"
            r"|\b(?:[0-9a-f]{1,4}:{1,2}){2,7}[0-9a-f]{0,4}\b"
        ),
        "(ip)",
    ),
    (
        re.compile(
            r"\b(?=[a-z0-9-]{1,63}\.)"
            r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,24}\b"
        ),
        "(host)",
    ),
    # An id mixes letters and digits, or is long: queue ids, hashes, times.
    (
        re.compile(
            r"\b(?=[a-z]{0,40}\d)(?=\d{0,40}[a-z])[a-z0-9_-]{6,200}\b"
            r"|\b[0-9a-f]{16,200}\b"
        ),
        "(id)",
    ),
    (re.compile(r"(?<![\d.])\d{4,40}(?![\d.])"), "(number)"),
)
_SPACES = re.compile(r"\s+")


def form_of(text: str) -> str:
    """Return the form in lower case on one line, at most `LONGEST` characters."""
    form = _SPACES.sub(" ", text[:MAX_TEXT].lower()).strip()
    for pattern, name in _REPLACED:
        form = pattern.sub(name, form)
    return form[:LONGEST]


def pattern_of(form: str) -> str:
    """Return a local rule's pattern: the form's words, `*` for what was taken out."""
    words = (part.strip(" <>[]\"'.,:;-") for part in re.split(r"\(\w+\)|[*|]", form))
    return " * ".join(word for word in words if len(word) > 2)
