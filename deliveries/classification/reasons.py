"""What is said as the reason itself, whatever stands beside it as advice ("set up SPF") or by the
way.
"""

from __future__ import annotations

from deliveries.classification.rules import said
from deliveries.smtp.outcomes import Stage
from suppressions.classes import Class

REASONS = (
    *said(
        Class.POLICY, "said-log-in", by="", detail="authentication_required",
        words=r"turn on smtp authentication|(relay|send) .{0,30}without authentication",
        example="550-Please turn on SMTP Authentication in your mail client.",
    ),
    *said(
        Class.RECIPIENT_REFUSED, "said-personal", by="",
        words=(r"(recipient|user|addressee|subscriber)('s)? (personal |own |private "
            r")*(black|block|deny|spam|reject)[ -]?(list|filter)"),
        example="550 5.7.1 Message rejected by recipient's personal blacklist",
    ),
    *said(
        Class.SYSTEM, "said-expansion", by="", detail="configuration",
        words=r"(mailing list|alias|list) expansion (problem|error|fail)",
        example="524 5.2.4 Mailing list expansion problem: <list@example.test>",
    ),
    *said(
        Class.RATE_LIMITED, "said-quota-of-recipients", by="", detail="recipients",
        words=r"quota for (the )?(total )?number of (\w+ )?(recipients|messages)",
        example="The group has exceeded its quota for total number of external recipients.",
    ),
    *said(
        Class.POLICY, "said-members", by="",
        words=r"(group|list|distribution list|mailbox) .{0,80}only accepts? (e?-?mails?|messages?)"
              r" from",
        example="The group sales only accepts messages from people in its organization.",
    ),
    *said(
        Class.POLICY, "said-replies-only", by="",
        words=r"this address is used to collect replies",
        example="This address is used to collect replies and should not be used to directly "
                "contact us.",
    ),
    *said(
        Class.RECIPIENT_REFUSED, "said-suppressed", by="",
        words=r"suppression ?list|^(@ )?suppressed$",
        example="It is on the suppression list for your account.",
    ),
    *said(
        Class.CONTENT, "said-spam", by="", detail="spam",
        words=r"(due to|because of|classified as|identified as|detected as|flagged as"
              r"|consider(ed|s)( as)?|looks like|suspicion of|marked as) .{0,14}\bspam\b(?! ?(from"
              r"|source|sent|statistic|score|list|activity|compl))",
        example="Your email to the group was rejected due to spam classification. Set up "
                "SPF records for your domain.",
    ),
    *said(
        Class.POLICY, "said-policy", by="",
        words=r"(?<!relay rejected )(for|due to|because of) (\w+ )?polic(y|ies) (reason"
              r"|restriction)s?(?!.{0,40}(dmarc|spf|dkim|dnsbl|\brbl\b|black ?list))",
        example="554 Mail from <taro@example.test> rejected for policy reasons.",
    ),
    *said(
        Class.CONTENT, "said-file", by="",
        words=r"forbidden_file|vba macro|macros? found|file containing",
        example="552 MS-Office file containing VBA macros found inside of the email",
    ),
    *said(
        Class.SENDER_REFUSED, "said-responsible", by="",
        words=r"purported responsible|no permission to send|not have permissions? to send",
        example="550 5.7.1 can't determine Purported Responsible Address",
    ),
    *said(
        Class.SYSTEM, "said-duplicate", by="", detail="loop",
        words=r"duplicated message-?id",
        example="Duplicated Message-ID in <list@example.test>.",
    ),
    *said(
        Class.POLICY, "said-outside", by="",
        words=r"\b(external|outside|internet) (e-?mails?|mails?|messages?|senders?)\b.{0,30}"
              r"(\bnot\b|refus|reject|block|disallow)",
        example="550 5.7.1 External mail is not accepted for this mailbox",
    ),
    # Who has no reply to tell met nobody who distrusts us.
    *said(
        Class.NETWORK, "said-connection", by="", detail="connection", codes=(0,),
        words=r"\b(server|host|system) refused (the |our )?connection",
        example="The destination server refused the connection",
    ),
    *said(
        Class.SYSTEM, "said-verifying", by="", stages=(Stage.RCPT,),
        words=r"address verification in progress",
        example="450 4.1.1 <hanako@example.test>: Recipient address rejected: unverified "
                "address: Address verification in progress",
    ),
)  # fmt: skip
