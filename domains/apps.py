"""The app of who may send."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _

from domains.foundation.process.postgres_session import promise


class DomainsConfig(AppConfig):
    name = "domains"
    verbose_name = _("Domains and credentials")

    def ready(self) -> None:
        connection_created.connect(promise, dispatch_uid="promise")
