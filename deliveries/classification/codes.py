"""What codes alone say (RFC 5321, RFC 3463 and its registry, Microsoft's own): the last word where
no phrase is known.
"""

from __future__ import annotations

from deliveries.smtp.outcomes import Stage
from suppressions.classes import Class

# Without the first digit, which says how long it will last and not what it is.
# https://www.iana.org/assignments/smtp-enhanced-status-codes
ENHANCED = {
    "1.0": Class.RECIPIENT_REFUSED,
    "1.1": Class.UNKNOWN_USER,
    "1.2": Class.UNKNOWN_DOMAIN,
    "1.3": Class.UNKNOWN_USER,
    "1.4": Class.RECIPIENT_REFUSED,  # several bear the name: nobody is missing
    "1.6": Class.UNKNOWN_USER,
    "1.7": Class.SENDER_REFUSED,
    "1.8": Class.SENDER_REFUSED,
    "1.9": Class.RELAY_DENIED,
    "1.10": Class.NETWORK,
    "2.0": Class.RECIPIENT_REFUSED,
    "2.1": Class.MAILBOX_DISABLED,
    "2.2": Class.MAILBOX_FULL,
    "2.3": Class.TOO_LARGE,
    "2.4": Class.SYSTEM,
    "3.0": Class.SYSTEM,
    "3.1": Class.SYSTEM,
    "3.2": Class.SYSTEM,
    "3.3": Class.SYSTEM,
    "3.4": Class.TOO_LARGE,
    "3.5": Class.SYSTEM,
    "4.0": Class.NETWORK,
    "4.1": Class.NETWORK,
    "4.2": Class.NETWORK,
    "4.3": Class.NETWORK,
    "4.4": Class.NETWORK,
    "4.5": Class.RATE_LIMITED,
    "4.6": Class.NETWORK,
    "4.7": Class.NETWORK,
    "5.0": Class.SYSTEM,
    "5.1": Class.SYSTEM,
    "5.2": Class.SYSTEM,
    "5.3": Class.RATE_LIMITED,
    "5.4": Class.SYSTEM,
    "5.5": Class.SYSTEM,
    "6.0": Class.CONTENT,
    "6.1": Class.CONTENT,
    "6.2": Class.CONTENT,
    "6.3": Class.CONTENT,
    "6.4": Class.CONTENT,
    "6.5": Class.CONTENT,
    "6.6": Class.CONTENT,
    "6.7": Class.CONTENT,
    "6.8": Class.CONTENT,
    "6.9": Class.CONTENT,
    "6.10": Class.CONTENT,
    "7.0": Class.POLICY,
    "7.1": Class.POLICY,
    "7.2": Class.POLICY,
    "7.3": Class.POLICY,
    "7.4": Class.NETWORK,
    "7.5": Class.NETWORK,
    "7.6": Class.POLICY,
    "7.7": Class.CONTENT,
    "7.8": Class.POLICY,
    "7.9": Class.POLICY,
    "7.10": Class.NETWORK,
    "7.11": Class.NETWORK,
    "7.12": Class.POLICY,
    "7.13": Class.MAILBOX_DISABLED,
    "7.14": Class.POLICY,
    "7.15": Class.POLICY,
    "7.16": Class.POLICY,
    "7.17": Class.UNKNOWN_USER,
    "7.18": Class.UNKNOWN_DOMAIN,
    "7.19": Class.RATE_LIMITED,
    "7.20": Class.AUTHENTICATION,
    "7.21": Class.AUTHENTICATION,
    "7.22": Class.AUTHENTICATION,
    "7.23": Class.AUTHENTICATION,
    "7.24": Class.AUTHENTICATION,
    "7.25": Class.REPUTATION,
    "7.26": Class.AUTHENTICATION,
    "7.27": Class.SENDER_REFUSED,
    "7.28": Class.RATE_LIMITED,
    "7.29": Class.AUTHENTICATION,
    "7.30": Class.NETWORK,
    # https://learn.microsoft.com/troubleshoot/exchange/email-delivery/ndr/non-delivery-reports-in-exchange-online;
    # three digits are Microsoft's alone.
    "1.351": Class.UNKNOWN_USER,
    "2.121": Class.RATE_LIMITED,
    "2.122": Class.RATE_LIMITED,
    "4.14": Class.NETWORK,
    "4.300": Class.NETWORK,
    "4.310": Class.UNKNOWN_DOMAIN,
    "4.312": Class.NETWORK,
    "4.316": Class.NETWORK,
    "1.20": Class.CONTENT,
    "1.90": Class.RATE_LIMITED,
    "6.11": Class.CONTENT,
    "7.57": Class.POLICY,
    "7.60": Class.POLICY,
    "7.64": Class.RELAY_DENIED,
    "7.124": Class.POLICY,
    "7.129": Class.POLICY,
    "7.133": Class.POLICY,
    "7.134": Class.POLICY,
    "7.136": Class.POLICY,
    "7.193": Class.POLICY,
    "7.232": Class.RATE_LIMITED,
    "7.233": Class.RATE_LIMITED,
    "7.321": Class.NETWORK,
    "7.322": Class.NETWORK,
    "7.323": Class.NETWORK,
    "7.324": Class.NETWORK,
    "7.325": Class.NETWORK,
    "7.500": Class.RATE_LIMITED,
    "7.501": Class.REPUTATION,
    "7.502": Class.REPUTATION,
    "7.503": Class.REPUTATION,
    "7.504": Class.RECIPIENT_REFUSED,
    "7.505": Class.RECIPIENT_REFUSED,
    "7.506": Class.REPUTATION,
    "7.507": Class.RECIPIENT_REFUSED,
    "7.508": Class.RATE_LIMITED,
    "7.509": Class.AUTHENTICATION,
    "7.510": Class.RECIPIENT_REFUSED,
    "7.511": Class.REPUTATION,
    "7.512": Class.CONTENT,
    "7.513": Class.REPUTATION,
    "7.515": Class.AUTHENTICATION,
    "7.550": Class.REPUTATION,
    "7.650": Class.REPUTATION,
    "7.703": Class.RECIPIENT_REFUSED,
    "7.705": Class.RATE_LIMITED,
    "7.708": Class.REPUTATION,
    "7.750": Class.POLICY,
    "7.1000": Class.POLICY,
}
DETAILS = {
    "1.6": "moved", "1.10": "accepts_no_mail", "3.1": "storage", "4.1": "connection",
    "4.2": "connection", "4.3": "dns", "4.6": "loop",
    "4.7": "expired", "4.14": "loop", "5.3": "recipients", "7.4": "tls", "7.5": "tls",
    "7.10": "tls", "7.11": "tls",
    "7.25": "name_of_host", "7.30": "tls",
}  # fmt: skip
# What single receivers mean by codes of which IANA's list says something else, or nothing.
# https://knowledge.workspace.google.com/admin/support/troubleshooting/gmail-smtp-errors-and-codes
# and https://support.google.com/a/answer/14229414 (7.31 there is what the list calls 7.40): 7.26
# neither SPF nor DKIM, 7.27 SPF, 7.30 DKIM, 7.32 alignment, 7.40 no DMARC record.
# https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/deprecation-of-basic-authentication-exchange-online:
# 7.30 is a log-in by password that is no longer taken. All read on 2026-11-29.
_GMAIL = dict.fromkeys(("7.26", "7.27", "7.30", "7.31", "7.32", "7.40"), Class.AUTHENTICATION)
_EXCHANGE = {"7.30": Class.POLICY, "7.515": Class.AUTHENTICATION}
BY_PROVIDER = {"google": _GMAIL, "microsoft": _EXCHANGE, "microsoft365": _EXCHANGE}
BANNED = range(606, 650)  # 5.7.606 to 5.7.649: "Access denied, banned sending IP"

# RFC 5321, section 4.2.3. A bare 550 says "no" and nothing more, so what it means depends on what
# was asked.
BARE = {
    421: Class.NETWORK, 432: Class.RATE_LIMITED, 450: Class.OTHER, 451: Class.SYSTEM,
    452: Class.SYSTEM, 454: Class.SYSTEM,
    500: Class.SYSTEM, 501: Class.SYSTEM, 502: Class.SYSTEM, 503: Class.SYSTEM, 504: Class.SYSTEM,
    521: Class.NETWORK, 530: Class.POLICY,
    534: Class.POLICY, 535: Class.POLICY, 550: Class.POLICY, 551: Class.UNKNOWN_USER,
    552: Class.MAILBOX_FULL, 553: Class.RECIPIENT_REFUSED,
    554: Class.POLICY, 555: Class.SYSTEM, 556: Class.NETWORK, 571: Class.POLICY,
}  # fmt: skip
NO_MAIL = {521, 556}  # RFC 7504: this host, or this domain, takes no mail
NO_MAIL_TOO = {"3.2", "1.10"}  # the enhanced codes that come with them (RFC 7504, section 3)

AT_STAGE = {
    Stage.DNS: Class.NETWORK, Stage.CONNECT: Class.NETWORK, Stage.GREETING: Class.REPUTATION,
    Stage.EHLO: Class.REPUTATION,
    Stage.STARTTLS: Class.NETWORK, Stage.AUTH: Class.SYSTEM, Stage.MAIL: Class.SENDER_REFUSED,
    Stage.RCPT: Class.RECIPIENT_REFUSED,
    Stage.EXPIRY: Class.NETWORK, Stage.INTERRUPTED: Class.SYSTEM,
}  # fmt: skip


# Before RCPT, who is unknown can only be the sender, or this host.
ABOUT_US = {
    Stage.GREETING: Class.REPUTATION,
    Stage.EHLO: Class.REPUTATION,
    Stage.MAIL: Class.SENDER_REFUSED,
}

# Said for want of anything better, or of many things: words count for more.
VAGUE = {
    "0.0",
    "1.0",
    "2.0",
    "2.1",
    "3.0",
    "3.2",
    "4.0",
    "4.1",
    "4.4",
    "4.5",
    "5.0",
    "5.1",
    "5.2",
    "5.4",
    "7.0",
    "7.1",
    "7.2",
}


_WANT_WORDS = (None, Class.UNKNOWN_USER, Class.UNKNOWN_DOMAIN, Class.AUTHENTICATION)


def by_telling(enhanced: str, provider: str = "") -> Class | None:
    """Return what an enhanced code says that is used for one thing only, or None."""
    return None if enhanced[2:] in VAGUE else by_enhanced(enhanced, provider)


def by_enhanced(enhanced: str, provider: str = "") -> Class | None:
    """Return what it says, or what this receiver means by it."""
    _, _, rest = enhanced.partition(".")
    if (own := BY_PROVIDER.get(provider, {}).get(rest)) is not None:
        return own
    if rest.startswith("7.") and rest[2:].isdigit() and int(rest[2:]) in BANNED:
        return Class.REPUTATION
    return ENHANCED.get(rest)


def is_own(enhanced: str, provider: str) -> bool:
    """Tell whether this receiver means its own thing by the code."""
    return enhanced[2:] in BY_PROVIDER.get(provider, {})


def is_exact(enhanced: str) -> bool:
    """Tell whether it is one of Microsoft's codes of three digits: each names one rule.

    Not those of dead addresses, which want words beside them, or of authentication, whose words
    say which check it was.
    """
    number = enhanced[2:].partition(".")[2]
    return len(number) >= 3 and ENHANCED.get(enhanced[2:]) not in _WANT_WORDS


def detail(enhanced: str, provider: str = "") -> str:
    """Return the detail of an enhanced code, where this receiver uses it as the registry says."""
    return "" if is_own(enhanced, provider) else DETAILS.get(enhanced[2:], "")


def by_code(code: int, stage: Stage | None) -> Class | None:
    if code in (550, 554) and stage in AT_STAGE:
        return AT_STAGE[stage]
    return BARE.get(code)


def is_of_sender(stage: Stage | None, enhanced: str) -> bool:
    """Tell whether a domain that is unknown is the sender's: who has taken the recipient knows that
    domain, unless the code is about it.
    """
    return stage in (Stage.DATA, Stage.BODY) and enhanced[2:] != "1.2"
