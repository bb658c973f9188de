"""The app of a message's life from 250 to its last outcome."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DeliveriesConfig(AppConfig):
    name = "deliveries"
    verbose_name = _("Deliveries")

    def ready(self) -> None:
        from deliveries.backends import stored_jobs
        from deliveries.insight.sources import addresses
        from domains.senders import source_addresses

        stored_jobs.harden()
        source_addresses.register_sources(addresses)
