"""What a project and a credential have in common: a sandbox of their own, and until when."""

from typing import Any

from django.db import models
from django.db.models import Case, F, When
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class OwnSandbox(models.Model):
    """What was handed in before the sandbox was left is the sandbox's for good, so that no test
    mail reaches people because it waited for longer than the sandbox stood.
    """

    is_sandboxed = models.BooleanField(
        _("a sandbox of its own"),
        default=False,
        db_default=False,
        help_text=_("All its mail goes to the built-in sandbox, none to its recipients."),
    )
    sandboxed_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True

    def save(self, **given: Any) -> None:
        """Note as well when the sandbox is left, by what stands in the row: another process may
        have changed that since this one read it.
        """
        chosen = given.get("update_fields")
        leaves = not (self.is_sandboxed or self._state.adding)
        if not leaves or (chosen is not None and "is_sandboxed" not in chosen):
            return super().save(**given)
        if chosen is not None:
            given["update_fields"] = {*chosen, "sandboxed_until"}
        self.sandboxed_until = Case(
            When(is_sandboxed=True, then=Now()), default=F("sandboxed_until")
        )
        super().save(**given)
        return self.refresh_from_db(fields=["sandboxed_until"])
