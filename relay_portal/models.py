"""The people who use the portal."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from domains.models import Project


class User(AbstractUser):
    """A person with a log-in; staff reach the portal after their second factor."""

    projects = models.ManyToManyField(
        Project, verbose_name=_("projects"), blank=True, help_text=_("What support staff may see; operators see all.")
    )

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
