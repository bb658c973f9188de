"""How a new source gets its name with each receiver: the daily numbers, how far each pair of
source and receiver has come, and what went on each day.
"""

from itertools import pairwise

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from deliveries.models.sources import Source
from domains.models import Project


class WarmUpPlan(models.Model):
    """The daily numbers of one receiver, first day first; `default` is for those without one."""

    DEFAULT = "default"

    receiver = models.SlugField(
        _("receiver"), max_length=40, unique=True, help_text=_("Name of its rule.")
    )
    numbers = ArrayField(
        models.PositiveIntegerField(), verbose_name=_("messages a day"),
        help_text=_("First day first, such as 50, 100, 200, 500."),
    )  # fmt: skip
    is_shipped = models.BooleanField(_("shipped"), default=False, editable=False)
    is_edited = models.BooleanField(_("changed here"), default=False, editable=False)
    changed_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("warm-up plan")
        verbose_name_plural = _("warm-up plans")
        ordering = ["receiver"]
        constraints = [
            models.CheckConstraint(condition=Q(numbers__len__gte=1), name="plan_has_a_day")
        ]

    def __str__(self) -> str:
        return self.receiver

    def clean(self) -> None:
        """Raise `ValidationError` where a day is empty or below the day before it."""
        numbers = self.numbers or []
        if not numbers or numbers[0] < 1 or any(b < a for a, b in pairwise(numbers)):
            raise ValidationError(
                _("Give a number of one or more for each day, none below that of the day before.")
            )


class WarmUp(models.Model):
    """How far one source has come with one receiver."""

    source = models.ForeignKey(
        Source, models.CASCADE, related_name="warm_ups", verbose_name=_("source")
    )
    receiver = models.SlugField(_("receiver"), max_length=40)
    day = models.PositiveSmallIntegerField(_("day"), default=1, db_default=1)
    judged_on = models.DateField(_("judged up to"), help_text=_("By the days of UTC."))
    is_warm = models.BooleanField(_("warm"), default=False, db_default=False)
    begun_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("warm-up")
        verbose_name_plural = _("warm-ups")
        constraints = [
            models.UniqueConstraint(fields=["source", "receiver"], name="one_warm_up_per_receiver"),
            models.CheckConstraint(condition=Q(day__gte=1), name="warm_up_day_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.source.name} → {self.receiver}"


class WarmUpDay(models.Model):
    """What one source may carry to one receiver on one day of UTC, and what it did."""

    class Verdict(models.TextChoices):
        OPEN = "", _("not judged yet")
        GOOD = "good", _("good")
        IDLE = "idle", _("nothing sent")
        BACK = "back", _("one day back")

    source = models.ForeignKey(
        Source, models.CASCADE, related_name="warm_up_days", verbose_name=_("source")
    )
    receiver = models.SlugField(_("receiver"), max_length=40)
    date = models.DateField(_("date"))
    day = models.PositiveSmallIntegerField(pgettext_lazy("of a warm-up", "day"))
    number = models.PositiveIntegerField(
        pgettext_lazy("of messages a day", "number"),
        null=True,
        help_text=_("Empty: as many as there are."),
    )
    led = models.PositiveIntegerField(
        _("led to it"), default=0, db_default=0,
        help_text=_("What waited from the day before included."),
    )  # fmt: skip
    accepted = models.PositiveIntegerField(
        pgettext_lazy("an amount", "accepted"), default=0, db_default=0
    )
    throttled = models.PositiveIntegerField(_("deferred for pace"), default=0, db_default=0)
    blocked = models.PositiveIntegerField(_("blocked"), default=0, db_default=0)
    complaints = models.PositiveIntegerField(_("complaints"), default=0, db_default=0)
    opened_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)
    verdict = models.CharField(
        _("verdict"), max_length=4, choices=Verdict.choices, blank=True, default="", db_default=""
    )

    class Meta:
        verbose_name = _("day of a warm-up")
        verbose_name_plural = _("days of warm-ups")
        ordering = ["-date", "source", "receiver"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "receiver", "date"], name="one_day_of_a_warm_up"
            )
        ]
        indexes = [models.Index(fields=["opened_at"], name="warm_up_day_by_time")]

    def __str__(self) -> str:
        return f"{self.source.name} → {self.receiver} {self.date}"


class SourceEvent(models.TextChoices):
    ACCEPTED = "accepted", _("Accepted by the receiver")
    REFUSED = "refused", _("Refused for good")
    THROTTLED = "throttled", _("Deferred for pace")
    COMPLAINT = "complaint", _("Complained of")


class SourceCount(models.Model):
    """A difference to how often something happened to mail of one project from one source at one
    receiver in one hour: the sum over a key's rows counts, never a single row.

    Each group of the ledger adds rows of its own, so that no two workers wait for one another; a
    job merges them. Mail that leaves without a source of its own is not counted.
    """

    id = models.BigAutoField(primary_key=True)
    hour = models.DateTimeField(_("hour"))
    source = models.CharField(_("source"), max_length=45)
    receiver = models.CharField(_("receiver"), max_length=40)
    project = models.ForeignKey(
        Project, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("project")
    )
    event = models.CharField(_("event"), max_length=9, choices=SourceEvent.choices)
    amount = models.IntegerField(_("amount"))

    class Meta:
        verbose_name = _("count of a source")
        verbose_name_plural = _("counts of sources")
        indexes = [models.Index(fields=["hour", "source"], name="source_count_by_hour")]

    def __str__(self) -> str:
        return f"{self.source} → {self.receiver} {self.hour:%Y-%m-%d %H}: {self.amount}"


class SourceBlock(models.Model):
    """A receiver's answer that it wants no mail from one of our addresses, and how long the source
    was to rest there: the next time twice as long.
    """

    source = models.ForeignKey(
        Source, models.CASCADE, related_name="blocks", verbose_name=_("source")
    )
    receiver = models.SlugField(_("receiver"), max_length=40)
    at = models.DateTimeField(_("at"))
    seconds = models.PositiveIntegerField(_("seconds of rest"))
    reply = models.CharField(_("answer"), max_length=500)

    class Meta:
        verbose_name = _("block of a source")
        verbose_name_plural = _("blocks of sources")
        ordering = ["-at"]
        indexes = [models.Index(fields=["at"], name="source_block_by_time")]

    def __str__(self) -> str:
        return f"{self.source.name} ↛ {self.receiver}"
