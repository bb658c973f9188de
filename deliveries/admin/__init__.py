"""The portal's pages about messages, deliveries, lanes, routes and inbound mail, and about what
people order and pause.
"""

from deliveries.admin import (
    classification,
    delivery_list,
    demands,
    exports,
    inbound,
    lanes,
    mail,
    ordering,
    pauses,
    provider_limits,
    refusals,
    routes,
    set_aside,
    shaping,
    smarthosts,
    sources,
    tenants,
    warm_up,
)

__all__ = [
    "classification",
    "delivery_list",
    "demands",
    "exports",
    "inbound",
    "lanes",
    "mail",
    "ordering",
    "pauses",
    "provider_limits",
    "refusals",
    "routes",
    "set_aside",
    "shaping",
    "smarthosts",
    "sources",
    "tenants",
    "warm_up",
]
