"""How answers are understood here: the rules that people added to the shipped ones."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models import name_validator
from suppressions.classes import MEANINGS


class LocalRule(models.Model):
    """Speaks before the shipped rules. Empty lists stand for any."""

    name = models.CharField(_("name"), max_length=63, unique=True, validators=[name_validator])
    category = models.CharField(
        _("class"),
        max_length=17,
        choices=[(class_.value, _(meaning.title)) for class_, meaning in MEANINGS.items()],
    )
    is_hard = models.BooleanField(_("hard"), default=False)
    detail = models.CharField(_("detail"), max_length=40, blank=True, default="")
    pattern = models.TextField(
        _("pattern"),
        help_text=_(
            "Words that the answer holds, in any case: user * unknown | no such mailbox. * is "
            "anything between them, | is or."
        ),
    )
    providers = ArrayField(
        models.CharField(max_length=40), verbose_name=_("providers"), default=list, blank=True
    )
    stages = ArrayField(
        models.CharField(max_length=11), verbose_name=_("stages"), default=list, blank=True
    )
    codes = ArrayField(
        models.PositiveSmallIntegerField(), verbose_name=_("codes"), default=list, blank=True
    )
    example = models.TextField(_("example"), help_text=_("An answer that it is for."))
    is_active = models.BooleanField(_("in use"), default=True)
    created_by = models.TextField(_("made by"), blank=True, default="")
    changed_at = models.DateTimeField(_("changed"), db_default=Now())

    class Meta:
        verbose_name = _("local rule")
        verbose_name_plural = _("local rules")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~Q(pattern=""), name="local_rule_has_a_pattern")
        ]

    def __str__(self) -> str:
        return self.name
