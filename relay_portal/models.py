"""The people who use the portal."""

import secrets
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _
from django_otp import devices_for_user

from domains.foundation.rights import Role
from domains.models import Project

PASSWORD_BYTES = 15  # 120 bits, 20 characters


class People(UserManager["User"]):
    use_in_migrations = False

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **given: Any
    ) -> "User":
        """Django's word for who may do everything: an owner of the whole installation."""
        given = {"role": Role.OWNER, "is_limited": False, "is_staff": True, **given}
        return self.create_user(username, email, password, **given)


class User(AbstractUser):
    """A person with a log-in; staff reach the portal after their second factor.

    The role decides what they may do (`domains.foundation.rights`); Django's `is_superuser` decides
    nothing.
    """

    role = models.CharField(
        _("role"),
        max_length=10,
        choices=Role.choices,
        default=Role.SUPPORT,
        db_default=Role.SUPPORT,
    )
    is_limited = models.BooleanField(
        _("limited to projects"),
        default=True,
        db_default=True,
        help_text=_("Sees the projects chosen here and no others, nor what concerns all of them."),
    )
    projects = models.ManyToManyField(
        Project,
        verbose_name=_("projects"),
        blank=True,
        help_text=_("Of a person who is limited to projects; without one they see no mail."),
    )
    # Kept although the devices tell: whoever has lost them all must not get new ones by the
    # password alone.
    enrolled_at = models.DateTimeField(
        _("second factor since"), null=True, blank=True, editable=False
    )

    objects: ClassVar[People] = People()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="user_has_a_known_role"
            )
        ]

    @property
    def may_enrol(self) -> bool:
        """Whether the password alone is enough to get a second factor: only for the first one."""
        return self.is_staff and self.enrolled_at is None

    def check_an_owner_remains(self) -> None:
        """Raise `ValidationError` where this change would leave nobody who may let people in."""
        is_owner = self.role == Role.OWNER and not self.is_limited and self.is_active
        others = User.objects.filter(role=Role.OWNER, is_limited=False, is_active=True)
        if self.pk and not is_owner and not others.exclude(pk=self.pk).exists():
            before = User.objects.get(pk=self.pk)
            if before.role == Role.OWNER and not before.is_limited:
                raise ValidationError(_("This is the last owner: make somebody else one before."))

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
