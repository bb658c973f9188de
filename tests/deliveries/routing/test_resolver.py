"""Where DNS leads mail, and where it must not."""

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
from ipaddress import ip_address

import pytest

from deliveries.backends.database import Database
from deliveries.models import Lane, Route
from deliveries.routing.destinations import Destinations
from deliveries.routing.resolver import ROUTES_KEEP, Forbidden, Router, Site
from deliveries.smtp.outcomes import Bounced, Deferred
from domains.foundation.dns.resolver import Resolver
from tests.deliveries import make
from tests.deliveries.stage import in_thread
from tests.fakes.dns import Behaviour, FakeDns

pytestmark = pytest.mark.usefixtures("mail_db")


def ask(zones, question, behaviours=None):
    """Return what `question` gets from a router whose DNS has these zones."""

    async def main():
        database = Database("test")
        try:
            async with FakeDns(zones, behaviours) as dns:
                return await question(Router(database, Resolver([dns.address])), database)
        finally:
            await database.close()

    return asyncio.run(main())


def site(zones, behaviours=None):
    return ask(zones, lambda router, _: router.site("mx.test"), behaviours)


def addresses(*, four=(), six=()):
    return ask(
        {"in.mx.test": {"A": list(four), "AAAA": list(six)}},
        lambda router, _: router.addresses("in.mx.test", is_routed=False),
    )


class SlowResolver(Resolver):
    """Takes its time, in which a person writes down a route."""

    async def mx(self, domain):
        await asyncio.to_thread(
            in_thread, lambda: Route.objects.create(pattern=domain, host="own.test", port=2525)
        )
        await asyncio.sleep(ROUTES_KEEP)
        return await super().mx(domain)


@pytest.mark.parametrize("zones", [{"mx.test": {"MX": [(10, "in.mx.test")]}}, {}])
def test_a_route_that_is_written_down_during_a_slow_look_up_is_taken(zones):
    async def main():
        database = Database("test")
        try:
            async with FakeDns(zones) as dns:
                return await Router(database, SlowResolver([dns.address])).site("mx.test")
        finally:
            await database.close()

    assert asyncio.run(main()).hosts == ((0, "own.test", 2525),)


@pytest.mark.parametrize("preference", [0, 10])
def test_a_lone_dot_is_the_null_mx_whatever_its_preference(preference):
    outcome = site({"mx.test": {"MX": [(preference, "")]}})
    assert isinstance(outcome, Bounced)
    assert outcome.reply.enhanced == "5.1.10"


def test_a_dot_beside_mail_hosts_is_ignored():
    assert [
        host for _, host, _ in site({"mx.test": {"MX": [(0, ""), (10, "in.mx.test")]}}).hosts
    ] == ["in.mx.test"]


def test_of_a_hundred_mail_hosts_the_twenty_best_are_kept():
    hosts = site(
        {"mx.test": {"MX": [(number, f"h{number}.mx.test") for number in range(100, 0, -1)]}}
    ).hosts
    assert [preference for preference, _, _ in hosts] == list(range(1, 21))


def test_hosts_behind_ourselves_are_left_out_and_a_best_host_that_is_us_is_a_loop(settings):
    settings.EKIDEN_HOSTNAME = "us.test"
    kept = site({"mx.test": {"MX": [(10, "a.test"), (20, "us.test"), (30, "b.test")]}})
    assert [host for _, host, _ in kept.hosts] == ["a.test"]
    assert site({"mx.test": {"MX": [(10, "us.test"), (20, "a.test")]}}).reply.enhanced == "5.4.6"


@pytest.mark.parametrize("behaviour", [Behaviour.SERVFAIL, Behaviour.REFUSED])
def test_trouble_with_dns_is_never_a_bounce(behaviour):
    outcome = site({"mx.test": {"MX": [(10, "in.mx.test")]}}, {"mx.test": behaviour})
    assert isinstance(outcome, Deferred)
    assert outcome.reply.enhanced == "4.4.3"


def test_an_mx_that_is_an_alias_is_followed_to_its_address():
    zones = {"in.mx.test": {"CNAME": ["real.mx.test"]}, "real.mx.test": {"A": ["8.8.8.8"]}}
    assert [
        str(address)
        for address in ask(zones, lambda router, _: router.addresses("in.mx.test", is_routed=False))
    ] == ["8.8.8.8"]


def test_of_good_and_bad_addresses_only_the_good_are_connected_to():
    found = addresses(
        four=["127.0.0.1", "8.8.8.8", "10.0.0.1"],
        six=["::1", "2606:4700::1111", "::ffff:127.0.0.1", "64:ff9b::7f00:1"],
    )
    assert {str(address) for address in found} == {"8.8.8.8", "2606:4700::1111"}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "sub.localhost", "::1"])
def test_a_mail_host_that_is_this_machine_by_name_is_refused(host):
    with pytest.raises(Forbidden):
        ask({"mx.test": {}}, lambda router, _: router.addresses(host, is_routed=False))


def test_mail_hosts_with_the_longest_names_make_a_lane_all_the_same():
    names = [
        ".".join([secrets.token_hex(30), secrets.token_hex(30), secrets.token_hex(30), "test"])
        for _ in range(20)
    ]

    async def assign(router, database):
        found = await router.site("mx.test")
        assert isinstance(found, Site)
        await Destinations(database, lambda _: None, source="").assign("mx.test", found)

    make.delivery()
    ask({"mx.test": {"MX": [(10, name) for name in names]}}, assign)
    assert len(Lane.objects.get(destinations__domain="mx.test").hosts) == 20


def test_ipv6_goes_first_but_never_without_the_ipv4_that_there_is():
    six, four = [f"2606:4700::{number}" for number in range(1, 9)], ["8.8.4.4", "8.8.8.8"]
    found = addresses(four=four, six=six)
    assert [address.version for address in found] == [6, 6, 6, 4, 4]
    assert {tuple(addresses(four=four)) for _ in range(20)} == {
        tuple(map(ip_address, four)),
        tuple(map(ip_address, four[::-1])),
    }


IN_A_NAMESPACE = """
import asyncio
from deliveries.routing.resolver import Forbidden, Router
from domains.foundation.dns.resolver import Resolver
from domains.foundation.dns.servers import nameservers
router = Router(None, Resolver(nameservers(["127.0.0.1"])))
for host in ("8.8.4.4", "8.8.8.8", "2606:4700::1111"):
    try:
        print(host, bool(asyncio.run(router.addresses(host, is_routed=False))))
    except Forbidden:
        print(host, "refused")
"""


@pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("ip"),
    reason="only root with iproute2 can give a machine another address",
)
def test_an_address_of_this_machine_is_refused_though_it_is_public():
    add = (
        "ip link set lo up && ip address add 8.8.8.8/32 dev lo && ip address add "
        "2606:4700::1111/128 dev lo"
    )
    command = [
        "unshare",
        "--net",
        "sh",
        "-c",
        f'{add} && exec "$0" -c "$1"',
        sys.executable,
        IN_A_NAMESPACE,
    ]
    done = subprocess.run(
        command,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "relay_portal.settings"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        "8.8.4.4 True",
        "8.8.8.8 refused",
        "2606:4700::1111 refused",
    ], done.stderr
