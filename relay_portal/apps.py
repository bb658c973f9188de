"""The portal's app, and the admin whose site demands a second factor."""

from django.apps import AppConfig, apps
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _
from two_factor.plugins.webauthn.apps import TwoFactorWebauthnConfig


class RelayPortalConfig(AppConfig):
    default = True
    name = "relay_portal"
    verbose_name = _("People")

    def ready(self) -> None:
        from relay_portal.access import own_language, second_factors, session_age

        own_language.follow_log_ins()
        session_age.follow_log_ins()
        second_factors.protect()


class PortalAdminConfig(admin_apps.SimpleAdminConfig):
    """Django's admin, with our site in place of the default one.

    Its pages are read with the URLs (`relay_portal.urls`): a third of a start, which commands and
    the processes of mail need not spend.
    """

    default = False
    default_site = "relay_portal.pages.site.PortalSite"


class PasskeyConfig(TwoFactorWebauthnConfig):  # type: ignore[misc]  # it has no types
    """The passkeys' app.

    The library that verifies them is a seventh of a start, and the portal's alone: it is read with
    the portal's URLs.
    """

    default = False

    def ready(self) -> None:
        """Leave it to `make_passkeys_ready`."""


def make_passkeys_ready() -> None:
    """Let two_factor know of passkeys; to repeat it is harmless."""
    TwoFactorWebauthnConfig.ready(apps.get_app_config("two_factor_webauthn"))
