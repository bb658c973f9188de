"""Tells in the reader's language why a file, or a line of it, cannot be taken.

Rows keep these sentences in English: a job has no reader.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from domains.foundation.text.kept_sentences import KeptSentences

_SENTENCES = KeptSentences(
    # of a file
    _("There is no column of addresses: its header must be email, address or recipient"),
    _("There is no column of addresses: %(why)s"),
    _(
        "This is a list of people who get mail (columns %(columns)s), not of suppressed ones. To "
        "suppress them all, keep the column of addresses alone"
    ),
    _("The file is larger than %(size)s MiB; split it"),
    _("The command that read this file ended before it was through; give it again."),
    _("The worker ended at this place again and again; see the log."),
    _("A fault of the service after %(lines)s lines: %(why)s"),
    _("no reason was given"),
    # of a line
    _("This line cannot be read: %(why)s"),
    _("field larger than field limit (%(size)s)"),
    _("The line says “%(word)s”: this person gets mail"),
    _("The line does not say why: “%(word)s” is no word for it"),
    _("The source is none: %(word)s"),
    _("The class is none: %(word)s"),
    _("The database refuses it."),
    # of an address
    _("The address is too long (RFC 5321, section 4.5.3.1)"),
    _("Source routes are not taken (RFC 5321, appendix C)"),
    _("The address has no domain"),
    _("The local part is malformed (RFC 5321, section 4.1.2)"),
    _("The local part is empty"),
    _("The local part is longer than %(most)s octets (RFC 5321, section 4.5.3.1.1)"),
    _("The local part has a character that cannot be shown"),
    _("The domain is too long (RFC 5321, section 4.5.3.1.2)"),
    _("The domain is malformed, or not fully qualified (RFC 5321, section 2.3.5)"),
    _("The domain is an IP address without brackets"),
    _("The domain has a character that cannot be shown"),
    _("The domain is not a valid internationalised name (RFC 5891)"),
)


def in_words(why: str) -> str:
    """Say it in the reader's language."""
    return _SENTENCES.told(why)
