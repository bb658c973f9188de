import pytest

from deliveries.message.priorities import Priority
from deliveries.smtp.dialogue import Capabilities, ClientSession
from deliveries.smtp.mail import Mail
from deliveries.smtp.outcomes import Bounced, Deferred, Delivered, FailureScope, InDoubt, Stage
from deliveries.smtp.peer import Peer
from deliveries.smtp.transaction import ONE_TRIP, dot_stuffed, transact
from tests.deliveries.smtp.play import LOST, play, reply

CONTENT = b"Subject: x\r\n\r\nbody\r\n"
MAIL_LINE, RCPT_LINE = b"MAIL FROM:<a@a.test>\r\n", b"RCPT TO:<b@b.test>\r\n"
DATA, DOT, RSET = b"DATA\r\n", CONTENT + b".\r\n", b"RSET\r\n"
BDAT = b"BDAT %d LAST\r\n" % len(CONTENT) + CONTENT
OK, GO, NO, LATER = "250 2.0.0 ok", "354 go", "550 5.1.1 no", "451 4.3.0 later"


def mail(content=CONTENT, **kind):
    return Mail("a@a.test", "b@b.test", content, **kind)


def session(**offers):
    return ClientSession(Capabilities(**offers))


def pipelining():
    return session(pipelining=True)


def chunking():
    """Return a peer that has taken chunks before."""
    return ClientSession(
        Capabilities(pipelining=True, chunking=True), Peer({"CHUNKING", "PIPELINING"})
    )


def run(peer, *answers, it=None, **how):
    return play(transact(peer, it or mail(), **how), *answers)


def delivered(text=OK):
    return Delivered(reply(text))


# --- what is said ---
def test_a_plain_peer_hears_one_command_at_a_time():
    outcome, said = run(session(), OK, OK, GO, OK)
    assert outcome == delivered() and said == [MAIL_LINE, RCPT_LINE, DATA, DOT]


def test_a_pipelining_peer_hears_the_envelope_and_data_at_once():
    outcome, said = run(pipelining(), OK, OK, GO, OK)
    assert outcome == delivered() and said == [MAIL_LINE + RCPT_LINE + DATA, DOT]


def test_a_chunking_peer_hears_all_in_one_round_trip():
    outcome, said = run(chunking(), OK, OK, OK)
    assert outcome == delivered() and said == [MAIL_LINE + RCPT_LINE + BDAT]


def test_a_chunking_peer_that_may_have_gone_hears_the_envelope_first():
    outcome, said = run(chunking(), OK, OK, OK, is_fresh=False)
    assert outcome == delivered() and said == [MAIL_LINE + RCPT_LINE, BDAT]


def test_large_content_waits_for_the_envelope():
    large = b"x" * 76 + b"\r\n"
    _, said = run(chunking(), OK, OK, OK, it=mail(large * (ONE_TRIP // 78 + 1)))
    assert said[0] == MAIL_LINE + RCPT_LINE


def test_chunking_without_pipelining_goes_step_by_step():
    _, said = run(ClientSession(Capabilities(chunking=True), Peer({"CHUNKING"})), OK, OK, OK)
    assert said == [MAIL_LINE, RCPT_LINE, BDAT]


def test_parameters_are_given_where_they_are_offered():
    peer = session(size=0, eightbitmime=True, smtputf8=True)
    it = Mail("", "é@b.test", CONTENT, smtputf8=True, eight_bit=True)
    _, said = run(peer, OK, OK, GO, OK, it=it)
    assert said[0] == b"MAIL FROM:<> SIZE=%d BODY=8BITMIME SMTPUTF8\r\n" % len(CONTENT)
    assert said[1] == "RCPT TO:<é@b.test>\r\n".encode()


@pytest.mark.parametrize(
    ("priority", "said"),
    [("BULK", b" MT-PRIORITY=-4"), ("NORMAL", b""), ("URGENT", b" MT-PRIORITY=4")],
)
def test_the_next_host_is_told_the_priority_where_it_cares(priority, said):
    it = mail(priority=Priority[priority])
    assert (
        run(session(mt_priority=True), OK, OK, GO, OK, it=it)[1][0]
        == b"MAIL FROM:<a@a.test>%b\r\n" % said
    )
    assert run(session(), OK, OK, GO, OK, it=it)[1][0] == MAIL_LINE


# --- what cannot go ---
@pytest.mark.parametrize(
    ("offers", "it", "code"),
    [
        ({"size": len(CONTENT) - 1}, mail(), "5.3.4"),
        ({"smtputf8": True}, mail(eight_bit=True), "5.6.3"),
        ({"eightbitmime": True}, mail(smtputf8=True), "5.6.7"),
    ],
)
def test_what_the_peer_cannot_take_is_bounced_unsaid(offers, it, code):
    outcome, said = run(session(**offers), it=it)
    assert isinstance(outcome, Bounced) and outcome.reply.local and outcome.reply.enhanced == code
    assert outcome.scope is FailureScope.MESSAGE and said == []


def test_a_message_of_just_the_limit_goes():
    outcome, _ = run(session(size=len(CONTENT)), OK, OK, GO, OK)
    assert outcome == delivered()


# --- dots ---
@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (b"a\r\n", b"a\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"\r\n", b"\r\n.\r\n"),
        (b"..a\r\n.\r\n.\r\nb.\r\n", b"...a\r\n..\r\n..\r\nb.\r\n.\r\n"),
        (b".a\r\n.b\r\n", b"..a\r\n..b\r\n.\r\n"),
    ],
)
def test_every_dot_that_opens_a_line_is_doubled(content, sent):
    assert dot_stuffed(content) == sent


def test_a_chunk_is_sent_as_it_is():
    _, said = run(chunking(), OK, OK, OK, it=mail(b".\r\n"))
    assert said[0].endswith(b"BDAT 3 LAST\r\n.\r\n")


# --- refusals ---
def test_a_refused_recipient_of_a_pipelining_peer_is_bounced_when_data_is_refused_too():
    peer = pipelining()
    outcome, said = run(peer, OK, NO, "503 no recipients")
    assert outcome == Bounced(reply(NO), Stage.RCPT, FailureScope.RECIPIENT)
    assert len(said) == 1 and peer.reset_due and peer.in_step


@pytest.mark.parametrize("end", [OK, "554 no valid recipients"])
def test_data_that_goes_ahead_without_a_recipient_is_ended_by_a_lone_dot(end):
    peer = pipelining()
    outcome, said = run(peer, OK, NO, GO, end)
    assert outcome == Bounced(reply(NO), Stage.RCPT, FailureScope.RECIPIENT)
    assert said[1:] == [b".\r\n"] and peer.in_step


def test_a_refused_sender_is_the_outcome_whatever_rcpt_says():
    outcome, _ = run(pipelining(), LATER, "503 mail first", "503 mail first")
    assert outcome == Deferred(reply(LATER), Stage.MAIL, FailureScope.MESSAGE)


def test_a_refused_recipient_of_a_plain_peer_hears_no_more():
    peer = session()
    outcome, said = run(peer, OK, LATER)
    assert outcome == Deferred(reply(LATER), Stage.RCPT, FailureScope.RECIPIENT)
    assert said == [MAIL_LINE, RCPT_LINE] and peer.reset_due


def test_a_refused_recipient_in_one_trip_has_its_chunk_refused_too():
    peer = chunking()
    outcome, _ = run(peer, OK, NO, "503 no recipients")
    assert outcome == Bounced(reply(NO), Stage.RCPT, FailureScope.RECIPIENT) and peer.reset_due


@pytest.mark.parametrize("peer", [session(), pipelining()])
def test_refused_data_is_about_the_message(peer):
    outcome, _ = run(peer, OK, OK, "554 5.7.1 no")
    assert (
        outcome == Bounced(reply("554 5.7.1 no"), Stage.DATA, FailureScope.MESSAGE)
        and peer.reset_due
    )


@pytest.mark.parametrize(("peer", "go"), [(pipelining(), [GO]), (chunking(), [])])
def test_refused_content_is_about_the_message(peer, go):
    outcome, _ = run(peer, OK, OK, *go, "554 5.6.0 spam")
    assert outcome == Bounced(reply("554 5.6.0 spam"), Stage.BODY, FailureScope.MESSAGE)


def test_after_a_refusal_rset_rides_with_the_next_mail():
    peer = pipelining()
    run(peer, OK, NO, "503 no")
    outcome, said = run(peer, OK, OK, OK, GO, OK)
    assert (
        outcome == delivered()
        and said[0] == RSET + MAIL_LINE + RCPT_LINE + DATA
        and not peer.reset_due
    )


def test_after_a_refusal_no_content_rides_with_the_envelope():
    peer = chunking()
    run(peer, OK, NO, "503 no")
    _, said = run(peer, OK, OK, OK, OK)
    assert said == [RSET + MAIL_LINE + RCPT_LINE, BDAT]


def test_a_refused_rset_says_nothing_about_the_mail():
    peer = session()
    peer.reset_due = True
    outcome, _ = run(peer, NO)
    assert (
        isinstance(outcome, Deferred) and outcome.scope is FailureScope.SESSION and not peer.in_step
    )


@pytest.mark.parametrize("before", [[], [OK], [OK, OK], [OK, OK, GO]])
def test_a_421_anywhere_defers_and_ends_the_session(before):
    peer = pipelining()
    outcome, _ = run(peer, *before, "421 4.3.2 closing")
    assert (
        isinstance(outcome, Deferred) and outcome.scope is FailureScope.SESSION and not peer.in_step
    )


@pytest.mark.parametrize("answers", [["354 go"], [OK, "354 go"], [OK, OK, OK]])
def test_an_answer_of_the_wrong_kind_defers_and_ends_the_session(answers):
    peer = pipelining()
    outcome, _ = run(peer, *answers)
    assert isinstance(outcome, Deferred) and outcome.reply.enhanced == "4.5.0" and not peer.in_step


# --- losses ---
@pytest.mark.parametrize("before", [[], [OK], [OK, OK]])
def test_a_loss_before_the_content_defers(before):
    outcome, _ = run(pipelining(), *before, LOST)
    assert isinstance(outcome, Deferred) and outcome.scope is FailureScope.SESSION


@pytest.mark.parametrize("peer", [session(), pipelining()])
def test_a_loss_after_the_final_dot_leaves_it_in_doubt(peer):
    outcome, _ = run(peer, OK, OK, GO, LOST)
    assert outcome == InDoubt(LOST, Stage.BODY) and not peer.in_step


@pytest.mark.parametrize("before", [[], [OK], [OK, OK]])
def test_in_one_trip_any_loss_leaves_it_in_doubt(before):
    outcome, _ = run(chunking(), *before, LOST)
    assert outcome == InDoubt(LOST, Stage.BODY)


@pytest.mark.parametrize("peer", [pipelining(), chunking()])
def test_a_refusal_stands_whatever_is_lost_after_it(peer):
    outcome, _ = run(peer, OK, NO, LOST)
    assert outcome == Bounced(reply(NO), Stage.RCPT, FailureScope.RECIPIENT) and not peer.in_step


@pytest.mark.parametrize(
    ("early", "expected"),
    [
        ("552 5.3.4 too large", Bounced),
        ("451 4.3.0 later", Deferred),
        ("250 ok", Deferred),
        (LOST, Deferred),
    ],
)
def test_a_reply_amid_the_content_ends_it_and_the_session(early, expected):
    peer = pipelining()
    dialogue = transact(peer, mail())
    answer = None
    for answer in [None, None, reply(OK), reply(OK), reply(GO)]:
        dialogue.send(answer)
    with pytest.raises(StopIteration) as end:
        dialogue.send(reply(early) if isinstance(early, str) else early)
    assert (
        isinstance(end.value.value, expected)
        and end.value.value.stage is Stage.DATA
        and not peer.in_step
    )
