"""Files that are taken in: by a command, by a job, as a round trip."""

import io

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from domains.models import AuditEntry
from suppressions.exchange import importing, staging
from suppressions.exchange.cells import plain, safe
from suppressions.exchange.formats import recognise
from suppressions.models import Import, Suppression
from tests.commands import ekiden
from tests.suppressions.test_exchange import SAMPLES, take

pytestmark = pytest.mark.django_db


def test_batches_tell_how_far_they_are(monkeypatch):
    monkeypatch.setattr(staging, "BATCH", 10)
    heard = []
    take(
        "email\n" + "".join(f"a{number}@x.test\n" for number in range(25)),
        say=lambda progress: heard.append((progress.lines, progress.added)),
    )
    assert heard == [(10, 10), (20, 20), (25, 25)]


def test_what_people_wrote_cannot_break_the_copy():
    take('address,reason\na@x.test,"tab\there \\N \\. back\\slash"\n')
    assert Suppression.objects.get().reason == "Imported: tab here \\N \\. back\\slash"


def test_a_preview_changes_nothing_and_tells_what_would_be():
    take("email\na@x.test\n")
    found = importing.preview(
        io.BytesIO(b"email\na@x.test\nb@x.test\nnobody\n"), project=None, now=timezone.now()
    )
    assert (
        found.progress.added,
        found.progress.updated,
        found.progress.refused,
        found.is_whole,
    ) == (1, 1, 1, True)
    assert [each.key for each in found.examples] == ["a@x.test", "b@x.test"]
    assert Suppression.objects.count() == 1


# --- out, and in again ---
@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "'=1",
        "''=1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
    ],
)
def test_a_cell_is_no_formula_and_comes_back_as_it_was(text):
    assert safe(text)[0] == "'"
    assert plain(safe(text)) == text


# --- the command and the job ---
def test_the_command_previews_takes_in_and_writes_out(tmp_path):
    file = tmp_path / "list.csv"
    file.write_text(SAMPLES["Postmark"])
    assert "This is: Postmark. 3 new, 0 known, 0 refused." in ekiden(
        "suppression", "import", str(file), "--preview"
    )
    assert not Suppression.objects.exists()
    assert "3 lines: 3 new" in ekiden("suppression", "import", str(file))
    assert AuditEntry.objects.get().action == "import"
    assert Import.objects.get().state == "done"
    written = ekiden("suppression", "export")
    assert written.count("\r\n") == 4
    assert "a@x.test" in written


@pytest.mark.parametrize("content", [None, "name\nx\n"])
def test_the_command_says_what_is_wrong_with_a_file(tmp_path, content):
    file = tmp_path / "list.csv"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CommandError, match=r"list\.csv"):
        ekiden("suppression", "import", str(file))


def waiting(data=SAMPLES["Postmark"], **given):
    row = Import(name="list.csv", created_by="otto", **given)
    importing.keep(row, io.BytesIO(data.encode()))
    row.save()
    return row


def test_the_job_takes_a_waiting_file_in_once():
    row = waiting()
    importing.run(row.pk)
    importing.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.lines, row.added, row.format, bytes(row.data)) == (
        "done",
        3,
        3,
        "Postmark",
        b"",
    )
    assert Suppression.objects.get(address_key="a@x.test").count == 1


def test_a_job_that_fails_says_so():
    row = waiting("name\nx\n")
    importing.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.errors[0]["line"]) == ("failed", 0)


@pytest.mark.parametrize("place", range(7))
def test_of_a_poisoned_entry_the_import_takes_all_but_that(place, poison):
    keys = [f"{number}@x.test" for number in range(7)]
    Suppression.objects.create(
        address_key=keys[place], source="automatic", category="other", reason="before"
    )
    poison(Suppression.objects.get())
    row = waiting(
        "EmailAddress,SuppressionReason,Origin,CreatedAt\r\n"
        + "".join(f"{key},HardBounce,Recipient,\r\n" for key in keys)
    )
    importing.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.lines, row.added, row.updated, row.refused) == ("done", 7, 6, 0, 1)
    assert (row.errors[0]["text"], row.errors[0]["why"]) == (
        keys[place],
        "The database refuses it.",
    )
    assert Suppression.objects.get(address_key=keys[place]).reason == "before"


class Watched(io.BytesIO):
    """A file that notes, with each piece that is read of it, until when the import is leased."""

    def __init__(self, data):
        super().__init__(data)
        self.leases = set()

    def read1(self, size=-1):
        self.leases.add(Import.objects.get().leased_until)
        return super().read1(size)


def test_who_goes_on_with_a_large_file_keeps_the_lease_while_its_lines_are_skipped(monkeypatch):
    """Else another took it over before the place was found where to go on, and a third."""
    monkeypatch.setattr(staging, "BATCH", 100)
    row, lease = importing.begin(name="list.csv", project=None, by="otto")
    row.lines = 4990
    lines = "".join(f"address{number}@mx.test\n" for number in range(5000))
    file = Watched(f"email\n{lines}".encode())
    assert importing.take_for(row, file, lease=lease).lines == 5000
    assert len(file.leases) > 5
    assert Suppression.objects.count() == 10


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(importing, "LARGEST", 10)
    with pytest.raises(ValueError, match="larger"):
        waiting()


def test_a_first_row_of_many_columns_is_recognised():
    assert recognise(["x"] * 5000 + ["email"])[0].name == "a list of addresses"
