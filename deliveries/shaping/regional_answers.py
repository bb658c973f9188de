"""What receivers of one country or region answer when we write too fast, and what is done about it.

`deliveries.shaping.answers` says where the texts were found.
"""

from __future__ import annotations

from deliveries.shaping.actions import (
    HALF,
    HOUR,
    MINUTE,
    OPENING,
    TEMPORARY,
    Block,
    Leave,
    Pause,
    pattern,
)

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
