"""What mail server programs, filters and hosting companies mean by their words."""

from __future__ import annotations

from deliveries.classification.rules import phrases
from deliveries.smtp.outcomes import Stage
from suppressions.classes import Class

# https://mimecastsupport.zendesk.com/hc/en-us/articles/34000709564691
MIMECAST = (
    *phrases(Class.RATE_LIMITED, ("mimecast-greylist", (r"internal resources? .{0,5}temporarily "
        r"unavailable"),
             "451 Internal resource temporarily unavailable"), detail="greylisted"),
    *phrases(Class.SENDER_REFUSED, ("mimecast-envelope", (r"envelope blocked|sender address "
        r"blocked"), "550 Envelope blocked - User Entry")),
    *phrases(Class.POLICY, ("mimecast-header", r"header based",
             "550 Rejected by header based manually blocked senders - block for manual block")),
)  # fmt: skip


# https://www.godaddy.com/help/fix-rejected-email-with-a-bounce-error-40685, and the IB numbers
# behind its texts.
GODADDY = (
    *phrases(Class.REPUTATION, ("godaddy-address", r"this ip has been temporarily blocked",
             ("554 Connection refused. This IP has been temporarily blocked for attempting to "
                 "send too many messages."))),
    *phrases(Class.SENDER_REFUSED, ("godaddy-from", r"(as a|blank) from:? address",
             "550 IP addresses are not allowed as a From: Address.")),
)  # fmt: skip


# 542 is Symantec's word for an address that the customer has not registered.
MESSAGELABS = phrases(
    Class.UNKNOWN_USER,
    ("messagelabs-unregistered", r"@ rejected", "542 hanako@example.test Rejected"),
    codes=(542,),
    says_so_itself=True,
)


# GroupWise names its own users only, and says what its directory found.
GROUPWISE = phrases(
    Class.UNKNOWN_USER,
    (
        "groupwise-not-found",
        r"undeliverable to the following: .{1,80} \(user not found\)",
        "The message that you sent was undeliverable to the following: hanako (user not found)",
    ),
    codes=(0,),
    says_so_itself=True,
)


# Mail.ru says so of its own mailboxes, after the content as well; of one that is locked it says
# "account is disabled" there.
MAILRU = phrases(
    Class.UNKNOWN_USER,
    (
        "mailru-not-found",
        r"local mailbox \S{1,80} is unavailable: user not found",
        "550 Message was not accepted -- invalid mailbox.  Local mailbox hanako@mail.ru is "
        "unavailable: user not found",
    ),
    says_so_itself=True,
    seen=("mailru",),
)


# Exim's word: at RCPT it is the receiver's, who knows its people; in a report it is the reporter's,
# who found no host.
EXIM = phrases(
    Class.UNKNOWN_USER,
    ("exim-unrouteable", r"^(<?@>? )?unroute?able address", "550 Unrouteable address"),
    stages=(Stage.RCPT,),
)


# What Barracuda's filter puts in place of the reason.
BARRACUDA = phrases(
    Class.RECIPIENT_REFUSED,
    (
        "barracuda-blocked",
        r"permanent failure for one or more recipients \(.{0,80}:blocked",
        "550 permanent failure for one or more recipients (hanako@example.test:blocked)",
    ),
)


# cPanel's router for domains without a mail host: the rest of its sentence is guesswork.
# Exim checks the sender's address by asking its host; what that host said stands in the answer.
SENDER_VERIFY = phrases(
    Class.SENDER_REFUSED,
    (
        "exim-sender-verify",
        r"sender verify (failed|callout|defer)|callback setup failed|verification failed for <?@",
        "550-Verification failed for <shop@example.test> 550-Called: 192.0.2.1 550 Sender verify "
        "failed",
    ),
)

CPANEL = phrases(
    Class.UNKNOWN_DOMAIN,
    (
        "cpanel-no-route",
        r"account or domain may not exist, they may be blacklisted",
        "The mail server could not deliver mail to hanako@example.test.  The account or domain may "
        "not exist, they may be blacklisted, or missing the proper dns entries.",
    ),
)


# Zoho's own word for the blocklist of an organisation.
ZOHO = phrases(
    Class.SENDER_REFUSED,
    (
        "zoho-domain",
        r"rejected by destination domain",
        "541 5.4.1 Mail rejected by destination domain",
    ),
)
