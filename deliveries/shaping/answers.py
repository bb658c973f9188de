"""What receivers answer when we write too fast, too much, or from an address they will not hear.

Each group says where its texts were found. "Sisimai" is what it keeps by receiver, with the replies
that it was made from (sisimai/p5-sisimai and sisimai/rb-sisimai, lib/*/rhost); "KumoMTA" are
assets/policy-extras/shaping.toml and assets/community/shaping.toml of KumoCorp/kumomta. How long to
pause is our choice, and shorter than theirs: one-time codes wait behind it.

Where only a pattern or part of a text is public, the example is built around it: `restricted` and
`session-full` of Microsoft, RP-003 and SC-001, `connections`, `policy` and `unknown-recipients` of
GMX, `later` and `session-full` of Orange, `cloudmark`. Of senders.yahooinc.com, postmastery.com and
service.mail.qq.com what is known here is what Sisimai and KumoMTA hold of them.
"""

from __future__ import annotations

from deliveries.shaping.actions import (
    HOUR,
    MINUTE,
    TEMPORARY,
    Block,
    Leave,
    Pattern,
    Pause,
    SlowDown,
    pattern,
)
from deliveries.smtp.outcomes import Stage

SLOWER, HALF = SlowDown(), SlowDown(0.5)
OPENING = (Stage.GREETING, Stage.EHLO)

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

# The Japanese carriers publish no texts, and a collection of what they answer holds none about pace
# (https://note.com/sendmagic/n/neb6bbe7e51cf, n875d8dcb6cb8, n5afbf98aeb25). They say what they do,
# though (the pages are named in providers.py): docomo refuses connections for a time, au resets
# them, SoftBank holds transmission back. So what is said before MAIL is about our sessions,
# whatever it says. The example is RFC 5321's text for 421 (its section 4.2.2).
CARRIERS = tuple(
    pattern(f"{who}/refused", r"", Pause(2 * MINUTE), f"421 {host} Service not available, "
        "closing transmission channel", stages=OPENING)
    for who, host in (
        ("docomo", "mfsmax.docomo.ne.jp"), ("au", "msmx.au.com"), ("softbank", "mx.softbank.ne.jp"),
        ("rakuten", "mx.example.test"),
    )
)  # fmt: skip

# https://postmaster.gmx.net/en/error-messages; KumoMTA (community);
# https://www.suped.com/learn/email-deliverability/how-to-resolve-smtp-421-errors-with-webde-and-gmxnet-due-to-rate-limiting;
# https://new-faq.comservice-ffo.de/smtp-fehlermeldungen-e-mail-fehler/; at the final dot "policy
# restrictions" is about the message (hitobito/hitobito#2671, nextcloud/mail#6497).
GMX = (
    pattern("gmx/connections", r"too many connections", HALF,
            "421 gmx.net (mxgmx104) Nemesis ESMTP Service not available Too many connections"),
    pattern("gmx/rate", r"too many messages have been received|rate limit reached", Pause(HOUR),
            "421 web.de (mxweb113) Nemesis ESMTP Service not available Service unavailable "
                "Reject due to policy restrictions Please try"
            " again later. Too many messages have been received in a short period of time. "
                "Please try again in a few hours and reduce the"
            " sending rate."),
    pattern("gmx/unknown-recipients", r"policy violations", Pause(HOUR),
        "421 Reject due to policy violations"),
    pattern("gmx/policy", r"policy restrictions", HALF,
            "421 gmx.net (mxgmx104) Nemesis ESMTP Service not available Reject due to policy "
                "restrictions."),
    pattern("gmx/blocked", r"ip address is (block|black) ?listed", Block(),
            "554 gmx.net (mxgmx104) Nemesis ESMTP Service not available No SMTP service IP "
                "address is block listed. For explanation visit"
            " https://postmaster.gmx.net/en/case?c=r0201&i=ip&v=198.51.100.42"),
    pattern("gmx/no-ptr", r"(bad|invalid) dns ptr", Block(),
            "554 web.de (mxweb010) Nemesis ESMTP Service not available No SMTP service Bad DNS "
                "PTR resource record. For explanation visit"
            " https://web.de/email/senderguidelines?ip=192.0.2.1&c=rdns"),
)  # fmt: skip

# https://postmaster.comcast.net/smtp-error-codes.php;
# http://postmaster.comcast.net/mail-error-codes.xml; KumoMTA; Sisimai (its tests). RL counts
# messages, and a try some minutes later is welcome (https://www.suped.com, "Comcast throttling and
# deferral errors").
COMCAST = (
    pattern("comcast/throttled", r"\brl0000\d\d|throttled", HALF,
            "421 4.1.0 192.0.2.1 Throttled - try again later. Please see "
                "https://postmaster.comcast.net/smtp-error-codes.php#RL000003"),
    pattern("comcast/sessions", r"too many sessions opened", HALF, "421 Too many sessions opened"),
    pattern("comcast/session-full", r"too many emails sent on this session", Leave(), "421 Too "
        "many emails sent on this session"),
    pattern("comcast/reverse-dns", r"reverse dns failure", Leave(), "421 Reverse DNS failure : "
        "Try again later"),
    pattern("comcast/blocked", r"\b(bl0000(00|01|10)|es0000(01|10))\b|on one or more dnsbls",
        Block(),
            "554 mx.example.test 192.0.2.1 found on one or more DNSBLs, see "
                "https://postmaster.comcast.net/smtp-error-codes.php#BL000001"),
)  # fmt: skip

# https://www.postmastery.com/orange-postmaster-smtp-error-codes-ofr/; Sisimai (FrancePTT), where
# each number is explained; KumoMTA. OFR is Orange, LPN La Poste; the last three digits are the
# reason.
ORANGE = (
    pattern("orange/connections", r"(ofr|lpn)(\d{3})?_104|too many connections", HALF,
            "421 mwinf5c79 ME Trop de connexions, veuillez verifier votre configuration. Too "
                "many connections, slow down. OFR005_104"),
    pattern("orange/session-full", r"(ofr|lpn)(\d{3})?_109", Leave(), "421 Veuillez essayer "
        "plus tard. LPN003_109"),
    pattern("orange/limited", r"(ofr|lpn)(\d{3})?_99\d", Pause(30 * MINUTE),
            "421 mwinf5c77 ME Service refuse. Veuillez essayer plus tard. Service refused, "
                "please try later. OFR_999 [999]"),
    # Listed by Abusix, Spamhaus, Cloudmark or Orange; without a PTR record; with a HELO name that
    # does not resolve.
    pattern("orange/blocked", r"(ofr|lpn)(\d{3}|aaa)?_(10[01237]|20\d)", Block(),
            "550 mwinf5c04 ME Adresse IP source bloquee pour incident de spam. Client host "
                "blocked for spamming issues. OFR006_102"),
    pattern("orange/message", r"(ofr|lpn|ouk)(\d{3})?_(50[56]|51\d)", Leave(),
            "421 4.2.0 Service refuse. Veuillez essayer plus tard. Service refused, please try "
                "later. OFR005_505 [505]"),
    pattern("orange/later", r"essayer plus tard", Pause(10 * MINUTE), "421 Service refuse. "
        "Veuillez essayer plus tard. LPN105_424"),
)  # fmt: skip

# Mail.ru publishes no codes. Both texts are in public programs that write to it; the first names
# one mailbox.
MAIL_RU = (
    pattern("mail-ru/mailbox-rate", r"ratelimit exceeded for mailbox", Leave(),
            "451 Ratelimit exceeded for mailbox hanako@mail.ru. Try again later."),
    pattern("mail-ru/spam", r"spam message rejected", Leave(),
            "550 spam message rejected. Please visit "
                "http://help.mail.ru/notspam-support/id?c=37o1 or report details to"
            " abuse@corp.mail.ru."),
)  # fmt: skip

# https://service.mail.qq.com/detail/122 (172 to 175: frequencies; 66; 170); Sisimai; KumoMTA
# (community) stops for an hour. QQ says 550.
QQ_CODES = (*TEMPORARY, 550)
QQ = (
    pattern("qq/frequency", r"(ip|connection) frequency limited", Pause(30 * MINUTE),
            "550 Connection frequency limited. https://service.mail.qq.com/detail/122/175",
            codes=QQ_CODES),
    pattern("qq/sender-frequency", r"(domain|sender) frequency limited", Pause(10 * MINUTE),
            "550 Domain frequency limited. https://service.mail.qq.com/detail/122/173",
            codes=QQ_CODES),
    pattern("qq/denied", r"connection denied", Pause(HOUR),
            "550 Connection denied. https://service.mail.qq.com/detail/122/170", codes=QQ_CODES),
    pattern("qq/suspected", r"suspected spam ip", Pause(2 * HOUR),
            "550 Suspected spam ip https://service.mail.qq.com/detail/122/66", codes=QQ_CODES),
)  # fmt: skip

# NetEase's published table (http://help.163.com/09/1224/17/5RAJ4LMH00753VB8.html): HL speaks of the
# address, MI of the sender or this session, RP of recipients, DT of the content. KumoMTA
# (community) and others stop for 15 minutes to an hour at HL.
NETEASE = (
    pattern("netease/connections", r"\bhl:icc\b|too many connections", HALF,
        "421 HL:ICC 163 smtp9,192.0.2.1"),
    pattern("netease/frequency", r"\bhl:if[cq]\b", Pause(15 * MINUTE),
        "421 HL:IFC 163 smtp3,192.0.2.1"),
    pattern("netease/behaviour", r"\bhl:(rep|mep)\b|\bip<.{1,60}> rejected", Pause(30 * MINUTE),
        "421 HL:REP 163 smtp14,192.0.2.1"),
    pattern("netease/suspended", r"\bhl:(ihu|itc|ic[cf]|ifq)\b", Pause(HOUR),
        "554 HL:IHU 163 smtp1,192.0.2.1", codes=(550, 554)),
    pattern("netease/session-full", r"\b(mi:dmc|rp:drc)\b", Leave(),
        "450 MI:DMC 163 smtp1,192.0.2.1"),
    pattern("netease/sender-rate", r"\b(mi:(sfq|stc)|rp:(qrc|trc|rcl))\b", Leave(),
        "451 MI:SFQ 163 smtp2,192.0.2.1"),
    pattern("netease/content", r"\bdt:spm\b", Leave(), "451 DT:SPM ,please try again 163 smtp7"),
    pattern("netease/blocked", r"\b(dt:rbl|wm:bli|hl:ipb)\b", Block(),
        "450 DT:RBL 163 smtp1,192.0.2.1"),
)  # fmt: skip

# Said by anybody. First what only sounds like it.
NOT_OUR_PACE = (
    pattern("greylisted", r"gr[ea]y-?list", Leave(), "451 4.7.1 Greylisting in action, please "
        "come back later"),
    # Postfix's postscreen(8), to an unknown client that has passed its tests; Mimecast's
    # greylisting.
    pattern("first-try", r"^4\.3\.2 service currently unavailable|internal resources? "
        r".{0,5}temporarily "
        r"unavailable", Leave(),
            "450 4.3.2 Service currently unavailable"),
    # mx.yandex.ru; "MXIN502 mailbox ... is receiving emails too fast"
    pattern("mailbox-rate", r"\b(recipient|mailbox|user)\b .{0,80}(over quota|rate limit|receiving "
        r"(e?mails?|messages) (too|at))", Leave(),
            "451 4.5.1 The recipient <hanako@example.test> has exceeded their message rate "
                "limit. Try again later."),
    # Postfix counts recipients by client, too (smtpd_client_recipient_rate_limit).
    pattern("recipient-rate", r"too many recipients from", SLOWER, "450 4.7.1 Error: too many "
        "recipients from 192.0.2.1"),
    pattern("too-many-recipients", r"^[45]\.5\.3 |too many recipients", Leave(),
        "452 4.5.3 Error: too many recipients"),
    # Cisco's and others', also J:COM's (https://note.com/sendmagic/n/n59a9f610bc0e): the next
    # connection will do.
    pattern("session-full", r"too many (messages|e?mails)( sent)? (for|in|on|per|over) "
        r".{0,10}(session|connection)"
            r"|messages? per connection", Leave(), "421 #4.x.2 Too many messages for this session"),
    pattern("session-over", r"exceeded allowable connection "
        r"time|\b(idle|inactiv\w*|time-?out|timed out)\b", Leave(),
            "421 4.4.2 mx.example.test Error: timeout exceeded"),
    pattern("shutdown", r"shutting down|going down|(server|system) (is "
        r")?(restart|shutdown)|maintenance"
            r"|^4\.3\.2 service not available", Leave(),
            "421 4.3.2 System shutting down"),
    pattern("too-many-errors", r"too many (errors|invalid|bad|unknown|protocol|unrecognized)",
        Leave(),
            "421 4.7.0 mx.example.test Error: too many errors"),
    # A domain in the mail or its sender's, not our address.
    pattern("domain-listed", r"\bdbl\b|spamhaus\.org/query/domain|rhsbl", Leave(),
            "550 5.7.1 Your email was rejected due to having a domain present in the Spamhaus "
                "DBL -- see https://www.spamhaus.org/dbl/"),
)  # fmt: skip

# Postfix (smtpd(8), postscreen(8), anvil(8)), Exim, sendmail, Exchange and Cisco, as they are
# shipped; KumoMTA's default automation.
ANYBODY = (
    pattern("connections", r"too many (\w+ ){0,3}(connections|sessions)|connection (count "
        r"|rate )?(limit|quota)"
            r"|max\w* (number of )?(\w+ ){0,2}connections|ports are busy", SLOWER,
            "421 4.7.0 mx.example.test Error: too many connections from 192.0.2.1"),
    pattern("refused-for-good", r"messages from \S{1,60} will be permanently deferred", Block(),
            "421 4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred"),
    pattern("deferred", r"messages from \S{1,60} temporarily deferred|unexpected volume|unusual "
        r"(rate|volume|traffic)", Pause(30 * MINUTE),
            "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected "
                "volume or user complaints"),
    pattern("reputation-limited", r"temporarily rate limited due to ip reputation",
        Pause(30 * MINUTE),
            "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP "
                "reputation."),
    # free.fr
    pattern("spam-from-address", r"too many spams? from your ip", Pause(HOUR), "421 Too many "
        "spams from your IP (192.0.2.1)"),
    pattern("rate", r"rate.?limit|limit(ed)? "
        r".{0,30}\brate\b|(message|mail|sending|delivery|submission|transaction) rate", SLOWER,
            "421 4.4.2 Message submission rate for this client has exceeded the configured limit"),
    pattern("fast", r"too (fast|quickly)|slower|slow down|send more slowly|throttl|too much "
        r"(mail|traffic)"
            r"|excessive (rate|volume|traffic|mail)", SLOWER, "450 4.7.1 Error: too much mail "
                "from 192.0.2.1"),
    pattern("messages", r"too many (\w+ ){0,2}(messages|e?mails|requests|transactions|deliveries)"
            r"|exceed\w* .{0,40}per (second|minute|hour|day)", SLOWER,
            "421 4.7.0 Domain example.test has exceeded the max emails per hour"),
    pattern("busy", r"(too|server|system) (is )?(too )?(busy|loaded)|too much load|load (is )?too "
        r"high|(system|server) resources"
            r"|queue full", SLOWER, "452 4.3.1 Insufficient system resources"),
    # Our address on a list that many ask: a person has to have it taken off.
    pattern("spamhaus", r"spamhaus\.org/(query|lookup|sbl|pbl)|(zen|sbl|xbl|css|pbl)\.spamhaus"
            r"|(using|listing in|listed (in|by)) spamhaus", Block(),
            "550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus. To "
                "request removal from this list see"
            " https://www.spamhaus.org/query/ip/192.0.2.1 AS(1440)"),
    pattern("proofpoint", r"proofpoint\.com/(dnsbl-lookup|\?ip)", Block(),
            "550 5.7.0 Blocked - see https://support.proofpoint.com/dnsbl-lookup.cgi?ip=192.0.2.1"),
    pattern("cloudmark", r"csi\.cloudmark\.com/reset-request", Block(),
            "550 5.7.1 Client host blocked for spamming issues, see "
                "http://csi.cloudmark.com/reset-request/?ip=192.0.2.1"),
    pattern("poor-reputation", r"the sending mta's poor reputation", Block(),
            "554 Your access to this mail system has been rejected due to the sending MTA's poor "
                "reputation."),
    # Postfix's default_rbl_reply, for a client's address.
    pattern("block-list", r"client (host )?\[\S{1,60}\] blocked using", Block(),
            "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.spamcop.net"),
)  # fmt: skip

# The first that fits counts: a receiver's own, then everybody's.
PATTERNS: tuple[Pattern, ...] = (
    *GOOGLE, *MICROSOFT, *MICROSOFT_ALL, *YAHOO_ALL, *YAHOO, *ICLOUD, *CARRIERS, *GMX, *COMCAST,
    *ORANGE, *MAIL_RU, *QQ, *NETEASE,
    *NOT_OUR_PACE, *ANYBODY,
)  # fmt: skip
