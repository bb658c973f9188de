"""What the daily look at many domains asks, counted at their name servers and at the resolver.

`EKIDEN_DOMAINS=10000` plays the whole size.
"""

import os
import time
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.utils import timezone

from domains import jobs
from domains.foundation.upkeep import turns
from domains.identity import checking
from domains.identity.looks import Questions
from domains.models import Domain, DomainChange, DomainReport, Project
from domains.models.return_paths import SPACING
from domains.senders import key_states, verification
from domains.senders.keys import make_key
from tests.fakes.dns import FakeDns
from tests.ports import free_port

pytestmark = pytest.mark.django_db
MANY = int(os.environ.get("EKIDEN_DOMAINS", "28"))
AT_MOST = 50 * 3600 / 10_000  # questions for each, if 10,000 are to be looked at within an hour
HOSTS = 3
START = timezone.now()
RELAY = {
    "relay.test": {"A": ["127.0.0.1"], "TXT": ["v=spf1 a -all"]},
}  # fmt: skip


@pytest.fixture
def servers(settings):
    """Serve as the resolver, and as three servers of each domain under names of its own."""
    addresses = [f"127.0.0.{n}" for n in range(2, 2 + HOSTS)]
    settings.EKIDEN_ZONE_PORT = port = free_port(*addresses)
    settings.EKIDEN_PRIVATE_NETWORKS, settings.EKIDEN_HOSTNAME = ["127.0.0.0/8"], "relay.test"
    settings.EKIDEN_QUESTIONS = 10_000  # until it is counted
    zones = dict(RELAY)
    with ExitStack() as stack:
        ours = stack.enter_context(FakeDns(zones))
        settings.EKIDEN_DNS = [ours.url]
        theirs = [
            stack.enter_context(FakeDns(zones, is_resolver=False, place=(each, port)))
            for each in addresses
        ]
        yield [ours, *theirs]


@pytest.fixture
def domains(servers):
    """Have all well everywhere: verified, signing, with a return path of their own in use."""
    project = Project.objects.create(name="shop")
    for number in range(MANY):
        name = f"d{number}.test"
        domain = Domain.objects.create(
            project=project, name=name, token=f"t{number}", verified_at=START
        )
        sign(make_key(domain, "ed25519"))
        publish(servers[0].zones, domain)
    for at in (START, START + SPACING):
        check(at)
    return list(Domain.objects.all())


def sign(key):
    for minutes in (90, 60, 30):
        at = START - timedelta(minutes=minutes)
        states = {key.record_name: "found"}
        key_states.note_check(key.domain, states, watch=timedelta(hours=1), now=at)


def publish(zones, domain):
    name = domain.name
    hosts = [f"ns{n}.{name}" for n in range(HOSTS)]
    zones[name] = {
        "NS": [f"{host}." for host in hosts],
        "SOA": [f"ns0.{name}. host.{name}. 7 3600 600 86400 60"],
    }
    zones |= {host: {"A": [f"127.0.0.{n}"]} for n, host in enumerate(hosts, 2)}
    for record in verification.required_records(domain):
        zones.setdefault(record.name, {}).setdefault(record.type, []).append(record.value)


def check(now):
    questions = Questions()
    checking.check(Domain.objects.order_by("pk"), now=now, questions=questions)


def asked(servers, days=1):
    """Count the questions of so many daily looks."""
    for server in servers:
        server.queries.clear()
    for _ in range(days):
        Domain.objects.update(checked_at=START - timedelta(days=2))
        run(jobs.verify_domains)
    return sum((server.queries for server in servers), Counter())


def run(job):
    """Run the job as a worker does, one turn after the other; return how many there were."""
    amount, given = 0, ()
    while given is not None:
        given = job(*given)
        amount += 1
    return amount


def states():
    return {
        (each["purpose"], each["state"], each["have"])
        for report in DomainReport.objects.all()
        for each in report.report["records"]
    }


def test_the_daily_look_at_ten_thousand_takes_an_hour_at_most(servers, domains, settings):
    assert {state for _, state, _ in states()} == {"found", "unneeded"}
    before, changes = states(), DomainChange.objects.count()
    settings.EKIDEN_QUESTIONS, began = 50, time.monotonic()
    total = asked(servers).total()
    seconds = time.monotonic() - began
    print(
        f"{MANY} domains, {total} questions, {total / MANY:.1f} for each, in {seconds:.0f} s:"
        f" {total / seconds:.1f} a second"
    )
    assert total <= AT_MOST * MANY
    assert (states(), DomainChange.objects.count()) == (before, changes)


def test_a_run_in_many_turns_looks_once_at_each(servers, domains, monkeypatch):
    """Between two turns other jobs get theirs: none waits for a look at ten thousand domains."""
    monkeypatch.setattr(turns, "SECONDS", 0.0)
    for server in servers:
        server.queries.clear()
    Domain.objects.update(checked_at=START - timedelta(days=2))
    assert run(jobs.verify_domains) == MANY
    looks = Counter(name for name, _ in servers[0].queries)
    assert {looks[f"_dmarc.{domain.name}"] for domain in domains} == {1}


def test_nothing_is_asked_twice_of_the_same_server(servers, domains):
    for server in servers:
        server.queries.clear()
    check(START + timedelta(hours=1))
    names = {domain.name for domain in domains}
    for server in servers:
        twice = {q for q, count in server.queries.items() if count > 1 and q[0] in names}
        assert twice == set()


@pytest.mark.parametrize("lost", ["dkim", "ownership", "return-path"])
def test_what_one_server_alone_has_lost_is_found_by_its_turn(servers, domains, lost):
    """The others are asked as soon as one says otherwise."""
    record = next(
        each for each in verification.required_records(domains[0]) if each.purpose == lost
    )
    servers[2].zones = {k: v for k, v in servers[2].zones.items() if k != record.name}
    found = set()
    for day in range(HOSTS):
        checking.check([domains[0]], now=START + timedelta(days=day), is_routine=True)
        found |= {
            (each["state"], each["have"])
            for each in checking.records_of(domains[0])
            if each["name"] == record.name
        }
    assert ("spreading", HOSTS - 1) in found
