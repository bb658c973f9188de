"""The portal's app, and the admin whose site demands a second factor."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class RelayPortalConfig(AppConfig):
    name = "relay_portal"
    verbose_name = _("People")


class PortalAdminConfig(AdminConfig):
    """Django's admin, with our site in place of the default one."""

    default_site = "relay_portal.site.PortalSite"
