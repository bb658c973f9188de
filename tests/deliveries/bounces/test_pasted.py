"""What a person pastes of a report is read as the report it was."""

import pytest

from deliveries.bounces.mime import mails
from deliveries.bounces.parser import read
from deliveries.bounces.pasted import reports_in
from tests.deliveries.bounces.sampled import SAMPLES

BLOCK = (
    "Final-Recipient: rfc822; hanako@docomo.test\nAction: failed\nStatus: 5.1.1\n"
    "Diagnostic-Code: smtp; 550 5.1.1 User unknown"
)
OTHER = BLOCK.replace("hanako", "taro").replace("5.1.1", "5.2.2").replace("User unknown", "full")


def recipients(text):
    for data in reports_in(text):
        found = [(each.recipient, each.enhanced) for report in map(read, mails(data)) for each in
                 report.fates]  # fmt: skip
        if found:
            return found
    return []


@pytest.mark.parametrize(
    "text",
    [
        BLOCK,
        BLOCK.replace("\n", " "),
        f"Your message could not be delivered.\n\n{BLOCK}\n\nRegards",
        f"Reporting-MTA: dns; mx.test\n\n{BLOCK}",
        f"Original-Recipient: rfc822; hanako@docomo.test\n{BLOCK.replace('hanako', 'x')}",
    ],
)
def test_the_lines_of_a_report_are_read_however_they_were_pasted(text):
    assert recipients(text) == [("hanako@docomo.test", "5.1.1")]


def test_each_recipient_has_its_own_answer():
    assert recipients(f"{BLOCK}\n{OTHER}") == [
        ("hanako@docomo.test", "5.1.1"),
        ("taro@docomo.test", "5.2.2"),
    ]


def test_a_whole_message_is_read_as_it_is():
    whole = (SAMPLES / "two-fates.eml").read_bytes()
    assert recipients(whole.decode()) == [
        (each.recipient, each.enhanced) for report in map(read, mails(whole))
        for each in report.fates
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "550 5.1.1 User unknown", "Action: failed", "\0" * 100])
def test_what_names_nobody_is_no_report(text):
    assert not list(reports_in(text))
