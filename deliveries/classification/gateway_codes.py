"""Codes and set words of filtering gateways and hosting companies, each group with its page and the
day it was read.

How they are asked is said in `deliveries.classification.provider_codes`.
"""

from __future__ import annotations

from deliveries.classification.rules import said
from suppressions.classes import Class

# https://www.godaddy.com/help/fix-rejected-email-with-a-bounce-error-40685, read on 2026-11-28: the
# number says what the words mean.
GODADDY = (
    *said(
        Class.SYSTEM, "godaddy-busy", by="godaddy",
        words=r"\bib101\b",
        example="421 Server temporarily unavailable. Try again later. IB101",
    ),
    *said(
        Class.REPUTATION, "godaddy-host", by="godaddy",
        words=r"\bib1(0[2-9]|1\d)[a-z]?\b",
        example="554 Connection refused. IB108",
    ),
    *said(
        Class.AUTHENTICATION, "godaddy-spf", by="godaddy",
        words=r"\bib508\b",
        example="550 Sender has an invalid SPF record. IB508",
    ),
    *said(
        Class.SENDER_REFUSED, "godaddy-sender", by="godaddy",
        words=r"\bib50\d\b",
        example="550 From: Domain is invalid. IB506",
    ),
    *said(
        Class.RATE_LIMITED, "godaddy-rate", by="godaddy",
        words=r"\bib60[0-9][a-z]?\b",
        example="550 Daily quota exceeded. IB607",
    ),
    *said(
        Class.CONTENT, "godaddy-content", by="godaddy", detail="spam",
        words=r"\bib(2|7)\d\d\b",
        example="552 Message rejected for content. IB212",
    ),
)  # fmt: skip


# https://smtp.codes/zoho, read on 2026-11-28.
ZOHO = (
    *said(
        Class.POLICY, "zoho-restricted", by="zoho",
        words=r"mailbox delivery (restricted by|failure) policy error",
        example="552 5.1.1 <hanako@example.test> Mailbox delivery failure policy error",
    ),
    *said(
        Class.RATE_LIMITED, "zoho-activity", by="zoho",
        words=r"unusual sending activity",
        example="550 5.4.6 Unusual sending activity detected. Please try after sometime",
    ),
)  # fmt: skip


# https://mimecastsupport.zendesk.com/hc/en-us/articles/34000709564691, read on 2026-11-28.
MIMECAST = (
    *said(
        Class.REPUTATION, "mimecast-listed", by="mimecast",
        words=r"ip temporarily blacklisted",
        example="451 IP Temporarily Blacklisted",
    ),
    *said(
        Class.AUTHENTICATION, "mimecast-spoofing", by="mimecast",
        words=r"anti-?spoofing",
        example="550 Rejected by header based Anti-Spoofing policy",
    ),
    *said(
        Class.CONTENT, "mimecast-content", by="mimecast",
        words=r"content examination|spam signature policy",
        example="550 Message bounced due to Content Examination Policy",
    ),
    *said(
        Class.POLICY, "mimecast-network", by="mimecast",
        words=r"^host network not allowed",
        example="554 Host network not allowed",
    ),
    *said(
        Class.SYSTEM, "mimecast-unavailable", by="mimecast", of=("mimecast",),
        words=r"unable to process connection at this time|account service is temporarily",
        example="421 Unable to process connection at this time",
    ),
)  # fmt: skip


# https://knowledge.broadcom.com/external/article/162445, read on 2026-11-28, and the numbers in
# brackets of its service.
MESSAGELABS = (
    *said(
        Class.POLICY, "messagelabs-policy", by="messagelabs",
        words=r"connection rejected by policy \[7\.\d\]|mail data refused by",
        example="501 Connection rejected by policy [7.7] 38520",
    ),
)  # fmt: skip


# https://docs.sophos.com/central/customer/help/en-us/ManageYourProducts/EmailSecurity/SMTPErrorCodes/,
# read on 2026-11-29. 0011 is a list of addresses at the gateway, and says nothing of the mailbox.
SOPHOS = (
    *said(
        Class.AUTHENTICATION, "sophos-authentication", by="sophos",
        words=r"xgemail_000[123]\b",
        example="550 5.7.1 XGEMAIL_0003 Command rejected",
    ),
    *said(
        Class.REPUTATION, "sophos-listed", by="sophos",
        words=r"xgemail_000[45]\b",
        example="550 5.7.1 XGEMAIL_0004 Command rejected",
    ),
    *said(
        Class.POLICY, "sophos-policy", by="sophos",
        words=r"xgemail_000[68]\b",
        example="550 5.7.1 XGEMAIL_0008 Command rejected",
    ),
    *said(
        Class.SYSTEM, "sophos-license", by="sophos",
        words=r"xgemail_0007\b",
        example="550 5.7.1 XGEMAIL_0007 Command rejected",
    ),
    *said(
        Class.RECIPIENT_REFUSED, "sophos-user", by="sophos",
        words=r"xgemail_00(09|11)\b",
        example="550 5.7.1 XGEMAIL_0011 Command rejected",
    ),
    *said(
        Class.RELAY_DENIED, "sophos-domain", by="sophos",
        words=r"xgemail_0010\b",
        example="550 5.7.1 XGEMAIL_0010 Command rejected",
    ),
    *said(
        Class.TOO_LARGE, "sophos-size", by="sophos",
        words=r"xgemail_0012\b",
        example="552 5.3.4 XGEMAIL_0012 Command rejected",
    ),
    *said(
        Class.RATE_LIMITED, "sophos-rate", by="sophos",
        words=r"xgemail_001[345]\b",
        example="450 4.7.1 XGEMAIL_0014 Command rejected",
    ),
)  # fmt: skip


# Words of gateways that stand before many receivers; each maker's own support pages, read on
# 2026-11-28. Proofpoint: https://ipcheck.proofpoint.com; Barracuda: https://campus.barracuda.com;
# Cisco's SMTP answers:
# https://www.cisco.com/c/en/us/support/docs/security/email-security-appliance/; Trend Micro:
# https://servicecentral.trendmicro.com.
GATEWAYS = (
    *said(
        Class.POLICY, "gateway-local", by="proofpoint",
        words=r"local policy violation",
        example="550 5.7.0 Local Policy Violation",
    ),
    *said(
        Class.REPUTATION, "gateway-trend", by="trendmicro",
        words=r"trend micro (email )?(reputation|rbl)|blocked using trend micro",
        example="550 5.7.1 Client host [192.0.2.1] blocked using Trend Micro Email "
                "Reputation Service.",
    ),
    *said(
        Class.RELAY_DENIED, "gateway-trend-domain", by="trendmicro",
        words=r"\bno-domain\b",
        example="554 5.7.1 <hanako@example.test>: Recipient address rejected: NO-DOMAIN.",
    ),
    *said(
        Class.REPUTATION, "gateway-cisco", by="cisco",
        words=r"access to (submit messages to )?this (e-?mail"
              r"|mail) system has been (rejected|denied)",
        example="554 #5.7.1 Your access to submit messages to this e-mail system has "
                "been rejected.",
    ),
)  # fmt: skip
