"""Files of suppressions in and out: whatever wrote them."""

import contextlib
import csv
import io
from datetime import UTC, datetime

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from suppressions.exchange import exporting, importing
from suppressions.exchange.cells import plain, safe
from suppressions.exchange.formats import moment
from suppressions.exchange.reading import BadLine, File, ListedAddress
from suppressions.models import Suppression
from tests.deliveries import make

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, tzinfo=UTC)

SAMPLES = {
    "Postmark": "EmailAddress,SuppressionReason,Origin,CreatedAt\r\n"
        "A@x.test,HardBounce,Recipient,2019-12-10T08:58:33-05:00\r\n"
    "b@x.test,SpamComplaint,Recipient,2019-12-10T08:58:33-05:00\r\n"
        "c@x.test,ManualSuppression,Customer,2019-12-10T08:58:33-05:00\r\n",
    "SendGrid bounces or blocks": "status,reason,email,created\r\n5.1.1,550 5.1.1 no such "
        "user,A@x.test,1443651125\r\n"
    "4.0.0,unable to get mx info,b@x.test,1443651125\r\n",
    "SendGrid invalid addresses": ("reason,email,created\r\nMail domain mentioned is "
        "unknown,A@x.test,1449953655\r\n"),
    "SendGrid spam reports": "ip,email,created\r\n192.0.2.1,A@x.test,1443651141\r\n",
    "SendGrid unsubscribes": "email,created\r\nA@x.test,1443651141\r\n",
    "Mailgun bounces": 'address,code,error,created_at\r\nA@x.test,550,"No such mailbox, '
        'sorry","Fri, 21 Oct 2011 '
        '11:02:55 UTC"\r\n'
    "b@x.test,452,full,\r\n",
    "Mailgun complaints": "address,created_at\r\nA@x.test,\"Fri, 21 Oct 2011 11:02:55 UTC\"\r\n",
    "Mailgun unsubscribes": ("address,tags,created_at\r\nA@x.test,*,\"Fri, 21 Oct 2011 11:02:55 "
        "UTC\"\r\n"),
    "Postal": ("type,address,reason,timestamp,keep_until\r\nrecipient,A@x.test,too many hard "
        "fails,1443651141,1446243141\r\n"),
    "Amazon SES": ("EmailAddress,Reason,LastUpdateTime\r\nA@x.test,BOUNCE,2020-04-08T21:14:05Z\r\n"
        "b@x.test,COMPLAINT,2020-04-09T21:14:05Z\r\n"),
    "Amazon SES, without a header": "A@x.test,BOUNCE\r\nb@x.test,COMPLAINT\r\n",
    "a list of addresses": "Email\r\nA@x.test\r\n",
    "a list of addresses, without a header": "A@x.test\r\nb@x.test\r\n",
}  # fmt: skip
KINDS = {
    "Postmark": ["imported unknown_user", "complaint complaint", "imported "],
    "SendGrid bounces or blocks": ["imported unknown_user", "imported other"],
    "SendGrid invalid addresses": ["imported unknown_user"],
    "SendGrid spam reports": ["complaint complaint"],
    "SendGrid unsubscribes": ["unsubscribe "],
    "Mailgun bounces": ["imported unknown_user", "imported other"],
    "Mailgun complaints": ["complaint complaint"],
    "Mailgun unsubscribes": ["unsubscribe "],
    "Postal": ["imported unknown_user"],
    "Amazon SES": ["imported unknown_user", "complaint complaint"],
    "Amazon SES, without a header": ["imported unknown_user", "complaint complaint"],
    "a list of addresses": ["imported "],
    "a list of addresses, without a header": ["imported ", "imported "],
}


def read(data):
    return File(io.BytesIO(data if isinstance(data, bytes) else data.encode()), now=NOW)


def entries(data):
    return list(read(data).entries())


def take(data, **given):
    return importing.take(
        io.BytesIO(data if isinstance(data, bytes) else data.encode()),
        **{"project": None, "by": "otto", "now": NOW} | given,
    )


# --- formats ---
@pytest.mark.parametrize("name", SAMPLES)
def test_a_format_is_recognised_and_its_words_understood(name):
    assert read(SAMPLES[name]).format.name == name
    found = entries(SAMPLES[name])
    assert [f"{each.source} {each.category}" for each in found] == KINDS[name]
    assert found[0].key == "a@x.test"
    assert all(each.is_hard == (each.category == "unknown_user") for each in found)


@pytest.mark.parametrize(
    "date", ["0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59-09:00", "1970-01-01T00:00:00Z"]
)
@pytest.mark.django_db
def test_a_date_that_stands_for_none_or_for_ever_can_be_read_back(date):
    take(f"address,reason,created\r\ntheirs@x.test,bounced,{date}\r\n")
    take(f"address,source,class,first_seen,until\r\nours@x.test,manual,,{date},{date}\r\n")
    found = {row.address_key: row for row in Suppression.objects.all()}
    assert set(found) == {"theirs@x.test", "ours@x.test"}
    assert all(row.first_seen_at == NOW and row.until is None for row in found.values())


def test_when_it_was_first_seen_is_kept():
    assert entries(SAMPLES["Mailgun bounces"])[0].first_seen_at == datetime(
        2011, 10, 21, 11, 2, 55, tzinfo=UTC
    )
    assert entries(SAMPLES["Mailgun bounces"])[1].first_seen_at == NOW


@pytest.mark.parametrize(
    "text",
    [
        "1443651125",
        "1443651125000",
        "2015-09-30T22:12:05Z",
        "2015-09-30 22:12:05",
        "Wed, 30 Sep 2015 22:12:05 +0000",
    ],
)
def test_a_moment_is_read_however_it_is_written(text):
    assert moment(text) == datetime(2015, 9, 30, 22, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "9" * 10_000, "0000-00-00", "2015-13-45T99:99"])
def test_what_is_no_moment_is_none(text):
    assert moment(text) is None


def test_a_time_to_come_is_now():
    assert entries("email,created\r\na@x.test,2099-01-01T00:00:00Z\r\n")[0].last_seen_at == NOW


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp932"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_charset_and_delimiter_are_found_out(encoding, delimiter):
    data = (
        delimiter.join(["address", "reason"])
        + "\r\n"
        + delimiter.join(["a@x.test", "宛先なし"])
        + "\r\n"
    )
    assert entries(data.encode(encoding))[0].reason == "Imported: 宛先なし"


@pytest.mark.parametrize("data", ["", "\r\n", "name,phone\r\nA,1\r\n", "%PDF-1.4\n\0\0", "\0" * 50])
def test_what_is_no_list_is_refused(data):
    with pytest.raises(ValueError, match="no column of addresses"):
        read(data)


def test_bad_lines_are_told_with_number_text_and_reason():
    good, bad, last = entries("email\r\na@x.test\r\nnobody here\r\nb@x.test\r\n")
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.text) == (3, "nobody here")
    assert bad.why
    assert (good.key, last.key) == ("a@x.test", "b@x.test")


def test_a_cell_of_a_megabyte_is_a_bad_line_and_the_rest_is_read():
    found = entries("email\r\n" + "x" * 1_000_000 + "\r\na@x.test\r\n")
    assert [type(each).__name__ for each in found] == ["BadLine", "ListedAddress"]


def test_nul_and_line_ends_within_a_cell_are_harmless():
    [entry] = entries('address,reason\r\na@x.test,"one\r\ntwo\0"\r\n')
    assert entry.reason == "Imported: one two\ufffd"


@given(st.binary(max_size=3000))
def test_anything_is_read_or_refused(data):
    for file in (b"email,reason\n" + data, data):
        with contextlib.suppress(ValueError):  # there is no column of addresses
            assert all(isinstance(each, (BadLine, ListedAddress)) for each in entries(file))


# --- taking in ---
def test_what_is_taken_in_is_in_the_list_with_where_it_came_from():
    project = make.project()
    done = take(SAMPLES["Postmark"], project=project.pk)
    assert (done.lines, done.added, done.updated, done.refused) == (3, 3, 0, 0)
    row = Suppression.objects.get(address_key="a@x.test")
    assert (row.project, row.created_by, row.evidence) == (
        project,
        "otto",
        {"kind": "import", "format": "Postmark"},
    )


def test_a_second_time_the_same_adds_nothing():
    take(SAMPLES["Postmark"])
    done = take(SAMPLES["Postmark"])
    assert (done.added, done.updated) == (0, 3)
    assert Suppression.objects.count() == 3


def test_an_address_twice_in_a_file_is_one():
    done = take("email\r\na@x.test\r\nA@X.test\r\n")
    assert (done.lines, done.added) == (2, 1)


def test_what_people_said_is_not_overruled_by_a_list():
    Suppression.objects.create(address_key="a@x.test", source="person", reason="asked")
    take(SAMPLES["Amazon SES"])
    assert Suppression.objects.get(address_key="a@x.test").reason == "asked"


@given(st.text(max_size=20))
def test_any_cell_comes_back_as_it_was(text):
    assert plain(safe(text)) == text


def test_an_export_taken_in_again_is_the_same_list():
    project = make.project()
    known = {
        "project": project,
        "category": "unknown_user",
        "is_hard": True,
        "count": 7,
        "last_seen_at": NOW,
        "first_seen_at": NOW,
    }
    Suppression.objects.create(
        address_key="a@x.test", source="automatic", reason="=cmd|' /C calc'!A0", **known
    )
    Suppression.objects.create(
        address_key="@whole.test",
        source="person",
        reason='宛先なし, "quoted"',
        until=datetime(2099, 1, 1, tzinfo=UTC),
        **known,
    )
    Suppression.objects.create(
        address_key="a@x.test",
        sender_domain="news.test",
        source="unsubscribe",
        reason="left",
        **known,
    )
    names = (
        "address_key",
        "sender_domain",
        "source",
        "category",
        "is_hard",
        "reason",
        "count",
        "first_seen_at",
        "last_seen_at",
        "until",
    )
    before = sorted(Suppression.objects.values_list(*names))
    written = "".join(exporting.rows(Suppression.objects.all()))
    assert all(
        not cell.startswith(("=", "+", "-", "@"))
        for row in csv.reader(io.StringIO(written))
        for cell in row
    )
    Suppression.objects.all().delete()
    take(written, project=project.pk, now=timezone.now())
    assert sorted(Suppression.objects.values_list(*names)) == before
