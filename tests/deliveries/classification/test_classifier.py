"""A reply is understood by who said what at which stage."""

import pytest

from deliveries.classification.classifier import PHRASES, Answer, classify, classify_outcome
from deliveries.classification.reply_text import parse
from deliveries.smtp.outcomes import Bounced, Deferred, FailureScope, Stage
from deliveries.smtp.replies import Reply, local_reply
from suppressions.classes import Class, Fault
from tests.cost import seconds
from tests.deliveries.bounces.sampled import table

REPLIES = table("replies.tsv")


def answer(reply, stage=None, host=""):
    code, enhanced, text = parse(reply)
    return Answer(text, code, enhanced, Stage(stage) if stage else None, host)


@pytest.mark.parametrize("row", REPLIES, ids=[row["reply"][:60] for row in REPLIES])
def test_a_known_reply_has_its_class(row):
    found = classify(answer(row["reply"], row["stage"], row["host"]))
    assert (str(found.class_), found.is_hard) == (row["class"], row["hard"] == "yes")


@pytest.mark.parametrize(
    ("stage", "class_", "is_hard"),
    [
        (Stage.RCPT, Class.UNKNOWN_USER, True),
        (Stage.BODY, Class.RECIPIENT_REFUSED, False),
        (None, Class.RECIPIENT_REFUSED, False),
    ],
)
def test_docomos_unknown_user_is_a_dead_address_at_rcpt_only(stage, class_, is_hard):
    found = classify(answer("550 Unknown user hanako@docomo.ne.jp", stage, "mfsmax.docomo.ne.jp"))
    assert (found.class_, found.is_hard) == (class_, is_hard)


GMAIL, EXCHANGE = "gmail-smtp-in.l.google.com", "shop-test.mail.protection.outlook.com"


@pytest.mark.parametrize("code", ["26", "27", "30", "31", "32", "40"])
@pytest.mark.parametrize("reply", ["421 4.7.%s See RFC5322", "550 5.7.%s Blocked"])
def test_gmails_codes_for_authentication_are_read_as_gmail_means_them(code, reply):
    found = classify(answer(reply % code, "body", GMAIL))
    assert (found.class_, found.is_hard, found.detail) == (Class.AUTHENTICATION, False, "")


@pytest.mark.parametrize(
    ("code", "host", "class_"),
    [
        ("5.7.30", EXCHANGE, Class.POLICY),
        ("5.7.515", EXCHANGE, Class.AUTHENTICATION),
        ("5.7.30", "mx.test", Class.NETWORK),
        ("5.7.27", "mx.test", Class.SENDER_REFUSED),
        ("5.7.32", "mx.test", Class.POLICY),
    ],
)
def test_the_same_code_is_another_thing_elsewhere(code, host, class_):
    assert classify(answer(f"550 {code} no", "mail", host)).class_ is not Class.OTHER
    assert classify(answer(f"550 {code} no", None, host)).class_ is class_


def test_au_names_the_address_that_is_dead_and_none_where_the_user_filters():
    assert classify(answer("550 <hanako@au.com>: User unknown", host="msmx.au.com")).is_hard
    assert (
        classify(answer("550 : User unknown", host="msmx.au.com")).class_ is Class.RECIPIENT_REFUSED
    )


def test_user_unknown_is_believed_with_its_enhanced_code_whatever_the_stage():
    assert classify(answer("550 5.1.1 User unknown")).is_hard
    assert not classify(answer("550 User unknown")).is_hard
    assert not classify(answer("550 5.7.1 User unknown", "rcpt")).is_hard


@pytest.mark.parametrize(
    ("stage", "class_"),
    [("mail", Class.SENDER_REFUSED), ("ehlo", Class.REPUTATION), ("rcpt", Class.UNKNOWN_DOMAIN)],
)
def test_an_unknown_domain_is_the_recipients_only_from_rcpt_on(stage, class_):
    found = classify(answer("550 Host unknown", stage))
    assert (found.class_, found.is_hard) == (class_, stage == "rcpt")


@pytest.mark.parametrize(
    ("reply", "stage", "class_"),
    [
        ("550 5.2.2 xyzzy", "rcpt", Class.MAILBOX_FULL),
        ("550 5.7.606 xyzzy", "rcpt", Class.REPUTATION),
        ("556 xyzzy", "rcpt", Class.NETWORK),
        ("550 xyzzy", "rcpt", Class.RECIPIENT_REFUSED),
        ("550 xyzzy", "mail", Class.SENDER_REFUSED),
        ("554 xyzzy", "body", Class.POLICY),
        ("999 xyzzy", "body", Class.OTHER),
    ],
)
def test_where_no_word_is_known_the_code_speaks(reply, stage, class_):
    found = classify(answer(reply, stage))
    assert found.class_ is class_ and found.rule.startswith("code/")


def test_a_telling_code_counts_more_than_words_that_are_said_of_everything():
    assert classify(answer("552 5.3.4 Try again later")).class_ is Class.TOO_LARGE


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        ("451 4.7.1 Greylisting in action", "greylisted"),
        ("551 5.1.6 User has moved", "moved"),
        ("530 5.7.0 Must issue a STARTTLS command first", "tls"),
        ("554 5.4.6 Too many hops", "loop"),
    ],
)
def test_the_detail_says_more_than_the_class(reply, detail):
    assert classify(answer(reply, "rcpt")).detail == detail


def test_each_answer_says_whose_fault_it_is():
    assert classify(answer("550 5.1.1 User unknown")).fault is Fault.RECIPIENT
    assert classify(answer("550 5.7.1 blocked using zen.spamhaus.org")).fault is Fault.US
    assert classify(answer("550 5.7.26 DMARC policy")).fault is Fault.SENDER


def test_what_may_still_go_well_is_not_hard():
    reply = Reply(450, "4.1.1", "User unknown")
    deferred = classify_outcome(
        Deferred(reply, Stage.RCPT, FailureScope.RECIPIENT), host="mx.example.test"
    )
    bounced = classify_outcome(
        Bounced(Reply(550, "5.1.1", "User unknown"), Stage.RCPT, FailureScope.RECIPIENT),
        host="mx.example.test",
    )
    assert deferred.class_ is bounced.class_ is Class.UNKNOWN_USER
    assert (deferred.is_hard, bounced.is_hard) == (False, True)


@pytest.mark.parametrize(
    ("reply", "stage", "class_", "is_hard"),
    [
        (
            local_reply(556, "5.1.10", "The domain x.test does not accept mail (null MX)"),
            Stage.DNS,
            Class.NETWORK,
            True,
        ),
        (
            local_reply(550, "5.1.2", "The domain x.test does not exist"),
            Stage.DNS,
            Class.UNKNOWN_DOMAIN,
            True,
        ),
        (
            local_reply(554, "5.4.6", "The best mail host of x.test is this server: it would loop"),
            Stage.DNS,
            Class.NETWORK,
            False,
        ),
        (
            local_reply(550, "5.4.4", "x.test has only addresses that are not public"),
            Stage.DNS,
            Class.NETWORK,
            False,
        ),
        (
            local_reply(451, "4.4.3", "Looking up the mail hosts of x.test failed: timeout"),
            Stage.DNS,
            Class.NETWORK,
            False,
        ),
        (
            local_reply(554, "5.6.0", "The message cannot be sent as it is"),
            Stage.MAIL,
            Class.CONTENT,
            False,
        ),
        (
            local_reply(451, "4.7.4", "TLS is required, but the host does not offer it"),
            Stage.EHLO,
            Class.NETWORK,
            False,
        ),
        (
            local_reply(552, "5.3.4", "the message is larger than the host takes"),
            Stage.MAIL,
            Class.TOO_LARGE,
            False,
        ),
        (
            local_reply(421, "4.4.2", "timed out while waiting for the greeting"),
            Stage.GREETING,
            Class.NETWORK,
            False,
        ),
    ],
)
def test_what_we_say_ourselves_is_understood(reply, stage, class_, is_hard):
    found = classify_outcome(Bounced(reply, stage, FailureScope.RECIPIENT), host="")
    assert (found.class_, found.is_hard) == (class_, is_hard)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("550 5.1.1 User unknown", (550, "5.1.1", "User unknown")),
        ("550-5.1.1 User unknown", (550, "5.1.1", "User unknown")),
        ("550 #5.1.0 Address rejected.", (550, "5.1.0", "Address rejected.")),
        ("553 sorry, no (#5.7.1)", (553, "5.7.1", "sorry, no (#5.7.1)")),
        ("host mx.example.test[192.0.2.1] said: 550 no", (550, "", "no")),
        (
            "5.1.0 - Unknown address error 550-'5.7.1 Access denied'",
            (550, "5.7.1", "Access denied'"),
        ),
        ("no code at all", (0, "", "no code at all")),
        ("", (0, "", "")),
    ],
)
def test_a_reply_is_taken_apart(text, parts):
    assert parse(text) == parts


def test_a_failed_delivery_costs_little_to_classify():
    """Measured: 50 µs in the mean on the machine of the Performance page.

    Much less than a search by every rule, at any rate.
    """
    answers = [answer(row["reply"], row["stage"], row["host"]) for row in REPLIES]
    by_every_rule = seconds(
        lambda: [rule.search(each.text.lower()) for each in answers for rule in PHRASES]
    )
    assert seconds(lambda: [classify(each) for each in answers]) < by_every_rule / 2
