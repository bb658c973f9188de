"""Each job of the table goes on past a row that cannot be written, whatever the reason; a new job
has to say how it does.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.jobs.worker import FUNCTIONS
from deliveries.message import compression
from deliveries.message.ids import first_id_of, new_id
from deliveries.models import (
    Alert,
    Delivery,
    InboundMail,
    Message,
    Order,
    WarmUp,
    WarmUpDay,
)
from deliveries.steering import orders
from deliveries.steering.selection import Selection
from domains.models import Domain, ItemKind, ReturnPath, SetAside, SigningKey
from suppressions.models import Occurrence, Suppression
from tests.deliveries import make
from tests.fakes.dns import FakeDns

# Jobs about one row that was named to them: another row's job is another job.
ABOUT_ONE = {
    "domains.jobs.verify_domain": ItemKind.DOMAIN,
    "suppressions.exchange.importing.run": ItemKind.IMPORT,
    "deliveries.search.exporting.run": ItemKind.STEP,
    "deliveries.bounces.reclassify.count": ItemKind.SECOND_LOOK,
    "deliveries.bounces.reclassify.apply": ItemKind.SECOND_LOOK,
}
OUTSIDE_RQ = {
    "deliveries.jobs.drain": "tests/deliveries/sending/test_faults.py"
}  # a loop of its own, with its own tests


def late(to):
    return make.delivery(to, expires_at=timezone.now() - timedelta(minutes=1))


def owing(to):
    return make.delivery(
        to, state="bounced", ended_at=timezone.now(), due_at=None, owes_report=True
    )


def letter(number, kind="postmaster"):
    data = b"Subject: hello %d\r\n\r\nwords\r\n" % number
    packed = compression.compress(data, (), size=len(data))
    return InboundMail.objects.create(
        kind=kind, mail_from="a@b.test", client_address="192.0.2.1", data=packed
    )


def occurrence(key):
    given = {
        "kind": "reply",
        "category": "unknown_user",
        "is_hard": True,
        "stage": "rcpt",
        "code": 550,
        "enhanced": "5.1.1",
    }
    return Occurrence.objects.create(
        project=make.project(), address_key=key, text="no", at=timezone.now(), **given
    )


def trying(key):
    probe = make.delivery(key, state="delivered", ended_at=timezone.now(), due_at=None)
    given = {
        "category": "unknown_user",
        "is_hard": True,
        "reason": "550 no",
        "probation_at": timezone.now(),
    }
    until = timezone.now() + timedelta(days=1)
    return Suppression.objects.create(
        project=make.project(), address_key=key, probe_id=probe.pk, probe_until=until, **given
    )


def order(to):
    make.delivery(to, state="deferred", due_at=timezone.now() + timedelta(hours=1))
    return orders.give(
        Order.Verb.CANCEL, Selection(recipient=to), reason="asked", by="otto", begins=False
    )


def awaiting_key(key):
    domain = unverified(key)
    Domain.objects.filter(pk=domain.pk).update(verified_at=timezone.now())
    SigningKey.objects.create(domain=domain, selector="s1", private_key=b"x", public_record="v=x")
    return domain


def broken_return_path(to):
    domain = unverified(to)
    now = timezone.now()
    ReturnPath.objects.create(
        domain=domain, name=domain.return_path_name, state="used", changed_at=now,
        found_since=now - timedelta(hours=1), used_since=now,
    )  # fmt: skip
    return domain


def unverified(to):
    return Domain.objects.create(project=make.project(), name=to.rpartition("@")[2], token="0" * 32)


CASES = {
    "deliveries.jobs.sweep": (ItemKind.EXPIRY, late,
        lambda row: Delivery.objects.get(pk=row.pk).state == "expired"),
    "deliveries.jobs.report_failures": (
        ItemKind.REPORT, owing, lambda row: Message.objects.filter(origin="report").count() == 1,
    ),
    "deliveries.jobs.receive_reports": (
        ItemKind.INBOUND, lambda to: letter(len(to)),
        lambda row: InboundMail.objects.get(pk=row.pk).handled_at is not None,
    ),
    "deliveries.jobs.read_dmarc_reports": (
        ItemKind.INBOUND, lambda to: letter(len(to), kind="dmarc"),
        lambda row: InboundMail.objects.get(pk=row.pk).handled_at is not None,
    ),
    "deliveries.jobs.carry_out_orders": (
        ItemKind.ORDER, order, lambda row: Order.objects.get(pk=row.pk).finished_at is not None,
    ),
    "deliveries.jobs.learn": (
        ItemKind.OCCURRENCE, occurrence,
        lambda row: Occurrence.objects.get(pk=row.pk).handled_at is not None,
    ),
    "deliveries.jobs.learn (probation)": (
        ItemKind.PROBATION, trying, lambda row: not Suppression.objects.filter(pk=row.pk).exists(),
    ),
    "domains.jobs.verify_domains": (
        ItemKind.DOMAIN, unverified,
        lambda row: Domain.objects.get(pk=row.pk).checked_at is not None,
    ),
    "domains.jobs.watch_return_paths": (
        ItemKind.DOMAIN, broken_return_path,
        lambda row: not ReturnPath.objects.filter(domain=row, state="used").exists(),
    ),
    "domains.jobs.watch_keys": (
        ItemKind.DOMAIN, awaiting_key,
        lambda row: Domain.objects.get(pk=row.pk).checked_at is not None,
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_dns(settings):
    with FakeDns({}) as dns:
        settings.EKIDEN_DNS = [dns.url]
        yield


@pytest.mark.usefixtures("mail_db", "valkey")
@pytest.mark.parametrize("case", CASES)
def test_a_row_that_cannot_be_written_is_put_aside_and_the_others_are_handled(case, poison):
    kind, make_row, is_done = CASES[case]
    bad, good = make_row("poison@bad.test"), make_row("you@good.test")
    poison(bad)
    for failures in (1, 2, 3):
        FUNCTIONS[case.partition(" ")[0]]()
        assert is_done(good)
        aside = SetAside.objects.get()
        assert (aside.kind, aside.failures) == (kind, failures)
        SetAside.objects.update(retry_at=timezone.now())
    assert aside.set_aside_at is not None
    assert "this row cannot be written" in aside.traceback


def test_each_job_of_the_table_says_what_a_bad_row_does_to_it():
    known = (
        {case.partition(" ")[0] for case in CASES}
        | ABOUT_ONE.keys()
        | OUTSIDE_RQ.keys()
        | IN_STEPS.keys()
    )
    assert known == FUNCTIONS.keys()


IN_STEPS = {
    "deliveries.jobs.add_up": ItemKind.ALERT,
    "deliveries.jobs.retain": ItemKind.STEP,
    "deliveries.jobs.warm_up": ItemKind.STEP,
    "deliveries.jobs.index_messages": ItemKind.STEP,  # see tests/deliveries/search/test_indexing.py
    "deliveries.jobs.carry_on": ItemKind.STEP,  # of jobs about one
    "deliveries.jobs.watch_sources": ItemKind.LANE,  # see tests/deliveries/sending/test_sources.py
    # see tests/deliveries/authentication
    "deliveries.jobs.watch_authentication": ItemKind.STEP,
    "deliveries.jobs.watch_switched_keys": ItemKind.STEP,
    # see tests/domains/identity/test_rotation_by_knot.py
    "domains.jobs.keep_key_zone": ItemKind.STEP,
    "domains.jobs.look_at_ourselves": ItemKind.STEP,  # see tests/domains/identity/test_ourselves.py
    # a chain has no next item: the entries wait for their seal
    "domains.jobs.seal_audit_log": ItemKind.STEP,
}


@pytest.mark.usefixtures("mail_db", "valkey")
def test_an_alert_that_cannot_be_written_keeps_no_other_from_ending(poison):
    bad, good = (
        Alert.objects.create(credential=make.credential(), rate=50, bounced=50, total=100, hours=24)
        for _ in "12"
    )
    poison(bad)
    FUNCTIONS["deliveries.jobs.add_up"]()
    assert Alert.objects.get(pk=good.pk).ended_at is not None
    assert SetAside.objects.get().kind == ItemKind.ALERT


@pytest.mark.usefixtures("mail_db", "valkey")
def test_a_warm_up_that_cannot_be_written_keeps_no_other_from_its_next_day(poison):
    source, yesterday = make.source(), timezone.now().date() - timedelta(days=1)
    for receiver in ("google", "yahoo"):
        WarmUp.objects.create(
            source=source, receiver=receiver, judged_on=yesterday - timedelta(days=1)
        )
        WarmUpDay.objects.create(
            source=source, receiver=receiver, date=yesterday, day=1, number=50, accepted=1
        )
    poison(WarmUp.objects.get(receiver="google"))
    FUNCTIONS["deliveries.jobs.warm_up"]()
    assert WarmUp.objects.get(receiver="yahoo").day == 2
    assert SetAside.objects.get().kind == ItemKind.STEP


@pytest.mark.usefixtures("mail_db", "valkey")
def test_a_table_that_cannot_be_emptied_keeps_no_other_from_it(poison):
    long_ago = timezone.now() - timedelta(days=1000)
    old_letter, old_word = letter(1), occurrence("gone@mx.test")
    InboundMail.objects.filter(pk=old_letter.pk).update(
        id=first_id_of(long_ago), handled_at=long_ago, delivery_id=new_id()
    )
    Occurrence.objects.filter(pk=old_word.pk).update(at=long_ago, handled_at=long_ago)
    poison(InboundMail.objects.get())
    FUNCTIONS["deliveries.jobs.retain"]()
    assert InboundMail.objects.exists()
    assert not Occurrence.objects.exists()
    assert SetAside.objects.get().kind == ItemKind.STEP
