"""Which mechanism an answer of the class `authentication` is about: by the receiver's own codes,
then by IANA's, then by its words.
"""

from __future__ import annotations

import re

# As `deliveries.classification.codes` has them, with their pages. 7.26 is "neither of both".
GMAIL = {
    "7.26": "both", "7.27": "spf", "7.30": "dkim", "7.31": "dmarc", "7.32": "alignment",
    "7.40": "dmarc",
}  # fmt: skip
MICROSOFT = {"7.509": "dmarc", "7.515": "both"}
OF_PROVIDER = {"google": GMAIL, "microsoft": MICROSOFT, "microsoft365": MICROSOFT}
# https://www.iana.org/assignments/smtp-enhanced-status-codes (RFC 7372)
OF_ANYBODY = {
    "7.20": "dkim", "7.21": "dkim", "7.22": "alignment", "7.23": "spf", "7.24": "spf",
    "7.26": "both", "7.29": "arc",
}  # fmt: skip
_WORDS = (
    ("alignment", re.compile(r"\b(mis)?align|not aligned", re.IGNORECASE)),
    ("dmarc", re.compile(r"dmarc", re.IGNORECASE)),
    ("both", re.compile(r"spf.{0,20}\b(or|and|nor)\b.{0,20}dkim|unauthenticated", re.IGNORECASE)),
    ("spf", re.compile(r"\bspf\b|sender policy", re.IGNORECASE)),
    ("dkim", re.compile(r"dkim|signature", re.IGNORECASE)),
)


def mechanism(provider: str, enhanced: str, text: str) -> str:
    """Return spf, dkim, dmarc, alignment, both, arc or other."""
    code = enhanced.partition(".")[2]
    if found := OF_PROVIDER.get(provider, {}).get(code) or OF_ANYBODY.get(code):
        return found
    return next((name for name, words in _WORDS if words.search(text[:2000])), "other")
