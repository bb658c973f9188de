"""The states of a delivery: two in which it lives, five in which it has ended."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class State(models.TextChoices):
    """Every accepted recipient is in exactly one of these."""

    QUEUED = "queued", _("Queued")
    DEFERRED = "deferred", _("Deferred")
    DELIVERED = "delivered", _("Delivered")
    BOUNCED = "bounced", _("Bounced")
    EXPIRED = "expired", _("Expired")
    SUPPRESSED = "suppressed", _("Suppressed")
    CANCELLED = "cancelled", _("Cancelled")


# A report of ours, by its delivery alone: no credential sent it, and nobody is told of its failure. It is no customer's mail: no
# figure counts it, and what becomes of it says nothing about the project's recipients.
IS_REPORT = "(flow = 0 AND notify = 'NEVER')"

LIVE = (State.QUEUED, State.DEFERRED)
ENDED = tuple(state for state in State if state not in LIVE)
