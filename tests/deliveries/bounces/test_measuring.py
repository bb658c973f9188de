"""The tool that says how well a corpus is understood."""

import pytest

from deliveries.bounces.corpus import load
from deliveries.bounces.measuring import ablated, listen, measure, total
from domains.foundation.command import CommandError
from tests.commands import ekiden

HEADER = "From: MAILER-DAEMON@mx.test\nSubject: Undelivered mail\n\n"


def corpus(folder, reports):
    """Return a corpus of these reports: name, text, class, whether hard."""
    (folder / "bounces").mkdir()
    rows = ["file\tindex\tclass\thard\tcode\tenhanced\tsource_reason"]
    for name, text, class_, hard in reports:
        (folder / "bounces" / name).write_text(HEADER + text, encoding="utf-8")
        rows.append(f"{name}\t1\t{class_}\t{hard}\t\t\t")
    (folder / "expected.tsv").write_text("\n".join(rows), encoding="utf-8")
    return load(folder)


ALPHA = (
    "lhost-alpha-01.eml",
    "<a@b.test>: 550 Envelope blocked - User Entry\n",
    "sender_refused",
    "false",
)
BOTH = (
    ("lhost-alpha-02.eml", "<a@b.test>: 552 5.2.2 Mailbox full\n", "mailbox_full", "false"),
    ("rhost-beta-01.eml", "<a@b.test>: 552 5.2.2 Mailbox full\n", "mailbox_full", "false"),
)


def test_what_is_right_is_counted(tmp_path):
    wrong = ("lhost-gamma-01.eml", "<a@b.test>: 552 5.2.2 Mailbox full\n", "unknown_user", "true")
    score = total(measure(corpus(tmp_path, [ALPHA, *BOTH, wrong])))
    assert score.figures == (1.0, 0.75, None, 0.0, None)
    assert score.wrong == [
        (
            "lhost-gamma-01.eml: wanted unknown_user (hard), got bounce: mailbox_full by "
            "mailbox_full/full"
        )
    ]


def test_what_only_one_system_says_is_off_for_it(tmp_path):
    samples = corpus(tmp_path, [ALPHA, *BOTH])
    full, fresh = measure(samples), ablated(samples)
    assert (full["alpha"].figures[1], fresh["alpha"].figures[1]) == (1.0, 0.5)
    assert fresh["beta"].figures[1] == 1.0


def test_where_a_phrase_was_heard_is_known(tmp_path):
    heard = listen(corpus(tmp_path, [ALPHA, *BOTH]))
    assert {name: systems for (name, _), systems in heard.items()} == {
        "sender_refused/mimecast-envelope": {"alpha"}, "mailbox_full/full": {"alpha", "beta"},
    }  # fmt: skip


def test_hardness_counts_in_the_order_of_the_rows(tmp_path):
    dead = ("lhost-alpha-01.eml", "<a@b.test>: 550 5.1.1 User unknown\n", "unknown_user", "true")
    alive = (
        "lhost-alpha-02.eml",
        "<a@b.test>: 550 5.1.1 User unknown\n",
        "recipient_refused",
        "false",
    )
    assert total(measure(corpus(tmp_path, [dead, alive]))).figures[2:4] == (0.5, 1.0)


def test_addresses_that_failed_are_compared_as_a_set(tmp_path):
    corpus(tmp_path, [])
    (tmp_path / "recipients").mkdir()
    (tmp_path / "recipients" / "alpha_01.txt").write_text(
        f"{HEADER}<a@b.test>: gone\n\n<c@b.test>: gone\n", encoding="utf-8"
    )
    (tmp_path / "recipients.tsv").write_text(
        "file\tkind\taddresses\nalpha_01.txt\tpermanent\tC@b.test,a@b.test\n", encoding="utf-8"
    )
    assert total(measure(load(tmp_path))).figures[4] == 1.0


def test_the_parts_of_a_corpus_are_the_whole(tmp_path):
    samples = corpus(tmp_path, [ALPHA, *BOTH])
    parts = [
        {sample.path.name for sample in samples if sample.is_in(number, 2)} for number in (1, 2)
    ]
    assert (
        parts[0] | parts[1] == {sample.path.name for sample in samples} and not parts[0] & parts[1]
    )


def test_the_command_prints_a_row_for_each_system_and_for_all(tmp_path):
    corpus(tmp_path, [ALPHA, *BOTH])
    lines = ekiden("classify", "--measure", str(tmp_path), "--show", "1").splitlines()
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["alpha", "2"],
        ["beta", "1"],
        ["all", "3"],
    ]
    assert lines[5].startswith("without: lhost-alpha-01.eml: wanted sender_refused")


@pytest.mark.parametrize("part", ["0/2", "3/2", "half"])
def test_a_part_that_is_none_is_refused(part, tmp_path):
    corpus(tmp_path, [])
    with pytest.raises(CommandError, match="number of a part"):
        ekiden("classify", "--measure", str(tmp_path), "--part", part)


def test_a_folder_that_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(CommandError, match=r"expected\.tsv cannot be read"):
        ekiden("classify", "--measure", str(tmp_path))
