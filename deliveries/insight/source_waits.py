"""Why a delivery waits for a source, in a sentence for each that might carry it."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from deliveries.models import Delivery, Lane, ShapingRule
from deliveries.queue import warm_up
from deliveries.routing.egress import (
    COLD,
    OUT,
    RESTING,
    Egress,
    Outgoing,
    SourceFacts,
    egress_of,
)
from deliveries.routing.egress_reading import SNAPSHOT, asked
from deliveries.shaping import providers
from deliveries.shaping.providers import ReceiverRule
from domains.foundation import sql

COLUMNS = [field.name for field in fields(ReceiverRule)]
STATES = {
    COLD: gettext_lazy("%(source)s is cold"),
    RESTING: gettext_lazy("%(source)s rests"),
    OUT: gettext_lazy("%(source)s is out of use"),
}


def egress() -> Egress:
    """Return the sources, pools and rules as they are now."""
    return egress_of(json.loads(sql.value(SNAPSHOT, asked())))


def why_no_source(delivery: Delivery) -> str:
    """Return why none of our sources carries the delivery now; "" where that is not why it waits.

    It is asked of one that waits in its site's own lane and is due later.
    """
    lane = delivery.lane
    if lane.pk in (Lane.ROUTING, Lane.PARKED) or lane.home_id or lane.is_routed or lane.is_forced:
        return ""
    known = egress()
    if not known:
        return ""
    receiver = _receiver(lane, delivery.domain)
    domain = delivery.message.header_from.rpartition("@")[2].lower()
    mail = Outgoing(delivery.pk, delivery.project_id, delivery.flow, delivery.priority, domain)
    pool = known.pool_name(mail, receiver)
    members = [known.sources[name] for name in known.pool(pool).weights if name in known.sources]
    if not members:
        return _("no source stands in its pool %(pool)s") % {"pool": pool}
    return "; ".join(_why(each, receiver, lane.pk) for each in members)


def _why(source: SourceFacts, receiver: str, site: int) -> str:
    given = {"source": source.name, "receiver": receiver}
    if source.state in STATES:
        return str(STATES[source.state]) % given
    if source.rests_for(receiver, site):
        return _("%(source)s rests for %(receiver)s") % given
    if not source.is_bound:
        return _("no machine at work has the address of %(source)s") % given
    said = warm_up.sentence(source.name, receiver) if source.warms_for(receiver) else ""
    return said.rstrip(".") or _("%(source)s may carry it from the next look on") % given


def _receiver(lane: Lane, domain: str) -> str:
    rows = ShapingRule.objects.exclude(name=ShapingRule.DEFAULT).values(*COLUMNS)
    rules = [ReceiverRule(**_as_rule(row)) for row in rows]
    hosts = [name for _preference, name, _port in sorted(lane.hosts)]
    return providers.match(rules, hosts=hosts, domain=domain).name


def _as_rule(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
