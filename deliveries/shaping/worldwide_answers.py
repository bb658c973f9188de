"""What receivers all over the world answer when we write too fast, and what is done about it.

`deliveries.shaping.answers` says where the texts were found.
"""

from __future__ import annotations

from deliveries.shaping.actions import (
    HALF,
    HOUR,
    MINUTE,
    SLOWER,
    Block,
    Leave,
    Pause,
    pattern,
)

# https://support.google.com/a/answer/3726730 (Gmail SMTP errors and codes); Sisimai. What is said
# of one DKIM, SPF or URL domain concerns that domain's mail, not the others' that leave from the
# same address.
GOOGLE = (
    pattern("google/recipient-rate", r"is receiving mail (at a rate|too quickly)", Leave(),
            "450 4.2.1 The user you are trying to contact is receiving mail at a rate that "
                "prevents additional messages from being"
            " delivered. Please resend your message at a later time."),
    pattern("google/relay-limit", r"smtp relay limit exceeded", Leave(),
            "450 4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary error."),
    pattern("google/domain-rate", r"unusual rate of .{0,60}(dkim|spf|url) domain", Leave(),
            "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from "
                "your DKIM domain example.org. To protect"
            " our users from spam, mail has been temporarily rate limited."),
    pattern("google/same-message-id", r"quota for sending messages with the same message-id",
        Leave(),
            "421 4.7.28 Gmail has detected this message exceeded its quota for sending messages "
                "with the same Message-ID:. To best protect"
            " our users, the message has been temporarily rejected."),
    pattern("google/unauthenticated", r"rate limited because|spf record of the sending domain",
        Leave(),
            "421 4.7.26 This mail has been rate limited because it is unauthenticated. Gmail "
                "requires all senders to authenticate with"
            " either SPF or DKIM."),
    pattern("google/unusual-rate", r"unusual rate of", Pause(10 * MINUTE),
            "421 4.7.28 [192.0.2.1] Our system has detected an unusual rate of unsolicited mail "
                "originating from your IP address. To"
            " protect our users from spam, mail sent from your IP address has been temporarily "
                "rate limited."),
    pattern("google/unusual-rate-blocked", r"unusual rate of", Pause(HOUR),
            "550 5.7.28 There is an unusual rate of unsolicited mail originating from your IP "
                "address. To protect our users from spam, mail"
            " sent from your IP address has been blocked.", codes=(550,)),
    pattern("google/no-ptr", r"have a ptr record", Pause(30 * MINUTE),
            "421 4.7.23 The sending IP address for this message doesn't have a PTR record, or "
                "the PTR record's forward DNS entry doesn't"
            " match the sending IP address. To protect users from spam, your email has been "
                "temporarily rate limited."),
    pattern("google/domain-reputation", r"very low reputation of the sending domain", Leave(),
            "550 5.7.1 Our system has detected that this message is likely suspicious due to the "
                "very low reputation of the sending"
            " domain."),
    pattern("google/reputation-limited", r"very low reputation of the sending ip", Pause(HOUR),
            "421 4.7.0 This message is suspicious due to the very low reputation of the sending "
                "IP address. To protect our users from spam,"
            " mail sent from your IP address has been temporarily rate limited."),
    pattern("google/reputation", r"very low reputation of the sending ip", Block(),
            "550 5.7.1 Our system has detected that this message is likely suspicious due to the "
                "very low reputation of the sending IP"
            " address."),
    pattern("google/content", r"suspicious due to the nature of the content", Leave(),
            "421 4.7.0 This message is suspicious due to the nature of the content or the links "
                "within."),
    pattern("google/not-our-pace", r"for rcpt domain, closing connection|connection expired",
        Leave(),
            "421 4.7.0 TLS required for RCPT domain, closing connection."),
    pattern("google/closing", r"try again later, closing connection", SLOWER,
            "421 4.7.0 Try again later, closing connection."),
)  # fmt: skip


# https://learn.microsoft.com/troubleshoot/exchange/email-delivery/ndr/non-delivery-reports-in-exchange-online;
# Sisimai; KumoMTA (outlook, default); https://smtpfieldmanual.com/spamfilter/exchangeonline. One
# filter stands before Outlook.com and Microsoft 365.
MICROSOFT_ALL = tuple(
    pattern(f"{who}/{what}", text, action, example)
    for who in ("microsoft", "microsoft365")
    for what, text, action, example in (
        ("server-busy", r"server busy", Pause(10 * MINUTE),
         "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (AS761)"),
        ("agent-busy", r"agent busy", SLOWER, "451 4.7.700 PFA agent busy, please try again."),
        ("rate-limited", r"temporarily rate limited due to ip reputation", Pause(30 * MINUTE),
         "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP "
             "reputation. For e-mail delivery information,"
         " see https://aka.ms/postmaster (S775)"),
        # "Suspicious activity has been detected on the IP in question, and it has been temporarily
        # restricted"
        ("restricted", r"access denied, please try again later", Pause(30 * MINUTE),
         "451 4.7.550 Access denied, please try again later"),
        ("session-full", r"messages per connection", Leave(),
         "451 The mail server [192.0.2.1] has exceeded maximum number of messages per connection."),
        ("connections", r"(concurrent|number of|max concurrent) connections", SLOWER,
         ("421 4.3.2 The maximum number of concurrent connections per resource forest has "
             "exceeded a limit, closing transmission channel.")),
        ("recipient-rate", (r"recipient thread limit|recipient's per hour|recipient has "
            r"exceeded their limit"), Leave(),
         "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded"),
        ("block-list", r"\(s31[45]0\)|on our block list", Block(),
         "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your "
             "Internet service provider since part of"
         " their network is on our block list (S3150)."),
        ("banned", r"banned send(er|ing ip)", Block(),
         "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this "
             "list please visit"
         " https://sender.office.com/"),
    )
)  # fmt: skip


# The older codes of Outlook.com: https://knowledge.validity.com/hc/en-us/articles/220561887 and
# public configurations of other MTAs, which throttle at RP-001 to RP-003 and stop for hours at the
# others.
MICROSOFT = (
    pattern("microsoft/rate", r"\brp-00[12]\b|exceeded the rate limit", HALF,
            "421 RP-001: The mail server IP connecting to Outlook.com server has exceeded the "
                "rate limit allowed. Reason for rate"
            " limitation is related to IP/domain reputation."),
    pattern("microsoft/connection-limit", r"\brp-003\b|exceeded the connection limit", HALF,
            "421 RP-003 The mail server IP connecting to Outlook.com server has exceeded the "
                "connection limit allowed."),
    pattern("microsoft/policy", r"\b(sc-00[1-4]|dy-00[12]|ou-001)\b", Block(),
            "550 SC-001 (BAY004-MC1F1) Unfortunately, messages from 192.0.2.1 weren't sent."),
    pattern("microsoft365/permitted-limits", r"exceeded permitted limits within", Pause(HOUR),
            "550 5.7.508 Access denied, [2001:db8::1] has exceeded permitted limits within /64 "
                "range", codes=(550,)),
    # One organisation's own list: nothing that others decide.
    pattern("microsoft365/own-list", r"customer block list", Leave(),
            "550 5.7.513 Service unavailable, Client host [192.0.2.1] blocked by contoso.test "
                "using Customer Block list (AS16012607)"),
)  # fmt: skip


# https://senders.yahooinc.com/smtp-error-codes/; https://help.yahoo.com/kb/SLN3436.html (TS03);
# Sisimai; KumoMTA, which stops for two hours at TSS04 and four at TSS05. Yahoo! JAPAN runs software
# of the same origin, and the same codes are reported of it (KumoMTA, community).
YAHOO_ALL = tuple(
    pattern(f"{who}/{what}", text, action, example)
    for who in ("yahoo", "yahoo-japan")
    for what, text, action, example in (
        ("greylisted", r"\[gl01\]", Leave(),
         "421 4.7.0 [GL01] Message from (192.0.2.1) temporarily deferred - 4.16.50. Please refer to"
         " http://postmaster.yahoo.com/errors/postmaster-21.html"),
        ("sender-domain", r"unresolvable rfc.?5321", Leave(),
         "451 Message temporarily deferred due to unresolvable RFC.5321 from domain."),
        ("refused-for-good", r"permanently deferred", Block(),
         ("421 4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred; Retrying "
             "will NOT succeed.")),
        ("complaints", r"\[(tss?|ipts)05\]", Pause(2 * HOUR),
         ("421 4.7.0 [TSS05] Messages from 192.0.2.1 temporarily deferred due to unexpected "
             "volume or user complaints - 4.16.55.1")),
        ("deferred", r"\[(tss?|ipts)0[1-4]\]|messages from \S{1,60} temporarily deferred",
            Pause(30 * MINUTE),
         "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected "
             "volume or user complaints - 4.16.55.1; see"
         " https://postmaster.yahooinc.com/error-codes"),
        ("message-deferred", r"message temporarily deferred", SLOWER, ("421 Message temporarily "
            "deferred - 4.16.51")),
        ("unknown-recipients", r"excessive unknown recipients", Pause(HOUR),
         "451 VS1-IP Excessive unknown recipients - possible Open Relay (#4.1.8)"),
        ("blocked", r"\[bl2[13]\]", Block(),
         ("553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in "
             "Spamhaus's list")),
        ("busy", r"resources temporarily (not available|unavailable)", SLOWER,
         "451 Resources temporarily not available - Please try again later [#4.16.5]"),
    )
)  # fmt: skip


YAHOO = (
    # AOL's, from before it moved to Yahoo's hosts: https://sendgrid.kke.co.jp/blog/?p=1308
    pattern("yahoo/dyn-t1", r"\bdyn:t1\b", HALF, "421 4.7.1 : "
        "(DYN:T1)http://postmaster.info.aol.com/errors/421dynt1.html (throttled)"),
    pattern("yahoo-japan/not-allowed", r"vs98-ip0", Pause(HOUR), "553 Mail from 192.0.2.1 not "
        "allowed - VS98-IP0 deferred", codes=(553,)),
)  # fmt: skip


# https://support.apple.com/en-us/102322; https://smtp.codes/icloud;
# https://note.com/sendmagic/n/n079f49339312; Sisimai; KumoMTA.
ICLOUD = (
    # It names the address written to, and its rate.
    pattern("icloud/recipient-rate", r"messages to \S{1,200} deferred due to excessive volume",
        Leave(),
            "421 4.7.1 Messages to hanako@icloud.com deferred due to excessive volume. Try again "
                "later -"
            " https://support.apple.com/en-us/HT204137"),
    # Seen at the top of the hour, when many are sending.
    pattern("icloud/busy", r"service unavailable - try again later|\[bs\d\d\]", HALF, "451 "
        "4.7.1 Service unavailable - try again later"),
    pattern("icloud/deferred", r"\[hcm\d\]|your mail from \S{1,60} was deferred",
        Pause(15 * MINUTE),
            "421 [HCM1] Your mail from 192.0.2.1 was deferred."),
    pattern("icloud/local-policy", r"due to local policy", Leave(),
            "554 5.7.1 [CS01] Message rejected due to local policy. Please visit "
                "https://support.apple.com/en-us/HT204137"),
)  # fmt: skip
