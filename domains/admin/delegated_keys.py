"""The delegation of a domain's selectors, on its page."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from domains.models import Domain
from domains.operations.pages import RowVerb
from domains.senders import delegation


def _may_be_delegated(domain: Domain) -> bool:
    return bool(settings.EKIDEN_KEY_ZONE) and not _is_delegated(domain)


def _is_delegated(domain: Domain) -> bool:
    return any(not row.is_ending for row in delegation.selectors(domain).values())


VERBS = (
    RowVerb(
        "delegate_keys",
        _("Let the relay change its key by itself"),
        "autorenew",
        _("Two CNAMEs lead to keys that the relay keeps in a zone of its own."),
        _may_be_delegated,
    ),
    RowVerb(
        "keep_keys",
        _("Let its next keys stand in its own zone"),
        "dns",
        applies=_is_delegated,
    ),
)


def delegate(domain: Domain) -> str:
    """Return why it cannot be; "" where it is."""
    try:
        delegation.delegate(domain)
    except delegation.CannotDelegate:
        return gettext(
            "The selectors cannot be delegated: a key with its record in the domain's own zone has "
            "one of their names."
        )
    return ""


def choose_days(domain: Domain, days: int) -> None:
    """Let the next key be made after so many days."""
    domain.rotation_days = days
    domain.save(update_fields=["rotation_days"])
