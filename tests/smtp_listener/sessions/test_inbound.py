"""Mail at the MX port is kept in bounded sizes and numbers."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from deliveries.backends.database import DatabaseUnavailable
from deliveries.bounces import return_path, trimming
from deliveries.bounces.keys import return_path_key
from deliveries.message import compression
from deliveries.models import InboundMail
from domains.models import ReturnPath
from domains.senders import report_address
from smtp_listener.admission.disk import Disk
from smtp_listener.admission.inbound_quotas import REPORTS_OF_DELIVERY
from smtp_listener.admission.return_path_names import ReturnPathNames
from smtp_listener.sessions.inbound import DMARC_MAIL, LETTER
from tests.deliveries import make
from tests.deliveries.bounces.test_trimming import BODY, REPORT
from tests.smtp_listener.sessions.test_session import MAIL

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def host(listener):
    with listener.raw("mx") as client:
        client.say(b"EHLO host.test")
        yield client


@pytest.fixture
def bounced(mail_db):
    """Return a true return path."""
    local_part = return_path.make(make.delivery().pk, key=return_path_key(), now=datetime.now(UTC))
    return f"{local_part}@relay.test"


def hand_in(host, to, mail=MAIL):
    """Return the first refusal, or the answer to the content."""
    host.say(b"MAIL FROM:<a@stranger.test>")
    reply = host.say(f"RCPT TO:<{to}>".encode())
    if reply.startswith("250"):
        assert host.say(b"DATA").startswith("354")
        return host.say(mail + b".")
    host.say(b"RSET")
    return reply


def test_a_letter_to_people_is_small(host):
    large = MAIL + (b"x" * 998 + b"\r\n") * (LETTER // 1000 + 1)
    host.say(f"MAIL FROM:<a@stranger.test> SIZE={LETTER + 1}".encode())
    assert host.say(b"RCPT TO:<abuse@relay.test>").startswith("552 5.3.4")
    assert host.say(b"RCPT TO:<feedback@relay.test>").startswith("250")
    host.say(b"RSET")
    assert hand_in(host, "postmaster@relay.test", large).startswith("552 5.3.4")
    assert hand_in(host, "postmaster@relay.test").startswith("250")
    assert InboundMail.objects.count() == 1


def test_a_long_report_is_taken_and_cut_off(host, bounced, monkeypatch):
    monkeypatch.setattr(trimming, "MOST", 5000)
    assert hand_in(host, bounced, REPORT + BODY * 30).startswith("250")
    assert compression.decompress(bytes(InboundMail.objects.get().data), most=10_000_000) == REPORT


def test_a_letter_to_several_mailboxes_is_stored_once(host):
    host.say(b"MAIL FROM:<a@stranger.test>")
    for name in (b"postmaster", b"abuse@relay.test", b"fbl@relay.test", b"postmaster"):
        assert host.say(b"RCPT TO:<" + name + b">").startswith("250")
    host.say(b"DATA")
    assert host.say(MAIL + b".").startswith("250")
    assert InboundMail.objects.count() == 1


def test_a_return_path_has_its_mail_for_itself(host, bounced):
    for first, second in ((bounced, "abuse@relay.test"), ("abuse@relay.test", bounced)):
        host.say(b"MAIL FROM:<>")
        assert host.say(f"RCPT TO:<{first}>".encode()).startswith("250")
        assert host.say(f"RCPT TO:<{second}>".encode()).startswith("452 4.5.3")
        assert host.say(f"RCPT TO:<{first}>".encode()).startswith("250")
        host.say(b"RSET")


@pytest.mark.parametrize(
    "name", ["EKIDEN_INBOUND_BYTES_PER_DAY", "EKIDEN_INBOUND_BYTES_PER_ADDRESS"]
)
def test_a_days_room_is_used_up_and_bounces_come_in_all_the_same(
    host, limits, bounced, valkey, name
):
    setattr(limits, name, 4000)
    answers = [hand_in(host, "feedback@relay.test")[:9] for _ in range(6)]
    assert (answers[0][:3], answers[-1]) == ("250", "452 4.3.1")
    assert InboundMail.objects.count() == sum(answer.startswith("250") for answer in answers) < 4
    assert hand_in(host, bounced).startswith("250")
    valkey.flushdb()  # PostgreSQL knows the bytes, without what each mail costs besides
    limits.EKIDEN_INBOUND_BYTES_PER_DAY = limits.EKIDEN_INBOUND_BYTES_PER_ADDRESS = 1100
    assert hand_in(host, "feedback@relay.test").startswith("452 4.3.1")


def test_a_delivery_has_few_reports_in_a_day(host, bounced, valkey):
    taken = [hand_in(host, bounced)[:3] for _ in range(REPORTS_OF_DELIVERY // 2)]
    valkey.flushdb()
    taken += [hand_in(host, bounced)[:3] for _ in range(REPORTS_OF_DELIVERY)]
    assert taken == ["250"] * REPORTS_OF_DELIVERY + ["452"] * (REPORTS_OF_DELIVERY // 2)


def test_a_low_disk_refuses_strangers_before_apps(
    listener, host, login, tmp_path, monkeypatch, caplog
):
    free = 1000
    monkeypatch.setattr(
        "smtp_listener.admission.disk.shutil.disk_usage",
        lambda folder: type("Usage", (), {"free": free}),
    )
    listener.listener.disk = Disk(tmp_path, 2000)
    assert host.say(b"MAIL FROM:<>").startswith("452 4.3.1")
    with listener.raw_app(login) as app:
        app.begin()
        app.say(b"RSET")
        free = 400
        listener.listener.disk = Disk(tmp_path, 2000)
        assert app.say(b"MAIL FROM:<shop@shop.test>").startswith("452 4.3.1")
    assert "event=low-disk free=1000 mark=2000" in caplog.text


def test_forged_return_paths_of_one_client_write_few_lines(listener, caplog):
    for _ in range(3):
        with listener.raw("mx") as host:
            host.say(b"EHLO host.test")
            host.say(b"MAIL FROM:<>")
            for number in range(15):
                host.say(f"RCPT TO:<b-{number}@relay.test>".encode())
    assert 0 < caplog.text.count("event=") <= 22


# --- DMARC reports --------------------------------------------------------------------------------
@pytest.fixture
def reports(mail_db):
    """Return the address of a domain for DMARC reports."""
    return report_address.address(7).partition("@")[0] + "@relay.test"


def test_a_dmarc_report_is_stored_for_its_domain_and_whole(host, reports, monkeypatch):
    monkeypatch.setattr(trimming, "MOST", 1000)
    long = MAIL + (b"x" * 998 + b"\r\n") * 20
    assert hand_in(host, reports.upper().replace("RELAY.TEST", "relay.test"), long)[:3] == "250"
    stored = InboundMail.objects.get()
    assert (stored.kind, stored.domain_id, stored.delivery_id) == ("dmarc", 7, None)
    assert len(compression.decompress(bytes(stored.data), most=10**6)) > 20_000


def test_a_forged_report_address_is_nobodys(host, reports):
    assert hand_in(host, "dmarc-aaaa@relay.test").startswith("550 5.1.1")
    assert hand_in(host, "ruf-" + reports.partition("-")[2]).startswith("550")


def test_reports_about_single_messages_are_taken_only_where_they_are_wanted(
    host, reports, settings
):
    settings.EKIDEN_FORENSIC_REPORTS = "yes"
    assert hand_in(host, "ruf-" + reports.partition("-")[2]).startswith("250")
    assert InboundMail.objects.get().kind == "forensic"


def test_dmarc_reports_have_room_of_their_own(host, reports, settings):
    settings.EKIDEN_DMARC_BYTES_PER_DAY = 5 * 1200
    assert hand_in(host, reports).startswith("250")
    assert hand_in(host, reports).startswith("452 4.3.1")
    assert hand_in(host, "postmaster@relay.test").startswith("250")


def test_a_report_of_thirty_megabytes_is_refused_before_it_comes(host, reports, listener):
    host.say(b"MAIL FROM:<a@stranger.test> SIZE=%d" % (DMARC_MAIL + 1))
    assert host.say(f"RCPT TO:<{reports}>".encode()).startswith("552 5.3.4")


# --- names of sending domains -------------------------------------------------------------------
def name(state="used", stopped=None, domain="rp.shop.test"):
    now = datetime.now(UTC)
    return ReturnPath.objects.create(
        name=domain, state=state, found_since=now - HOUR, used_since=now,
        stopped_at=stopped and now - stopped, changed_at=now,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "stopped"),
    [
        ("found", None), ("used", None), ("broken", HOUR), ("former", HOUR), ("former", 30 * DAY),
    ],
)  # fmt: skip
def test_a_return_path_under_a_name_that_was_in_use_lately_is_taken(host, bounced, state, stopped):
    name(state, stopped)
    local_part = bounced.partition("@")[0]
    assert hand_in(host, f"{local_part}@RP.shop.test").startswith("250")
    assert InboundMail.objects.get().delivery_id is not None


def test_the_same_under_a_name_that_is_nobodys_is_refused(host, bounced):
    name("former", 32 * DAY, "old.shop.test")
    local_part = bounced.partition("@")[0]
    for domain in ("old.shop.test", "rp.shop.test", "shop.test"):
        assert hand_in(host, f"{local_part}@{domain}").startswith("550 5.1.1")


def test_other_mail_to_such_a_name_reaches_people_or_is_nobodys(host, bounced):
    name()
    assert hand_in(host, "postmaster@rp.shop.test").startswith("250")
    for stranger in ("hello@rp.shop.test", "b-forged@rp.shop.test"):
        assert hand_in(host, stranger).startswith("550 5.1.1")
    assert hand_in(host, "hello@shop.test").startswith("550 5.7.1")


def test_without_postgresql_a_known_name_is_taken_and_another_one_asked_again():
    async def main():
        database = Answers([("rp.shop.test",)])
        names = ReturnPathNames(database)
        assert await names.has("rp.shop.test") and not await names.has("x.test")
        names._until, database.rows = 0.0, None
        assert await names.has("rp.shop.test")
        with pytest.raises(DatabaseUnavailable):
            await names.has("x.test")

    asyncio.run(main())


class Answers:
    """PostgreSQL as far as the names ask it; away while there are no rows."""

    def __init__(self, rows):
        self.rows = rows

    async def fetch(self, *_):
        if self.rows is None:
            raise DatabaseUnavailable
        return self.rows
