"""The table of replies is sane, and what clients say cannot break out of one."""

import re

import pytest

from smtp_listener.protocol import replies
from smtp_listener.protocol.replies import ServerReply

EVERY = {name: reply for name, reply in vars(replies).items() if isinstance(reply, ServerReply)}


@pytest.mark.parametrize("reply", EVERY.values(), ids=EVERY)
def test_a_reply_is_one_line_whose_codes_agree(reply):
    assert re.fullmatch(rb"[2345][0-57][0-9] [ -~]+\r\n", bytes(reply))
    if reply.enhanced:
        assert re.fullmatch(rf"{str(reply.code)[0]}\.[0-7]\.[0-9]{{1,2}}", reply.enhanced)
    else:
        assert reply.code == 354  # RFC 2034 has no enhanced code for the 3yz class


@pytest.mark.parametrize("reply", EVERY.values(), ids=EVERY)
def test_a_421_and_only_what_leaves_no_way_on_closes(reply):
    closing = {
        replies.BYE,
        replies.EARLY_TALKER,
        replies.PIPELINED,
        replies.TLS_INJECTED,
        replies.TOO_LARGE_BY_FAR,
        replies.BAD_CHUNK,
    }
    assert reply.closes == (reply.code == 421 or reply in closing)


@pytest.mark.parametrize("reason", ["a\r\n250 OK", "a\0b", "\x1b[2J", "あ", "{code}", "x" * 2000])
def test_no_value_can_break_out_of_a_reply(reason):
    assert re.fullmatch(rb"550 5\.1\.1 [ -~]{1,300}\r\n", bytes(replies.SUPPRESSED(reason=reason)))


def test_no_reply_is_permanent_for_a_fault_of_ours():
    ours = [
        replies.OUR_FAULT,
        replies.OUR_LAST_FAULT,
        replies.STORAGE_FULL,
        replies.AUTH_UNAVAILABLE,
        replies.SHUTTING_DOWN,
    ]
    assert all(400 <= reply.code < 500 for reply in ours)
