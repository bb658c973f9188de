"""Codes and set words of single receivers, each group with its page and the day it was read.

They are asked before all other phrases, and hold for live refusals at every stage as they do for
reports. A row without `of` holds whoever says it: nobody else uses such a code.
"""

from __future__ import annotations

from deliveries.classification.gateway_codes import (
    GATEWAYS,
    GODADDY,
    MESSAGELABS,
    MIMECAST,
    SOPHOS,
    ZOHO,
)
from deliveries.classification.regional_codes import REGIONAL
from deliveries.classification.rules import BounceRule, said
from suppressions.classes import Class

# https://smtp.codes/icloud and https://support.apple.com/en-us/102322, read on 2026-11-28. CS01 and
# CS02 are Cloudmark's verdict.
APPLE = (
    *said(
        Class.POLICY, "apple-local-policy", by="apple",
        words=r"\[(cs|hc|hm)\d\d\] message rejected due to local policy",
        example="554 5.7.1 [CS01] Message rejected due to local policy.",
    ),
    *said(
        Class.RATE_LIMITED, "apple-volume", by="apple",
        words=r"deferred due to excessive volume",
        example="421 4.7.1 Messages to hanako@icloud.com deferred due to excessive "
                "volume.",
    ),
)  # fmt: skip

# https://yandex.com/support/mail/bounces/yandex.html, read on 2026-11-28.
YANDEX = (
    *said(
        Class.MAILBOX_DISABLED, "yandex-blocked", by="yandex",
        words=r"policy rejection on the target address",
        example="550 5.7.1 Policy rejection on the target address",
    ),
    *said(
        Class.REPUTATION, "yandex-statistics", by="yandex",
        words=r"blocked by spam statistics",
        example="554 5.7.1 Blocked by spam statistics - see http://feedback.yandex.ru/",
    ),
)  # fmt: skip

# https://postmaster.t-online.de/index.en.html (4.7), read on 2026-11-28: (BL) is blocked, (NOWL)
# not yet known.
TONLINE = (
    *said(
        Class.REPUTATION, "tonline-address", by="tonline",
        words=r"ask your postmaster for help or to contact|\(nowl\)|none/bad reputation",
        example="554 IP=192.0.2.1 - None/bad reputation. Ask your postmaster for help or "
                "to contact us. (NOWL)",
    ),
)  # fmt: skip

# https://postmaster.gmx.net/en/error-messages and https://postmaster.web.de/de/fehlermeldungen,
# read on 2026-11-28. 1&1 and mail.com are the same house: "Nemesis" is its server's name, and the
# last line has the reason.
UNITED_INTERNET = (
    *said(
        Class.REPUTATION, "gmx-address", by="gmx",
        words=r"(nemesis|no smtp service).{0,80}(bad dns|ptr|block ?listed|black ?listed"
              r"|dynamic)|ip address is (block|black) ?listed",
        example="554-gmx.net Nemesis ESMTP Service not available 554-No SMTP service "
                "554-IP address is block listed.",
    ),
    *said(
        Class.POLICY, "gmx-policy", by="gmx",
        words=r"reject due to policy restrictions",
        example="554-Transaction failed 554-Reject due to policy restrictions.",
    ),
    *said(
        Class.SENDER_REFUSED, "gmx-sender-domain", by="gmx",
        words=r"invalid dns mx or a/aaaa resource record",
        example="550-Requested action not taken: mailbox unavailable 550 invalid DNS MX or "
                "A/AAAA resource record.",
    ),
)  # fmt: skip

# The table of NetEase for senders, as https://biecuoliao.com/pa/MBRrwEM.html keeps it, and
# Coremail's words, as https://www.icoremail.vip/support/ lists them; both read on 2026-11-28. HL
# speaks of the address, MI of the sender, RP of the recipients, DT of the content.
NETEASE = (
    *said(
        Class.AUTHENTICATION, "netease-authentication", by="netease",
        words=r"\b(mi|dt):(spf|dma|dkim|dmarc)\b",
        example="550 MI:SPF 163 mx12,192.0.2.1",
    ),
    *said(
        Class.REPUTATION, "netease-host", by="netease",
        words=r"\bhl:(rep|mep|ihu|itc|ipb|icf|rbl)\b"
              r"|requested mail action not taken: invalid ip"
              r"|^(requested action not taken: )?ip is (hangup|rejected)",
        example="421 HL:MEP 163 smtp14,192.0.2.1",
    ),
    *said(
        Class.RATE_LIMITED, "netease-pace", by="netease",
        words=r"\bhl:(icc|ifc|icq)\b|\b(mi|rp):(dmc|sfq|stc|drc|qrc|trc|rcl|cel|ccl|frl)\b",
        example="421 HL:ICC 163 smtp14,192.0.2.1",
    ),
    *said(
        Class.CONTENT, "netease-form", by="netease",
        words=r"\bdt:(sum|err)\b",
        example="554 DT:SUM 163 smtp7,192.0.2.1",
    ),
    *said(
        Class.SENDER_REFUSED, "coremail-sender", by="netease",
        words=r"sender is rejected|fake sender|requested action not taken: no smtp mx only",
        example="550 Requested mail action not taken: Fake sender",
    ),
    *said(
        Class.RECIPIENT_REFUSED, "coremail-recipient", by="netease",
        words=r"rcpt is rejected",
        example="550 rcpt is rejected",
    ),
    *said(
        Class.MAILBOX_DISABLED, "coremail-suspended", by="netease",
        words=r"^(requested action not taken: )?user (suspended|hangup|is locked)",
        example="550 User suspended",
    ),
)  # fmt: skip

# https://smtp.codes/qq, read on 2026-11-28. "Access denied" there is a mailbox that just now gets
# too much; it answers so for others, too.
TENCENT = (
    *said(
        Class.RATE_LIMITED, "qq-frequency", by="tencent",
        words=r"(domain|sender|ip|connection) frequency limited",
        example="550 Domain frequency limited.",
    ),
    *said(
        Class.CONTENT, "qq-content", by="tencent", detail="spam",
        words=r"mail content denied|error: content rejected",
        example="550 Mail content denied.",
    ),
)  # fmt: skip


# https://www.suped.com/knowledge/email-deliverability/technical/how-to-interpret-aupi-1300-cloudmark-email-bounce-codes-from-charter
# and Spectrum's page as it is told there, read on 2026-11-28: 13x0 of Charter's hosts are limits
# but for 1370, an address that is blocked.
CHARTER = (
    *said(
        Class.RATE_LIMITED, "charter-rate", by="spectrum",
        words=r"\baup#(in?-)?13[1-568]0\b",
        example="421 cmsmtp 192.0.2.1 Too many AUP#In-1340",
    ),
)  # fmt: skip

# http://postmaster.cox.net/confluence/display/postmaster/Error+Codes, read on 2026-11-28.
COX = (
    *said(
        Class.REPUTATION, "cox-listed", by="cox",
        words=r"\b(cdrbl|ipbl[01]{4}|lbl|blbl|cxdns)\b(?!\.)",
        example="554 AUP#CDRBL",
    ),
)  # fmt: skip


# Google's own look-up. One resolver's answer is no proof that a domain is gone; a null MX is, and
# is read elsewhere. https://support.google.com/mail/answer/7720, read on 2026-11-28.
GOOGLE = (
    *said(
        Class.NETWORK, "google-dns", by="google", detail="dns",
        words=r"dns error: .{0,20}dns type .{0,120}(nxdomain|servfail|timed? ?out"
              r"|domain name not found)",
        example="DNS Error: 39857475 DNS type 'mx' lookup of example.invalid responded "
                "with code NXDOMAIN",
    ),
)  # fmt: skip

# Outlook.com's report about a domain that it could not look up.
# https://learn.microsoft.com/troubleshoot/exchange/email-delivery/ndr/, read on 2026-11-28.
MICROSOFT = (
    *said(
        Class.UNKNOWN_DOMAIN, "outlook-domain", by="microsoft",
        words=r"because the domain is not reachable",
        example="The mail could not be delivered to the recipient because the domain is "
                "not reachable.",
    ),
    *said(
        Class.REPUTATION, "outlook-network", by="microsoft",
        words=r"part of their network is on our block list|banned sender ?\[",
        example="550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent: part "
                "of their network is on our block list.",
    ),
)  # fmt: skip

# Verizon's and AT&T's gateways to telephones say it of their own customers.
TELEPHONES = (
    *said(
        Class.UNKNOWN_USER, "verizon-invalid", by="verizon", says_so_itself=True,
        words=r"error: invalid user address|no valid recipients for this mm\b",
        example="Error: Invalid user address",
    ),
)  # fmt: skip

# https://www.docomo.ne.jp/service/imode_mail/notice/mass_send/,
# https://www.au.com/mobile/service/attention/ and https://note.com/sendmagic/n/neb6bbe7e51cf,
# n875d8dcb6cb8, n5afbf98aeb25, read on 2026-11-28; Y!mobile answers as SoftBank does, and Rakuten
# Mobile, OCN, BIGLOBE, nifty and Yahoo! JAPAN publish no codes: their answers are those that
# everybody uses.
JAPAN = (
    *said(
        Class.TOO_LARGE, "docomo-line", by="nttdocomo", of=("docomo",),
        words=r"^line too long",
        example="500 Line Too Long",
    ),
    *said(
        Class.MAILBOX_FULL, "docomo-full", by="nttdocomo", of=("docomo",),
        words=r"too much mail data",
        example="552 Too much mail data hanako@docomo.ne.jp",
    ),
    *said(
        Class.RELAY_DENIED, "au-form", by="kddi", of=("au",),
        words=r"@>?: relay access denied",
        example="554 <hanako@au.com>: Relay access denied",
    ),
)  # fmt: skip

PROVIDER_CODES: tuple[BounceRule, ...] = (
    *APPLE, *YANDEX, *TONLINE, *UNITED_INTERNET, *NETEASE, *TENCENT, *GODADDY, *ZOHO, *MIMECAST,
    *CHARTER, *COX, *MESSAGELABS, *SOPHOS, *GATEWAYS, *GOOGLE, *MICROSOFT, *TELEPHONES, *JAPAN,
    *REGIONAL,
)  # fmt: skip
