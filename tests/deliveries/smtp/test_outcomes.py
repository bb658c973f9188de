import pytest

from deliveries.smtp.outcomes import (
    Bounced,
    Deferred,
    Delivered,
    FailureScope,
    InDoubt,
    Stage,
    judge,
)
from deliveries.smtp.replies import Reply, local_reply

OK = Reply(250, "2.0.0", "taken")
LATER = Reply(450, "4.2.0", "later")
NEVER = Reply(550, "5.1.1", "never")
CLOSING = Reply(421, "4.3.2", "closing")
LOST = local_reply(421, "4.4.2", "connection lost")
BEFORE_MAIL = [Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.STARTTLS]
SCOPE_OF_A_REFUSAL = {
    Stage.MAIL: FailureScope.MESSAGE,
    Stage.RCPT: FailureScope.RECIPIENT,
    Stage.DATA: FailureScope.MESSAGE,
    Stage.BODY: FailureScope.MESSAGE,
}


def test_a_positive_reply_to_the_body_delivers():
    assert judge(OK, Stage.BODY) == Delivered(OK)


@pytest.mark.parametrize(("stage", "scope"), SCOPE_OF_A_REFUSAL.items())
def test_a_refusal_is_about_what_its_stage_is_about(stage, scope):
    assert judge(NEVER, stage) == Bounced(NEVER, stage, scope)
    assert judge(LATER, stage) == Deferred(LATER, stage, scope)


@pytest.mark.parametrize("stage", BEFORE_MAIL)
@pytest.mark.parametrize("reply", [LATER, NEVER])
def test_trouble_before_mail_is_the_sessions_and_temporary(stage, reply):
    assert judge(reply, stage) == Deferred(reply, stage, FailureScope.SESSION)


@pytest.mark.parametrize("stage", [*BEFORE_MAIL, *SCOPE_OF_A_REFUSAL])
def test_a_421_is_the_sessions_wherever_it_comes(stage):
    assert judge(CLOSING, stage) == Deferred(CLOSING, stage, FailureScope.SESSION)


def test_a_loss_after_the_final_dot_leaves_the_delivery_in_doubt():
    assert judge(LOST, Stage.BODY) == InDoubt(LOST, Stage.BODY)


def test_a_loss_before_it_does_not():
    assert judge(LOST, Stage.DATA) == Deferred(LOST, Stage.DATA, FailureScope.SESSION)


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA])
def test_an_unexpected_kind_of_reply_is_temporary(stage):
    assert isinstance(judge(Reply(354, None, "what?"), stage), Deferred)
