"""Limits over all lanes of a provider, whatever source and node they belong to."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class ProviderLimit(models.Model):
    """How much all our lanes together may do with the receivers of one provider: a lane's own
    limits, which its rule sets, hold beside it.
    """

    class Period(models.TextChoices):
        MINUTE = "minute", _("a minute")
        HOUR = "hour", _("an hour")
        DAY = "day", _("a day")

    name = models.SlugField(_("name"), max_length=40, unique=True)
    receivers = ArrayField(
        models.SlugField(max_length=40),
        verbose_name=_("receivers"),
        help_text=_("Names of their rules, separated by commas."),
    )
    connections = models.PositiveIntegerField(
        _("connections at once"), null=True, blank=True, help_text=_("Empty: no limit.")
    )
    messages = models.PositiveIntegerField(
        _("messages"), null=True, blank=True, help_text=_("Empty: no limit.")
    )
    period = models.CharField(_("in"), max_length=6, choices=Period.choices, default=Period.MINUTE)
    # What the lanes have now: `deliveries.shaping.sharing`. Who writes it raises the version.
    state = models.JSONField(default=dict, db_default={}, editable=False)
    version = models.BigIntegerField(default=0, db_default=0, editable=False)
    changed_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("limit over a provider")
        verbose_name_plural = _("limits over providers")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(connections__isnull=False) | Q(messages__isnull=False),
                name="provider_limit_limits_something",
                violation_error_message=_("Give a number of connections, of messages, or both."),
            ),
            models.CheckConstraint(
                condition=~Q(connections=0) & ~Q(messages=0), name="provider_limit_of_one_or_more",
                violation_error_message=_("A limit is one or more."),
            ),
            models.CheckConstraint(
                condition=Q(receivers__len__gte=1), name="provider_limit_has_a_receiver",
                violation_error_message=_("Name a receiver."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Raise `ValidationError` where another limit has one of the receivers."""
        others = ProviderLimit.objects.exclude(pk=self.pk)
        other = others.filter(receivers__overlap=self.receivers or []).first()
        if other is not None:
            shared = sorted(set(other.receivers) & set(self.receivers))
            raise ValidationError(
                {
                    "receivers": _("%(names)s already belongs to the limit %(limit)s.")
                    % {"names": ", ".join(shared), "limit": other}
                }
            )
