"""The app of what we say to clients."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SmtpListenerConfig(AppConfig):
    name = "smtp_listener"
    verbose_name = _("SMTP listener")
