"""Files as other services and spreadsheets write them: the dead are taken, the living are not."""

import pytest
from django.db import connection

from suppressions.exchange import importing, staging
from suppressions.exchange.known_formats import FORMATS, PLAIN, WORDS
from suppressions.exchange.reading import BadLine
from suppressions.models import Import, Suppression
from tests.commands import ekiden
from tests.suppressions.test_exchange import entries, read
from tests.suppressions.test_import_jobs import waiting

pytestmark = pytest.mark.django_db

SAID = {
    "Mandrill": ("email,reason,detail,created_at,expired", "hard-bounce,no,2026-01-02,",
        "soft-bounce,full,,no", "spam,,,no", "unsub,,,no"),
    "SparkPost": ("recipient,type,source,description,created", "transactional,Bounce Rule,gone,",
        None, "transactional,Spam Complaint,,",
                  "transactional,List Unsubscribe,,"),
    "Mailjet": ("Email,Status,Date", "hardbounced,2026-01-02", "softbounced,", "spam,", "unsub,"),
    "Brevo": ("EMAIL;Blocked reason;Date", "Hard bounced;02-01-2026", "Soft bounced;",
        "Flagged as spam;", "Unsubscribed via email;"),
    "Mailchimp, cleaned": ("Email Address,First Name,OPTIN_TIME,CLEAN_TIME",
        "Anna,2026-01-02,2026-01-03", None, None, None),
    "Mailchimp, unsubscribed": ("Email Address,First Name,OPTIN_TIME,UNSUB_TIME", None, None, None,
        "Anna,2026-01-02,2026-01-03"),
    "a list with states": ("メールアドレス,状態", "hard bounce", "soft bounce", "complaint",
        "opt-out"),
    "a list with reasons": ("メールアドレス,理由", "bounced", "softbounce", "abuse",
        "unsubscribed"),
}  # fmt: skip
KINDS = [
    ("imported", "unknown_user", True),
    ("imported", "other", False),
    ("complaint", "complaint", False),
    ("unsubscribe", "", False),
]


@pytest.mark.parametrize("name", SAID)
def test_the_words_of_ten_services_are_known(name):
    header, *lines = SAID[name]
    for number, (line, kind) in enumerate(zip(lines, KINDS, strict=True)):
        if line is not None:
            found = read(f"{header}\r\na{number}@x.test{';' if ';' in header else ','}{line}\r\n")
            [entry] = found.entries()
            assert (found.format.name, (entry.source, entry.category, entry.is_hard)) == (
                name,
                kind,
            )


LIVING = {
    "Mailchimp": (
        "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME\r\n"
        "a@x.test,Anna,A,2,2026-01-02 03:04:05\r\n"
    ),
    "SendGrid contacts": (
        "EMAIL,FIRST_NAME,CREATED_AT,CREATED\r\na@x.test,Anna,2026-01-02,2026-01-02\r\n"
    ),
    "Mailgun members": "address,name,subscribed,vars\r\na@x.test,Anna,yes,{}\r\n",
    "an address book": "氏名,メールアドレス,電話番号\r\n安奈,a@x.test,03\r\n",
    "customers of a shop": "メールアドレス,姓,名,生年月日\r\na@x.test,山,安奈,1990/1/2\r\n",
    "an address book of Outlook": "姓,名,電子メール アドレス\r\n山,安奈,a@x.test\r\n",
}


@pytest.mark.parametrize("name", LIVING)
def test_a_list_of_living_people_is_refused_as_such(name):
    with pytest.raises(ValueError, match="a list of people who get mail"):
        entries(LIVING[name])


def test_of_subscribers_in_all_states_only_the_blocked_are_taken():
    lines = [
        "uuid,email,name,attributes,status,updated_at",
        "1,a@x.test,Anna,{},enabled,",
        "2,b@x.test,Bert,{},blocklisted,",
        "3,c@x.test,,{},?,",
    ]
    living, blocked, unclear = entries("\r\n".join(lines) + "\r\n")
    assert isinstance(living, BadLine) and "this person gets mail" in living.why
    assert (blocked.key, blocked.source, blocked.is_hard) == ("b@x.test", "imported", False)
    assert isinstance(unclear, BadLine) and "does not say why" in unclear.why


@pytest.mark.parametrize("mark", ["sep=;\r\n", "SEP=;\n", '"sep=;"\r\n', "\ufeffsep=;\r\n"])
def test_the_line_by_which_excel_names_the_delimiter_is_no_header(mark):
    [entry] = entries(f"{mark}email;reason\r\na@x.test;bounce, hard\r\n")
    assert (entry.key, entry.reason) == ("a@x.test", "Imported: bounce, hard")


@pytest.mark.parametrize(
    "cell",
    [
        "Anna <a@x.test>",
        "<a@x.test>",
        "mailto:a@x.test",
        '"Anna, A. <a@x.test>"',
        "Anna <mailto:a@x.test> ",
    ],
)
def test_a_name_or_a_link_around_the_address_is_read(cell):
    assert [entry.key for entry in entries(f"email\r\n{cell}\r\n")] == ["a@x.test"]


# --- as a job ---
@pytest.mark.parametrize("by", ["job", "command"])
def test_a_long_list_of_addresses_without_a_header_is_taken_to_its_end(by, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "BATCH", 10)
    data = "".join(f"{number}@x.test\r\n" for number in range(25))
    if by == "job":
        importing.run(waiting(data).pk)
    else:
        (tmp_path / "list.csv").write_text(data)
        ekiden("suppression", "import", str(tmp_path / "list.csv"))
    row = Import.objects.get()
    assert (row.state, row.lines, row.format) == ("done", 25, PLAIN.name)
    assert Suppression.objects.count() == 25


def test_every_name_of_a_format_fits_its_column():
    [kind] = [field for field in Import._meta.fields if field.name == "format"]
    assert kind.max_length is None and FORMATS


def test_a_fault_of_ours_leaves_its_reason_and_a_way_to_go_on(monkeypatch):
    """As a column that is too short would: after the first batch."""
    monkeypatch.setattr(staging, "BATCH", 10)
    row = waiting("email\r\n" + "".join(f"{number}@x.test\r\n" for number in range(25)))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "ALTER TABLE suppressions_import ADD CONSTRAINT too_short CHECK (lines <= 10)"
        )
    importing.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.lines, Suppression.objects.count()) == ("failed", 10, 10)
    assert (
        row.errors[-1]["why"].startswith("A fault of the service after 10 lines: ")
        and "too_short" in row.errors[-1]["why"]
    )
    assert not importing.resume(Import(pk=0)) and bytes(row.data)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE suppressions_import DROP CONSTRAINT too_short")
    assert importing.resume(row)
    importing.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.lines, row.added, Suppression.objects.count(), bytes(row.data)) == (
        "done",
        25,
        25,
        25,
        b"",
    )


def test_all_words_are_written_as_they_are_looked_up():
    assert all(name.isascii() and name.isalnum() and name == name.lower() for name in WORDS)
