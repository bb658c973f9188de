"""Look-ups of recipient domains: who has a place, and what an outage of our own name servers
costs.
"""

import asyncio
import os
import resource

import pytest

from deliveries.capacity import lookups, open_files
from deliveries.capacity.lookups import LookupFailures, Places
from deliveries.models import Attempt, Delivery
from deliveries.sending.drain_resources import sockets_at_most
from domains.foundation.dns import exchange
from tests.deliveries import make
from tests.deliveries.stage import drain_until, in_thread, scene
from tests.fakes.dns import Behaviour

MX = {"MX": [(10, "in.mx.test")]}
HOST = {"in.mx.test": {"A": ["127.0.0.1"]}}


def test_a_failure_is_remembered_until_the_domain_is_found_or_its_time_is_over():
    now = 0.0
    failures = LookupFailures(clock=lambda: now)
    failures.note("dead.test", has_failed=True)
    failures.note("blip.test", has_failed=True)
    failures.note("blip.test", has_failed=False)
    assert failures.domains() == ["dead.test"]
    now = lookups.MEMORY_SECONDS + 1
    failures.note("other.test", has_failed=True)
    assert failures.domains() == ["other.test"]


def test_what_takes_long_gives_its_place_to_others_and_what_failed_takes_none_of_them():
    failures = LookupFailures()
    failures.note("dead.test", has_failed=True)
    places = Places(failures)
    places.take("dead.test", None)
    assert (places.room, places.room_again) == (lookups.FIRST, lookups.AGAIN - 1)
    places.take("slow.test", None)
    assert places.room == lookups.FIRST - 1
    assert places.step_aside("slow.test")
    assert places.room == lookups.FIRST
    places.leave("slow.test")
    assert places.domains == ["dead.test"]


def test_few_open_files_leave_few_places_and_never_none():
    assert open_files.share(3000, limit=3100) == 1.0
    half = Places(LookupFailures(), open_files.share(3000, limit=1600))
    assert (half.room, half.room_again) == (lookups.FIRST // 2, lookups.AGAIN // 2)
    none = Places(LookupFailures(), open_files.share(3000, limit=64))
    assert (none.room, none.room_again) == (open_files.LEAST, open_files.LEAST)


async def patient(server, name, rdtype, *, timeout):
    """Ask as the product does, but wait for the silent ones without an end."""
    is_silent = b"dead" in name.labels
    return await exchange.ask(server, name, rdtype, timeout=1000.0 if is_silent else timeout)


def delivered_to(domain):
    return lambda: Delivery.objects.filter(domain=domain, state="delivered").exists()


@pytest.mark.parametrize("is_retry", [False, True], ids=["seen for the first time", "tried again"])
@pytest.mark.usefixtures("mail_db")
def test_a_thousand_silent_domains_hold_up_no_other(settings, monkeypatch, is_retry):
    """By the order of events: the healthy one arrives while the look-ups of the silent ones still
    wait, however slow the machine.
    """
    if open_files.share(sockets_at_most()) < 1:
        pytest.skip("needs more open files than this account may have (ulimit -n)")
    monkeypatch.setattr(
        "domains.foundation.dns.servers.ask", patient
    )  # none of the silent ones ends
    silent = [f"s{number}.dead.test" for number in range(1000)]
    of = make.message()
    for domain in silent:
        make.delivery(to=f"you@{domain}", of=of)

    async def main():
        zones = {"zz-late.test": MX, **HOST}
        async with scene(settings, zones, dict.fromkeys(silent, Behaviour.SILENT)):
            if is_retry:
                from deliveries.sending.drain_resources import known_of_dns

                for domain in silent:
                    known_of_dns(tuple(settings.EKIDEN_DNS))[1].note(domain, has_failed=True)

            def look():
                if not Delivery.objects.filter(domain="zz-late.test").exists():
                    make.delivery(to="you@zz-late.test", of=of)
                return delivered_to("zz-late.test")()

            await drain_until(look, 100)

    asyncio.run(main())
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"delivered"}


async def brief(server, name, rdtype, *, timeout):
    """Ask as the product does, but wait for the silent ones a second."""
    is_silent = b"dead" in name.labels
    return await exchange.ask(server, name, rdtype, timeout=1.0 if is_silent else timeout)


@pytest.fixture
def few_files():
    """Let this process open 500 files more than it has open now, and no others."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = len(os.listdir("/proc/self/fd")) + 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("mail_db", "few_files")
def test_a_thousand_silent_domains_use_up_no_open_files(settings, monkeypatch, caplog):
    monkeypatch.setattr("domains.foundation.dns.servers.ask", brief)
    silent = [f"s{number}.dead.test" for number in range(1000)]
    of = make.message()
    for domain in silent:
        make.delivery(to=f"you@{domain}", of=of)
    make.delivery(to="you@zz-late.test", of=of)

    async def main():
        zones = {"zz-late.test": MX, **HOST}
        async with scene(settings, zones, dict.fromkeys(silent, Behaviour.SILENT)):
            await drain_until(delivered_to("zz-late.test"), 100)

    asyncio.run(main())
    assert "dns-outage" not in caplog.text


@pytest.mark.usefixtures("mail_db")
def test_while_no_name_server_answers_known_domains_get_mail_and_others_lose_no_try(settings):
    async def main():
        async with scene(settings, {"known.test": MX, "new.test": MX, **HOST}) as (_, dns):
            await asyncio.to_thread(in_thread, lambda: make.delivery(to="one@known.test"))
            await drain_until(delivered_to("known.test"), 30)
            dns.is_silent = True
            for to in ("two@known.test", "you@new.test"):
                await asyncio.to_thread(in_thread, lambda to=to: make.delivery(to=to))
            await drain_until(lambda: Delivery.objects.filter(state="delivered").count() == 2, 30)
            assert (
                await asyncio.to_thread(
                    in_thread, lambda: Delivery.objects.get(domain="new.test").state
                )
                == "queued"
            )
            dns.is_silent = False
            await drain_until(delivered_to("new.test"), 30)

    asyncio.run(main())
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"delivered"}
    assert not Delivery.objects.filter(attempt_count__gt=1).exists()
