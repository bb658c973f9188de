"""Which addresses a person has searched or revealed, and may therefore read in this session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from domains.foundation.text.masking import key_of
from domains.operations.pages import RowVerb

KNOWN = "portal_known"  # in the session: hashes, so that no address is kept there
KNOWN_MOST = 300
HASHED = 16  # characters

REVEAL = RowVerb("reveal", _("Reveal addresses"), "visibility", asks_reason=True)


class RevealsAddresses:
    """The verb `reveal` of a page about a row: whoever says why may read its addresses."""

    def addresses_of(self, row: Any) -> Iterable[str]:
        raise NotImplementedError

    def reveal(self, request: HttpRequest, row: Any) -> str:
        keys = {key_of(address) for address in self.addresses_of(row)}
        tell(request, keys)
        amount = len(keys)
        return (
            ngettext(
                "%d address is shown until you log out.",
                "%d addresses are shown until you log out.",
                amount,
            )
            % amount
        )


def tell(request: HttpRequest, keys: Iterable[str]) -> None:
    """Let this session read these addresses from now on."""
    known = request.session.get(KNOWN, [])
    new = [each for each in map(_hashed, keys) if each not in known]
    if new:
        request.session[KNOWN] = [*known, *new][-KNOWN_MOST:]


def show_plainly(request: HttpRequest, *addresses: str) -> None:
    """Show these on the page that this request asks for: senders, ids, people of the portal."""
    _plain(request).update(key_of(each) for each in addresses if each)


def is_shown(request: HttpRequest, key: str) -> bool:
    return key in _plain(request) or _hashed(key) in request.session.get(KNOWN, ())


def _plain(request: HttpRequest) -> set[str]:
    known: Any = request  # an attribute of ours on it
    if not hasattr(known, "portal_plain"):
        known.portal_plain = set()
    plain: set[str] = known.portal_plain
    return plain


def _hashed(key: str) -> str:
    return salted_hmac("domains.privacy", key, algorithm="sha256").hexdigest()[:HASHED]
