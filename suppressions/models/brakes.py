"""Where learning stops: a class of which too much was learned at once to be believed without a
person.
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from suppressions.classes import MEANINGS, Class
from suppressions.models.suppressions import CATEGORY_LENGTH


class Brake(models.Model):
    """In force until a person has decided whether what was learned of this class is believed."""

    category = models.CharField(_("class"), max_length=CATEGORY_LENGTH)
    began_at = models.DateTimeField(_("began"), db_default=Now())
    domains = models.PositiveIntegerField(_("domains at once"))
    usual = models.PositiveIntegerField(_("the most before"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    is_believed = models.BooleanField(_("believed"), null=True)
    ended_by = models.TextField(_("decided by"), blank=True, default="")

    class Meta:
        verbose_name = _("brake on learning")
        verbose_name_plural = _("brakes on learning")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["category"], condition=Q(ended_at__isnull=True), name="brake_once_per_class"
            )
        ]
        indexes = [models.Index(fields=["ended_at"], name="brake_by_end")]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """The class in words; its bare name where the row is older than the list of classes."""
        known = {each.value for each in Class}
        return (
            gettext(MEANINGS[Class(self.category)].title)
            if self.category in known
            else self.category
        )
