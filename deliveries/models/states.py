"""The states of a delivery: two in which it lives, five in which it has ended."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class DeliveryState(models.TextChoices):
    """Every accepted recipient is in exactly one of these."""

    QUEUED = "queued", _("Queued")
    DEFERRED = "deferred", _("Deferred")
    DELIVERED = "delivered", _("Delivered")
    BOUNCED = "bounced", _("Bounced")
    EXPIRED = "expired", _("Expired")
    SUPPRESSED = "suppressed", _("Suppressed")
    CANCELLED = "cancelled", _("Cancelled")


# A report of ours, by its delivery alone: no credential sent it, and nobody is told of its failure.
# It is no customer's mail: no figure counts it, and what becomes of it says nothing about the
# project's recipients.
IS_REPORT = "(flow = 0 AND notify = 'NEVER')"

LIVE = (DeliveryState.QUEUED, DeliveryState.DEFERRED)
FAILED = (
    DeliveryState.BOUNCED,
    DeliveryState.EXPIRED,
    DeliveryState.SUPPRESSED,
    DeliveryState.CANCELLED,
)
ENDED = tuple(state for state in DeliveryState if state not in LIVE)


def owes_report(mail_from: str, notify: str, sends_reports: bool) -> bool:
    """Tell if a failure is reported: never to the null reverse-path (RFC 5321, section 4.5.5) or
    against NOTIFY.
    """
    return bool(mail_from) and sends_reports and (not notify or "FAILURE" in notify)


def owes_delay(mail_from: str, notify: str, sends_reports: bool) -> bool:
    """Tell whether a delay is reported: where NOTIFY asks for it or is not given (RFC 3461, section
    4.1).
    """
    return bool(mail_from) and sends_reports and (not notify or "DELAY" in notify)
