"""The findings about DNS records in the reader's language.

They are written down in English by pure code and kept with the domain; what they are about stands
in them.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

TEXTS = (
    _("The domain is yours."),
    _("The record holds another token. Publish the one shown here."),
    _("There are several keys at this name, and receivers pick any of them. Leave only ours."),
    _("The key has been revoked (p= is empty). Publish ours."),
    _(
        "The record holds another key. Check that the value was copied whole: some DNS panels "
        "cut long texts."
    ),
    _("The key is marked as a test (t=y), so receivers ignore it. Remove that tag."),
    _("The tags h= or s= of the record forbid its use for mail. Remove them."),
    _("The key is published."),
    _("There are several SPF records, so receivers use none of them. Join them into one."),
    _("The SPF record does not let our hosts send. Put %(terms)s before its last term."),
    _("SPF lets our hosts send."),
    _("There is no DMARC record at %(name)s. Large receivers ask for one; %(value)s will do."),
    _("There are several DMARC records, so receivers use none of them. Leave one."),
    _("The DMARC record has no valid policy. Its p= must be none, quarantine or reject."),
    _("DMARC is published with the policy %(policy)s."),
    _("There is no such record at %(name)s. Publish it; DNS may take an hour to show it."),
    _("DNS gave no answer: %(error)s."),
    _("Another project has verified this domain. Remove it there first."),
    _(
        "There is no CNAME at %(name)s, so failures come back at the relay's own name and SPF does "
        "not align. Publish it."
    ),
    _("The CNAME leads to %(targets)s. It must lead to %(value)s."),
    _("The return path leads to this relay."),
    _("There is no CNAME at %(name)s. With it this relay changes the key by itself."),
    _("The selector leads to the key that this relay keeps."),
)


def explained(text: str) -> str:
    """Return the same in the active language; a text that is not of the table stays as it is."""
    for msgid, pattern in _PATTERNS:
        if (match := pattern.fullmatch(text)) is not None:
            return gettext(msgid) % match.groupdict() if match.groupdict() else gettext(msgid)
    return text


def _pattern(msgid: str) -> re.Pattern[str]:
    parts = re.split(r"(%\(\w+\)s)", msgid)
    named = (
        f"(?P<{part[2:-2]}>.+)" if part.startswith("%(") else re.escape(part) for part in parts
    )
    return re.compile("".join(named), re.DOTALL)


_PATTERNS = [(msgid, _pattern(msgid)) for msgid in TEXTS]
