"""`./ekiden classify`: no test here has a database."""

import json
import re
from io import BytesIO, TextIOWrapper

import pytest

from domains.foundation.command import CommandError
from tests.commands import ekiden, ekiden_json
from tests.deliveries.bounces.sampled import SAMPLES


def test_each_file_is_one_line_of_json():
    names = [str(SAMPLES / name) for name in ("two-fates.eml", "letter.eml")]
    first, second = map(json.loads, ekiden("classify", *names, "--json").splitlines())
    assert second == {"file": names[1], "kind": "none", "recipients": []}
    assert (first["file"], first["kind"]) == (names[0], "bounce")
    assert first["recipients"][0] == {
        "recipient": "hanako@example.test", "class": "mailbox_full", "hard": False, "code": 552,
        "enhanced": "5.2.2",
        "rule": "mailbox_full/full",
    }  # fmt: skip


def test_who_answers_by_a_program_is_no_recipient_of_a_report(tmp_path):
    letter = (
        b"From: hanako@example.test\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nAway"
    )
    (tmp_path / "away.eml").write_bytes(letter)
    said = ekiden_json("classify", str(tmp_path / "away.eml"))
    assert (said["kind"], said["recipients"]) == ("auto_reply", [])
    assert [each["recipient"] for each in said["answered"]] == ["hanako@example.test"]


def test_an_mbox_has_the_recipients_of_all_its_mails(tmp_path):
    line = b"From MAILER-DAEMON Wed Nov 25 00:00:00 2026\n"
    mails = [(SAMPLES / name).read_bytes() for name in ("letter.eml", "qmail.eml", "exim.eml")]
    (tmp_path / "mbox").write_bytes(b"\n".join(line + mail for mail in mails))
    said = ekiden_json("classify", str(tmp_path / "mbox"))
    assert said["kind"] == "bounce" and len(said["recipients"]) == 3


def typed(monkeypatch, data):
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(data)))


def test_a_hyphen_is_standard_input(monkeypatch):
    typed(monkeypatch, (SAMPLES / "qmail.eml").read_bytes())
    said = ekiden_json("classify", "-")
    assert (said["file"], said["kind"]) == ("-", "bounce")
    assert "hanako@example.test" in [each["recipient"] for each in said["recipients"]]


@pytest.mark.parametrize("nothing", [b"", b"\n"])
def test_empty_standard_input_is_told(monkeypatch, nothing):
    typed(monkeypatch, nothing)
    with pytest.raises(CommandError, match="Standard input is empty"):
        ekiden("classify", "-")


def test_a_reply_is_explained_with_what_to_do():
    said = ekiden(
        "classify",
        "--reply",
        "550 Unknown user hanako@docomo.ne.jp",
        "--stage",
        "rcpt",
        "--host",
        "mfsmax.docomo.ne.jp",
    )
    assert re.search(
        r"class +unknown_user, hard.*means +The receiving system.*do +Check.*rule "
        r"+unknown_user/docomo",
        said,
        re.DOTALL,
    )


def test_a_reply_is_one_object_of_json():
    said = ekiden_json("classify", "--reply", "452 4.2.2 Mailbox full")
    assert said == {
        "class": "mailbox_full",
        "hard": False,
        "fault": "recipient",
        "detail": "",
        "rule": "mailbox_full/full",
    }


def test_a_report_is_told_to_people_without_what_moves_their_terminal(tmp_path):
    (tmp_path / "x").write_bytes(
        (SAMPLES / "qmail.eml").read_bytes().replace(b"No such user", b"\x1b[31mNo such user")
    )
    said = ekiden("classify", str(tmp_path / "x"))
    assert "hanako@example.test" in said and "\x1b" not in said


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "either files or --reply"),
        (["--reply", "550 no", "file"], "either files or --reply"),
        (["/no/such/file"], "cannot be read: No such file"),
        (["--reply", "550 no", "--stage", "lunch"], "invalid choice"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(words, complaint):
    with pytest.raises(CommandError, match=complaint):
        ekiden("classify", *words)
