"""Reports as production systems write them every day, and what must not be taken for the reason in
them.
"""

import pytest

from deliveries.bounces.parser import read
from tests.deliveries.bounces.test_unseen_shapes import mail

DAY = "hanako@example.test on 11/2/2026 9:00 AM"
EXCHANGE = "Your message did not reach some or all of the intended recipients.\n\n"
REPORTS = {
    "a time that is over, below what could not be reached": (
        f"{EXCHANGE}The following recipient(s) could not be reached:\n\n      '{DAY}\n"
        "            The maximum time for delivering the message expired\n"
        "            MSEXCH:MSExchangeMTA:Site:Server\n",
        ("network", False),
    ),
    "Exchange's advice, above what was answered": (
        "Delivery has failed to these recipients or groups:\n\nhanako@example.test\nYour message "
        "wasn't delivered due to a permission or security issue. It might have been rejected by a "
        "moderator, the address might only accept email from certain senders, or another "
        "restriction might be preventing delivery.\n\nDiagnostic information for administrators:"
        "\n\nGenerating server: app.test\n\nhanako@example.test\nmx.example.test "
        "#<mx.example.test #5.7.1 smtp;530 5.7.1 Client was not authenticated> #SMTP#\n",
        ("policy", False),
    ),
    "Cisco's heading, above what was answered": (
        "The following message to <hanako@example.test> was undeliverable.\nThe reason for the "
        "problem:\n5.1.0 - Unknown address error 550-'5.7.1 <taro@example.com>... Not now'\n",
        ("policy", False),
    ),
    "GroupWise's directory": (
        "\nThe message that you sent was undeliverable to the following:\n\thanako (user not "
        "found)\n\nPossibly truncated original message follows:\n\nReceived: from app.test\nTo: "
        "hanako@example.test\nSubject: Order\n",
        ("unknown_user", True),
    ),
    "qmail's own mailboxes": (
        "Hi. This is the qmail-send program at mx.example.test.\nI'm afraid I wasn't able to "
        "deliver your message to the following addresses.\nThis is a permanent error; I've given "
        "up. Sorry it didn't work out.\n\n<hanako@example.test>:\nSorry, no mailbox here by that "
        "name.\n",
        ("unknown_user", True),
    ),
    "Postfix's own table": (
        "This is the mail system at host mx.example.test.\n\nI'm sorry to have to inform you that "
        "your message could not\nbe delivered to one or more recipients. It's attached below.\n\n"
        "<hanako@example.test>: User unknown in virtual alias table\n",
        ("unknown_user", True),
    ),
    "two languages about a connection": (
        "抱歉，您的邮件被退回来了……\n收件人：hanako@example.test\n退信原因：\n您可能写了外星人的邮件地址；"
        "或者是网络不给力，我们无法与收信方联络上。\n",
        ("network", False),
    ),
    "a group of another language": (
        "Dumela hanako@example.test,\n\nhttps://support.google.com/a/example.test/bin/topic.py"
        "?topic=25838\n",
        ("sender_refused", False),
    ),
}


@pytest.mark.parametrize(("text", "wanted"), REPORTS.values(), ids=REPORTS)
def test_a_report_of_every_day_is_read(text, wanted):
    found = [(fate.classified.class_, fate.classified.is_hard) for fate in read(mail(text)).fates]
    assert found == [wanted]
