"""The names below sending domains at which failures of their mail come back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from domains.models.senders import Domain

SPACING = timedelta(minutes=10)  # between the two good checks after which a name is used
# How long failures come back to a name that is used no longer: as long as the tokens of the mail
# that left last (`deliveries.bounces.return_path.LIFETIME`), and a day.
TAKEN = timedelta(days=31)


class ReturnPathQuerySet(models.QuerySet["ReturnPath"]):
    def current(self) -> Self:
        """Keep the names whose record must be published in DNS."""
        return self.exclude(state=ReturnPathState.FORMER)

    def used(self) -> Self:
        """Keep the names under which mail leaves."""
        return self.filter(state=ReturnPathState.USED)

    def taken(self, *, now: datetime) -> Self:
        """Keep the names at which mail may come back."""
        ended = Q(stopped_at__isnull=False, stopped_at__lte=now - TAKEN)
        return self.exclude(ended, state__in=(ReturnPathState.BROKEN, ReturnPathState.FORMER))

    def ownerless(self) -> Self:
        """Keep the names whose domain is gone."""
        return self.current().filter(domain__isnull=True)


class ReturnPathState(models.TextChoices):
    FOUND = "found", _("Found")
    USED = "used", _("In use")
    BROKEN = "broken", _("Broken")
    FORMER = "former", _("Given up")


class ReturnPath(models.Model):
    """A return path of a domain's own, made by the first check that finds its record.

    It outlives its domain: mail that left under the name may come back for a month.
    """

    domain = models.ForeignKey(
        Domain, null=True, on_delete=models.SET_NULL, related_name="return_paths",
        verbose_name=_("domain"),
    )  # fmt: skip
    name = models.CharField(_("name"), max_length=253)
    state = models.CharField(
        _("state"),
        max_length=6,
        choices=ReturnPathState.choices,
        default=ReturnPathState.FOUND,
        editable=False,
    )
    found_since = models.DateTimeField(_("found in DNS since"), editable=False)
    used_since = models.DateTimeField(_("in use since"), null=True, editable=False)
    stopped_at = models.DateTimeField(_("no longer in use since"), null=True, editable=False)
    changed_at = models.DateTimeField(db_index=True, editable=False)

    objects = ReturnPathQuerySet.as_manager()

    class Meta:
        verbose_name = _("return path")
        verbose_name_plural = _("return paths")
        ordering = ["name"]
        indexes = [
            models.Index(fields=["name"], name="return_path_by_name"),
            models.Index(
                fields=["stopped_at"], condition=Q(state="former"), name="return_path_by_end"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["domain", "name"], name="return_path_once_per_domain"),
            models.UniqueConstraint(
                fields=["domain"], condition=~Q(state="former"), name="return_path_one_is_chosen"
            ),
            models.CheckConstraint(
                condition=~Q(state="used")
                | Q(
                    used_since__isnull=False,
                    used_since__gte=F("found_since") + SPACING,
                    stopped_at__isnull=True,
                ),
                name="return_path_is_used_after_two_checks",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=("broken", "former")) | Q(stopped_at__isnull=False),
                name="return_path_stops_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.name
