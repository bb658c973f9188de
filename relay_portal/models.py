"""The people who use the portal."""

import secrets

from django.contrib.auth.models import AbstractUser
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _
from django_otp import devices_for_user

from domains.models import Project

PASSWORD_BYTES = 15  # 120 bits, 20 characters


class User(AbstractUser):
    """A person with a log-in; staff reach the portal after their second factor."""

    projects = models.ManyToManyField(
        Project,
        verbose_name=_("projects"),
        blank=True,
        help_text=_("What support staff may see; operators see all."),
    )
    # Kept although the devices tell: whoever has lost them all must not get new ones by the
    # password alone.
    enrolled_at = models.DateTimeField(
        _("second factor since"), null=True, blank=True, editable=False
    )

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    @property
    def may_enrol(self) -> bool:
        """Whether the password alone is enough to get a second factor: only for the first one."""
        return self.is_staff and self.enrolled_at is None

    @transaction.atomic
    def start_anew(self) -> str:
        """A new password, without a second factor until the next log-in enrols one; all sessions
        end. It is not kept.
        """
        for device in devices_for_user(self, confirmed=None):
            device.delete()
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        self.set_password(
            password
        )  # the old one may be known, which is why the second factor must not be given up alone
        self.enrolled_at = None
        self.save(update_fields=["password", "enrolled_at"])
        return password
