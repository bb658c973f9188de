"""What happened to mail, counted by the minute in the statements that make it happen."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from deliveries.models.states import IS_REPORT
from domains.models import Project

# Widths of a count's period, in minutes. A row that a group has written is not merged yet.
UNMERGED, MINUTE, HOUR, DAY = 0, 1, 60, 1440
STEPS = (UNMERGED, MINUTE, HOUR, DAY)

NO_BUCKET = -1
LAST_BUCKET = 63

# The time to delivery, in milliseconds, falls into the bucket whose upper end is the next power of
# the square root of 2: a figure that is read from them is right within a fifth, and a minute has
# few of them. The first 48 bits of an id are the milliseconds of its acceptance (RFC 9562, section
# 5.7).
BUCKET = f"""
least({LAST_BUCKET}, ceil(2 / ln(2.0::float8) * ln(greatest(1, extract(epoch FROM at) * 1000
    - ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint)::float8)))::smallint
"""


def counting(source: str, *, event: str, bucket: str = str(NO_BUCKET)) -> str:
    """Return the statement that counts the rows of `source`, for a CTE of the one that makes it
    happen.

    The source has `priority`, `flow` and `notify`; `event` and `bucket` are expressions over it.
    Each group adds rows of its own, so no two processes wait for one another's counter. Reports of
    ours are no customer's mail.
    """
    return f"""
    INSERT INTO deliveries_trafficcount (at, step, priority, event, bucket, amount)
    SELECT date_trunc('minute', now()), {UNMERGED}, priority, event, bucket, count(*)
    FROM (SELECT priority, {event} AS event, {bucket} AS bucket
          FROM {source} WHERE NOT {IS_REPORT}) counted
    GROUP BY priority, event, bucket
    """  # noqa: S608  (put together from constants)


class TrafficEvent(models.TextChoices):
    ACCEPTED = "accepted", pgettext_lazy("what happened to mail", "Accepted")
    DELIVERED = "delivered", _("Delivered")
    DEFERRED = "deferred", _("Deferred")
    BOUNCED = "bounced", _("Bounced")
    EXPIRED = "expired", _("Expired")
    SUPPRESSED = "suppressed", _("Suppressed")
    CANCELLED = "cancelled", _("Cancelled")


class TrafficCount(models.Model):
    """How often something happened to deliveries of one priority in one period.

    The sum over a key's rows counts, never a single row. `step` is the width of the period in
    minutes, `bucket` the time to delivery of what was delivered.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("at"))
    step = models.SmallIntegerField(_("minutes"), default=UNMERGED)
    # Only older rows have one: what projects did, tallies tell, and twenty projects would make
    # twenty times as many rows, here and in each group that is written.
    project = models.ForeignKey(
        Project, models.DO_NOTHING, db_constraint=False, db_index=False, null=True,
        verbose_name=_("project"),
    )  # fmt: skip
    priority = models.SmallIntegerField(_("priority"))
    event = models.CharField(_("event"), max_length=10, choices=TrafficEvent.choices)
    bucket = models.SmallIntegerField(_("time to delivery"), default=NO_BUCKET)
    amount = models.BigIntegerField(_("amount"))

    class Meta:
        verbose_name = _("traffic count")
        verbose_name_plural = _("traffic counts")
        indexes = [models.Index(fields=["step", "at"], name="traffic_by_time")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}: {self.amount} {self.event}"
