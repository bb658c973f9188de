"""How receivers see the addresses that mail leaves from, as the last look found it."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class OwnLight(models.Model):
    """One thing about one of our addresses: good, bad, or not to be told."""

    address = models.GenericIPAddressField(_("address"))
    check_name = models.CharField(_("what is looked at"), max_length=100)
    light = models.CharField(_("light"), max_length=10)
    slip = models.CharField(max_length=40)
    given = models.JSONField(default=dict)
    checked_at = models.DateTimeField(_("checked"))
    changed_at = models.DateTimeField(_("since"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["address", "check_name"], name="own_light_once")
        ]

    def __str__(self) -> str:
        return f"{self.address} {self.check_name}: {self.light}"
