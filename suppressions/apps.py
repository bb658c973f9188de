"""The app of whom we must not write to."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SuppressionsConfig(AppConfig):
    name = "suppressions"
    verbose_name = _("Suppressions")
