"""Open, repeat and end the alerts of domains; what they say, in English and in the reader's
language.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from domains.models import Domain, DomainAlert, DomainAlertKind
from domains.operations import audit

logger = logging.getLogger("ekiden.mail")

ACTOR = "domain checks"

SENTENCES: Mapping[str, str] = {
    DomainAlertKind.RETURN_PATH: _(
        "The return path %(name)s of %(domain)s does not lead here any more, so its mail leaves "
        "with %(host)s and SPF does not align. Publish its CNAME to %(host)s again."
    ),
    DomainAlertKind.OWNERSHIP: _(
        "Nothing in the DNS of %(domain)s proves that it is the project's any more. Mail as it is "
        "refused from %(until)s on, unless one of its records is found before."
    ),
    DomainAlertKind.SUBDOMAINS: _(
        "Mail from names below %(domain)s is refused: the DMARC record at %(name)s has adkim=s, so "
        "receivers take no signature of %(domain)s for them. Remove adkim=s there, or add each of "
        "the names."
    ),
    DomainAlertKind.KEY_GONE: _(
        "The record of the new key %(new)s is not on all name servers any more, so the key before "
        "it, %(old)s, signs for %(domain)s again. Mend the zone; then let the next key be made."
    ),
    DomainAlertKind.KEY_REFUSED: _(
        "Receivers refused mail of %(domain)s for its authentication %(count)s times since the new "
        "key %(new)s signed it, and %(before)s times on the worst day of the week before. So the "
        "key before it, %(old)s, signs again. Look at what they say; then let the next key be made."
    ),
}


def open_alert(
    domain: Domain, kind: DomainAlertKind, given: Mapping[str, str], *, now: datetime
) -> bool:
    """Warn once, until it has ended; return whether it is new."""
    alert, is_new = DomainAlert.objects.get_or_create(
        domain=domain, kind=kind, ended_at=None, defaults={"given": dict(given), "opened_at": now}
    )
    if is_new:
        _say(alert)
    return is_new


def repeat_once(domain: Domain, kind: DomainAlertKind, *, now: datetime) -> None:
    """Say once more what was said when it was opened."""
    open_ones = DomainAlert.objects.filter(domain=domain, kind=kind, ended_at=None)
    if alert := open_ones.filter(repeated_at=None).first():
        alert.repeated_at = now
        alert.save(update_fields=["repeated_at"])
        _say(alert)


def end_alert(domain: Domain, kind: DomainAlertKind, *, now: datetime) -> None:
    """End it, where it is open."""
    if DomainAlert.objects.filter(domain=domain, kind=kind, ended_at=None).update(ended_at=now):
        logger.info("event=domain-alert-ended domain=%s kind=%s", domain.name, kind)


def open_alerts(domain: Domain | None = None) -> list[DomainAlert]:
    """List the open alerts of the domain, or of all domains."""
    found = DomainAlert.objects.filter(ended_at=None).select_related("domain__project")
    return list(found.filter(domain=domain) if domain is not None else found)


def english(alert: DomainAlert) -> str:
    """Return the sentence as programs and the audit log read it."""
    return str(SENTENCES[alert.kind] % alert.given)


def sentence(alert: DomainAlert) -> str:
    """Return the sentence in the active language."""
    return str(gettext(SENTENCES[alert.kind]) % alert.given)


def _say(alert: DomainAlert) -> None:
    said = english(alert)
    logger.warning(
        "event=domain-alert domain=%s kind=%s said=%r", alert.domain.name, alert.kind, said
    )
    audit.note(ACTOR, "alert", alert.domain, reason=said)
