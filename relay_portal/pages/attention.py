"""What wants a person: receivers in trouble, and domains and keys that are not well."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from deliveries.insight import stats
from deliveries.insight.receiver_names import receiver_name
from domains.identity.sentences import sentence
from domains.models import Domain, IdentityAlert, IdentityAlertKind, SigningKey
from domains.operations import identity_alerts
from domains.senders.records import Purpose

SHOWN_MOST = 20
# Without a return path of its own mail leaves with ours, for which the domain's SPF says nothing.
NEEDED = (Purpose.OWNERSHIP, Purpose.DKIM, Purpose.DMARC)


class Notice(NamedTuple):
    """One thing that is not well: what it is called, what is wrong, and the page about it."""

    name: str
    text: str
    url: str


def receivers(*, now: datetime) -> list[dict[str, Any]]:
    """Return the lanes that an answer has paused, or that are closed, the longest line first."""
    return [
        {
            "name": receiver_name(lane),
            "amount": amount,
            "is_more": amount == stats.COUNTED_MOST,
            "reply": lane.close_reason if lane.closed_at else lane.pause_reason,
            "until": None if lane.closed_at else lane.paused_until,
            "url": reverse("admin:deliveries_lane_change", args=[lane.pk]),
            "waiting_url": reverse("admin:deliveries_delivery_changelist") + f"?lane={lane.pk}",
        }
        for lane, amount in stats.troubled_lanes(SHOWN_MOST, now=now)
    ]


def notices() -> list[Notice]:
    """List domains that may not send or whose records are wrong, and verified ones without a
    key.
    """
    without_key = Domain.objects.verified().filter(
        ~Exists(SigningKey.objects.active().filter(domain=OuterRef("pk")))
    )
    wrong = Q()
    for purpose in NEEDED:
        for state in ("missing", "wrong"):
            wrong |= Q(findings__contains=[{"purpose": purpose, "state": state}])
    with_wrong = Domain.objects.verified().filter(wrong, is_assumed=False)
    return [
        *_about(Domain.objects.unverified(), _("Not verified: no app may send with it.")),
        *_about(with_wrong, _("Records in DNS are missing or wrong.")),
        *_about(without_key, _("No signing key: its mail leaves without a DKIM signature.")),
        *(
            Notice(
                alert.subject,
                sentence(alert.slip, alert.given) if alert.slip else alert.text,
                _page_of(alert),
            )
            for alert in identity_alerts.standing()[:SHOWN_MOST]
        ),
    ]


def _about(domains: QuerySet[Domain], text: str) -> list[Notice]:
    """Say this of the first of these domains, and that there are others; their findings, which are
    large, are not read.
    """
    found = list(domains.order_by("name").only("name")[: SHOWN_MOST + 1])
    notices = [
        Notice(domain.name, text, reverse("admin:domains_domain_change", args=[domain.pk]))
        for domain in found[:SHOWN_MOST]
    ]
    if len(found) > SHOWN_MOST:
        notices.append(Notice(_("and others"), text, reverse("admin:domains_domain_changelist")))
    return notices


def _page_of(alert: IdentityAlert) -> str:
    if alert.kind == IdentityAlertKind.OURSELVES:
        return reverse("admin:own_identity")
    domain = Domain.objects.verified().filter(name=alert.subject).first()
    if domain is None:
        return reverse("admin:domains_domain_changelist")
    return reverse("admin:domains_domain_change", args=[domain.pk])
