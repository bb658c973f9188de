"""Tells in the reader's language why there is nothing to log in with at a smarthost.

The log and rows that workers write keep these sentences in English.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from domains.foundation.text.kept_sentences import KeptSentences

_SENTENCES = KeptSentences(
    _("No access token for the smarthost %(name)s: %(why)s"),
    _("its secret cannot be opened: %(why)s"),
    _("the database is out of reach"),
    _("no answer in time"),
    _("it has been removed"),
    # what an authorization server did
    _("its address does not begin with https://"),
    _("its answer is no token (%(kind)s)"),
    _("its answer has no access token"),
    _("it answered %(code)s"),
    _("it did not answer within %(seconds)s seconds"),
    _("its certificate is not trusted, or TLS failed"),
    _("it could not be reached, or answered with something else than a token"),
    # the key ring
    _("No key in %(path)s decrypts this: it was encrypted under another key ring"),
    _("The key ring %(path)s is damaged; restore it from your backup"),
    _("The key ring %(path)s is missing; restore it from your backup"),
    _("The key ring %(path)s is empty; restore it from your backup"),
    _("The key ring %(path)s cannot be read: %(reason)s"),
    # the server's name, and what it did
    "%(host)s: %(why)s",
)


def in_words(text: str) -> str:
    """Say it in the reader's language."""
    return _SENTENCES.told(text)
