"""What people call a receiver: its domain, where one leads there; else its host; or the sandbox."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext as _

from deliveries.insight.tracing import site_name
from deliveries.models import Destination, Lane

LOOPBACK = ("127.0.0.1", "::1")


def receiver_name(lane: Lane) -> str:
    """Name the receiver; without a query where `LaneQuerySet.with_domains` has read the row, else
    with one.
    """
    if lane.pk == Lane.ROUTING:
        return _("(being routed)")
    if lane.pk == Lane.PARKED:
        return _("(put aside)")
    if lane.is_routed or lane.is_forced:
        return _by_host(lane)
    domains = _domains(lane)
    if len(domains) == 1:
        return domains[0]
    return _("%s (several domains)") % site_name(lane) if domains else site_name(lane)


def _by_host(lane: Lane) -> str:
    """Name a receiver to which a route or an order leads, whatever the domain, by its host."""
    if lane.smarthost_id is not None:
        return _("Smarthost %s") % lane.site.removeprefix("smarthost:")
    if not lane.hosts:
        return lane.site
    _preference, host, port = lane.hosts[0]
    if port == settings.EKIDEN_SANDBOX_PORT and host in (*LOOPBACK, settings.EKIDEN_BIND):
        return _("Sandbox")
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def _domains(lane: Lane) -> list[str]:
    """Return the domain that leads there, or the first two of several."""
    if hasattr(lane, "first_domain"):
        return [name for name in (lane.first_domain, lane.second_domain) if name]  # type: ignore[attr-defined]  # annotated
    led = Destination.objects.filter(lane=lane.home_id or lane.pk).order_by("domain")
    return list(led.values_list("domain", flat=True)[:2])
