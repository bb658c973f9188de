"""The way to a site: which host is tried when, and what is told where none takes a connection."""

import pytest

from deliveries.queue.leased import LeasedLane
from deliveries.routing.egress import Identity
from deliveries.routing.host_experience import Experience
from deliveries.sending.endpoints import Endpoints, NoEndpoint, in_order
from deliveries.smtp.outcomes import Bounced, Deferred
from deliveries.smtp.timeouts import RFC_5321
from tests.deliveries.routing.test_resolver import ask
from tests.fakes.dns import Behaviour

pytestmark = pytest.mark.usefixtures("mail_db")


def test_hosts_go_by_preference_and_at_random_within_one():
    hosts = [(20, "last.test", 25), (10, "a.test", 25), (10, "b.test", 2525)]
    drawn = {tuple(in_order(hosts)) for _ in range(100)}
    first, second, last = ("a.test", 25), ("b.test", 2525), ("last.test", 25)
    assert drawn == {(first, second, last), (second, first, last)}


def outcome(*names, zones):
    """Return the outcome of a site with these hosts, tried in this order."""
    hosts = [(number, name, 25) for number, name in enumerate(names)]
    lane = LeasedLane(
        1,
        "site",
        "",
        hosts,
        "opportunistic",
        is_routed=False,
        is_forced=False,
        epoch=1,
        failures=0,
        pace={},
        experience={},
    )

    async def travel(router, _):
        with pytest.raises(NoEndpoint) as told:
            await Endpoints(
                lane,
                router,
                Experience({}),
                tls="",
                timeouts=RFC_5321,
                identity=Identity("us.test"),
            ).next()
        return told.value.outcome

    return ask(zones, travel, {"lame.mx.test": Behaviour.SERVFAIL})


ZONES = {"inside.mx.test": {"A": ["10.0.0.1"]}}


def test_a_site_of_private_addresses_alone_bounces():
    found = outcome("inside.mx.test", zones=ZONES)
    assert isinstance(found, Bounced) and found.reply.enhanced == "5.4.4"


@pytest.mark.parametrize("other", ["lame.mx.test", "unknown.mx.test"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_private_address_beside_a_host_that_may_come_back_is_no_bounce(other, is_first):
    names = (other, "inside.mx.test") if is_first else ("inside.mx.test", other)
    assert isinstance(outcome(*names, zones=ZONES), Deferred)
