"""The named queries about messages, deliveries and lanes, for the portal, commands and jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from deliveries.models.states import LIVE

if TYPE_CHECKING:
    from deliveries.models import Delivery, Lane, Message, Stop  # noqa: F401  (names for the generic querysets)


class MessageQuerySet(models.QuerySet["Message"]):
    def with_message_id(self, message_id: str) -> MessageQuerySet:
        """Found with or without its angle brackets."""
        return self.filter(message_id=f"<{message_id.strip().strip('<>')}>")


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def live(self) -> DeliveryQuerySet:
        return self.filter(ended_at__isnull=True, state__in=LIVE)  # the same said twice, each for an index of its own

    def ended(self) -> DeliveryQuerySet:
        return self.filter(ended_at__isnull=False)

    def besides_reports(self) -> DeliveryQuerySet:
        """Customers' mail, without our own reports (`states.IS_REPORT`)."""
        return self.exclude(flow=0, notify="NEVER")

    def to_address(self, key: str) -> DeliveryQuerySet:
        return self.filter(recipient_key=key)

    def owing_reports(self) -> DeliveryQuerySet:
        return self.filter(owes_report=True)


class StopQuerySet(models.QuerySet["Stop"]):
    def covering(self, delivery: Delivery) -> StopQuerySet:
        """What is stopped that this delivery belongs to."""
        own = models.Q(project=delivery.project_id) | models.Q(credential=delivery.flow) | models.Q(domain=delivery.domain)
        return self.filter(own | models.Q(scope="all")).select_related("project", "credential__project")


class LaneQuerySet(models.QuerySet["Lane"]):
    def paused(self, *, now: datetime) -> LaneQuerySet:
        return self.filter(paused_until__gt=now)
