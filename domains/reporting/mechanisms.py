"""What receivers' answers about authentication mean, and what to do about each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django.utils.translation import gettext_noop as _


class MechanismAdvice(NamedTuple):
    """A mechanism's name for people, and what to do where a receiver did not accept it."""

    title: str
    advice: str


ADVICE: Mapping[str, MechanismAdvice] = {
    "spf": MechanismAdvice(
        "SPF",
        _(
            "The receiver did not see SPF pass for the return path. Look at SPF below: each "
            "address that mail leaves from must be in the record of the return path's name."
        ),
    ),
    "dkim": MechanismAdvice(
        "DKIM",
        _(
            "The receiver could not verify our signature. Check the domain now: the key's record "
            "must be on every name server, whole and unchanged."
        ),
    ),
    "dmarc": MechanismAdvice(
        "DMARC",
        _(
            "The receiver wants a DMARC record at the From domain, or refused the mail by the one "
            "that is there. Publish the record below."
        ),
    ),
    "alignment": MechanismAdvice(
        _("Alignment"),
        _(
            "SPF or DKIM passed for another domain than the one in From. Let the domain sign with "
            "its own key, and look for adkim=s and aspf=s in its DMARC record."
        ),
    ),
    "both": MechanismAdvice(
        _("SPF and DKIM"),
        _(
            "The receiver saw neither SPF nor DKIM pass as it asks for. Check the domain now, and "
            "correct each record that is marked."
        ),
    ),
    "arc": MechanismAdvice(
        "ARC",
        _("The chain of a forwarded message is broken. Nothing in the domain's DNS changes that."),
    ),
    "other": MechanismAdvice(
        _("Not said"),
        _(
            "The answer names no mechanism. Read it, check the domain, and verify a message that "
            "was refused."
        ),
    ),
}
