"""DMARC reports of port 25 are read apart from bounces, and one bad one stops no other."""

import asyncio

import pytest

from deliveries.authentication import dmarc_mail
from deliveries.backends.database import Database
from deliveries.bounces import receive
from deliveries.models import InboundMail
from domains.models import DmarcCount, Domain
from tests.deliveries import make
from tests.domains.reporting.reports import mail, packed, record, xml, zipped

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.fixture
def domain(settings):
    settings.EKIDEN_SOURCE = "192.0.2.1"
    return Domain.objects.create(project=make.project(), name="shop.test", token="t")


def arrives(domain_id, *mails):
    store(domain_id, *mails)
    dmarc_mail.read_all()
    return list(InboundMail.objects.order_by("id").values_list("finding", flat=True))


def store(domain_id, *mails):
    async def main():
        database = Database("test")
        for data in mails:
            await receive.receive(
                database, kind="dmarc", delivery_id=None, mail_from="", client_address="192.0.2.9",
                compressed=await receive.compressed(data), domain_id=domain_id,
            )  # fmt: skip
        await database.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("file", "name", "type"),
    [
        (packed(xml()), "a.xml.gz", "application/gzip"),
        (zipped(xml()), "a.zip", "application/zip"),
        (zipped(xml()), "a.bin", "application/octet-stream"),
        (xml(), "a.xml", "text/xml"),
    ],
)
def test_a_report_is_found_in_the_mail_whatever_it_is_called(domain, file, name, type):
    assert arrives(domain.pk, mail(file, name, type)) == [
        "a DMARC report, counted with its domain: mx.test 17"
    ]
    assert DmarcCount.objects.get().is_ours
    assert bytes(InboundMail.objects.get().data) == b""


def test_a_bad_report_is_kept_with_its_reason_and_the_next_is_read(domain):
    bad, same, good = arrives(
        domain.pk, mail(packed(b"<html/>")), mail(packed(xml())), mail(packed(xml()))
    )
    assert bad == "a DMARC report that cannot be read: its XML is no DMARC report"
    assert "counted with its domain" in same and "known already" in good
    assert bytes(InboundMail.objects.order_by("id").first().data) != b""


def test_a_mail_without_a_report_says_so(domain):
    assert "no part of the mail is one" in arrives(domain.pk, make.CONTENT)[0]


def test_a_report_about_a_removed_domain_is_told(domain):
    gone = domain.pk
    domain.delete()
    assert arrives(gone, mail(packed(xml()))) == [
        "a DMARC report about a domain that is here no more"
    ]


def test_the_reader_of_bounces_leaves_reports_alone(domain):
    arrives(domain.pk)
    InboundMail.objects.create(kind="dmarc", domain_id=domain.pk, data=b"x")
    receive.handle_all()
    assert InboundMail.objects.get().handled_at is None


def test_a_report_about_one_message_is_for_a_person(domain):
    InboundMail.objects.create(kind="forensic", domain_id=domain.pk, data=b"x")
    receive.handle_all()
    assert InboundMail.objects.get().finding == "kept for a person to read"


def test_what_makes_the_reader_fail_is_put_aside_alone(domain, poison):
    store(domain.pk, *(mail(packed(xml(record(), id=str(number)))) for number in (1, 2)))
    poison(InboundMail.objects.earliest("id"))
    dmarc_mail.read_all()
    assert [each.finding != "" for each in InboundMail.objects.order_by("id")] == [False, True]
