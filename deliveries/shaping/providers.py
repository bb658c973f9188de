"""The shipped shaping rules: how the receivers that matter want to be written to.

Where a receiver publishes no figure, the one here is a conservative guess and says so: the window
and the rate that are learned find the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class ReceiverRule:
    """One receiver: how it is recognised, and its limits for one lane.

    None is the default rule's value, and there no limit.

    `mx_suffixes` match whole labels of a mail host's name, `domains` a recipient's domain or one
    above it. Time-outs in seconds. `resets_are_throttling`: a connection that is reset, refused or
    met with silence means "too fast", not "out of order".
    """

    name: str
    title: str
    mx_suffixes: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    connections: int | None = None
    connections_per_minute: int | None = None
    messages_per_connection: int | None = None
    recipients_per_transaction: int | None = None
    per_second: int | None = None
    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    connect_timeout: int | None = None
    greeting_timeout: int | None = None
    reply_timeout: int | None = None
    body_timeout: int | None = None
    tls: str = ""
    resets_are_throttling: bool = False


# What is called KumoMTA below are the files assets/policy-extras/shaping.toml and
# assets/community/shaping.toml of KumoCorp/kumomta, which hold what providers told its makers and
# what its operators found. The pages of Google (81126), Microsoft, Yahoo, Apple and Comcast are
# named as it names them.

# KumoMTA's default, and half of Postfix's default_destination_concurrency_limit of 20. The
# time-outs are the least that RFC 5321, section 4.5.3.2, allows, but for the connection, which it
# leaves open.
DEFAULT = ReceiverRule(
    "default", "All others", connections=10, messages_per_connection=100,
    recipients_per_transaction=1, connect_timeout=30,
    greeting_timeout=300, reply_timeout=300, body_timeout=600,
)  # fmt: skip

RULES: tuple[ReceiverRule, ...] = (
    # Gmail and Google Workspace share their hosts. https://support.google.com/mail/answer/81126
    # asks to raise the volume slowly and names no figure: these are KumoMTA's. Without TLS it
    # limits large senders (4.7.29, https://support.google.com/a/answer/3726730).
    ReceiverRule(
        "google",
        "Google (Gmail, Workspace)",
        ("google.com", "googlemail.com"),
        ("gmail.com", "googlemail.com"),
        connections=5,
        messages_per_connection=50,
        tls="required",
    ),
    # https://sendersupport.olc.protection.outlook.com/pm/Policies: limits by reputation, no figure
    # for a new sender. KumoMTA's figures.
    ReceiverRule(
        "microsoft",
        "Microsoft (Outlook.com, Hotmail)",
        ("olc.protection.outlook.com",),
        (
            "outlook.com",
            "outlook.jp",
            "hotmail.com",
            "hotmail.co.jp",
            "live.com",
            "live.jp",
            "msn.com",
        ),
        connections=5,
        messages_per_connection=50,
    ),
    # Each organisation has a host name of its own, and so a lane; the figures as above. The hosts
    # with DANE are under mx.microsoft:
    # https://techcommunity.microsoft.com/t5/exchange-team-blog/implementing-inbound-smtp-dane-with-dnssec-for-exchange-online/ba-p/3939694
    ReceiverRule(
        "microsoft365",
        "Microsoft 365",
        ("mail.protection.outlook.com", "mx.microsoft"),
        connections=5,
        messages_per_connection=50,
    ),
    # https://senders.yahooinc.com/best-practices; the 20 messages are Yahoo's word to KumoMTA.
    # Connections: a conservative guess.
    ReceiverRule(
        "yahoo",
        "Yahoo, AOL",
        ("yahoodns.net", "aol.com"),
        ("yahoo.com", "ymail.com", "aol.com", "rocketmail.com"),
        connections=5,
        messages_per_connection=20,
    ),
    # Its hosts are mx1 to mx5.mail.yahoo.co.jp. KumoMTA's figures (community). That it stops
    # answering those who sent too much, for half a day to a whole one, is what
    # https://www.y-ml.com/help/deliveryerror/50-connection-timeout.html tells, of the carriers too.
    ReceiverRule(
        "yahoo-japan",
        "Yahoo! JAPAN",
        ("mail.yahoo.co.jp",),
        ("yahoo.co.jp", "ybb.ne.jp"),
        connections=2,
        messages_per_connection=20,
        per_second=10,
        resets_are_throttling=True,
    ),
    # https://support.apple.com/en-us/102322 asks for good lists and no more; KumoMTA's figures.
    ReceiverRule(
        "icloud",
        "Apple (iCloud)",
        ("icloud.com",),
        ("icloud.com", "me.com", "mac.com"),
        connections=10,
        messages_per_connection=5,
    ),
    # Its host is mfsmax.docomo.ne.jp. https://www.docomo.ne.jp/service/imode_mail/notice/mass_send/
    # and https://www.docomo.ne.jp/service/docomo_mail/smtp_notice/: an "appropriate number" of
    # sessions, at most 100 recipients in one, and reception is blocked for a time above that. The
    # figures are a conservative guess; 20 messages for each connection is what a public client for
    # the three carriers does (`MbSmtp`).
    ReceiverRule(
        "docomo",
        "NTT docomo",
        ("docomo.ne.jp",),
        ("docomo.ne.jp",),
        connections=4,
        messages_per_connection=20,
        recipients_per_transaction=1,
        per_second=20,
        resets_are_throttling=True,
    ),
    # Its hosts are lsean.ezweb.ne.jp and msmx.au.com.
    # https://www.au.com/mobile/service/attention/specification/: neither many sessions at once nor
    # long ones, and TCP RESET while reception is blocked;
    # https://www.au.com/mobile/service/attention/faq: no figures, as the load varies. A
    # conservative guess.
    ReceiverRule(
        "au",
        "KDDI (au, UQ mobile)",
        ("au.com", "ezweb.ne.jp"),
        ("au.com", "ezweb.ne.jp", "uqmobile.jp"),
        connections=3,
        messages_per_connection=20,
        per_second=10,
        resets_are_throttling=True,
    ),
    # A host of its own is mx.softbank.ne.jp.
    # https://www.softbank.jp/mobile/support/antispam/wrestle/: clean lists, and "take time". A
    # conservative guess.
    ReceiverRule(
        "softbank",
        "SoftBank, Y!mobile",
        ("softbank.ne.jp", "softbank.jp"),
        (
            "softbank.ne.jp",
            "i.softbank.jp",
            "vodafone.ne.jp",
            "disney.ne.jp",
            "ymobile.ne.jp",
            "ymobile1.ne.jp",
            "y-mobile.ne.jp",
            "yahoo.ne.jp",
        ),
        connections=3,
        messages_per_connection=20,
        per_second=10,
        resets_are_throttling=True,
    ),
    # Rakuten Mobile publishes nothing, and no host's name was found: by domain, and as the other
    # carriers. A conservative guess.
    ReceiverRule(
        "rakuten",
        "Rakuten Mobile",
        (),
        ("rakumail.jp", "rakuten.jp"),
        connections=3,
        messages_per_connection=20,
        per_second=10,
        resets_are_throttling=True,
    ),
    # https://postmaster.gmx.net/ publishes what it answers and no figures: KumoMTA's (community),
    # its TLS too.
    ReceiverRule(
        "gmx",
        "GMX, Web.de, mail.com",
        ("gmx.net", "web.de", "mail.com"),
        ("gmx.net", "gmx.de", "gmx.at", "gmx.ch", "web.de", "mail.com"),
        connections=4,
        messages_per_connection=20,
        tls="required",
    ),
    # https://spa.xfinity.com/postmaster: Comcast's word to KumoMTA, its TLS too.
    ReceiverRule(
        "comcast",
        "Comcast (Xfinity)",
        ("comcast.net",),
        ("comcast.net",),
        connections=25,
        messages_per_connection=1000,
        tls="required",
    ),
    # Two connections at once and 100 messages on each are what Orange recommends with its codes 104
    # and 109, as Sisimai has kept them (sisimai/rb-sisimai, lib/sisimai/rhost/franceptt.rb). La
    # Poste answers with the same codes.
    ReceiverRule(
        "orange",
        "Orange, Wanadoo, La Poste",
        ("orange.fr", "wanadoo.fr", "laposte.net"),
        ("orange.fr", "wanadoo.fr", "laposte.net"),
        connections=2,
        messages_per_connection=100,
    ),
    # Its rules for senders (https://help.mail.ru/mail-help/rules) name no figure for connections: a
    # conservative guess.
    ReceiverRule(
        "mail-ru",
        "Mail.ru",
        ("mail.ru",),
        ("mail.ru", "inbox.ru", "list.ru", "bk.ru"),
        connections=5,
        messages_per_connection=50,
    ),
    # Tencent has limits by minute, hour and day and says that they are secret (help of
    # exmail.qq.com). Connections, messages on each and TLS are KumoMTA's (community), the pace a
    # conservative guess.
    ReceiverRule(
        "qq",
        "Tencent (QQ, exmail)",
        ("qq.com",),
        ("qq.com", "foxmail.com"),
        connections=4,
        messages_per_connection=8,
        per_second=5,
        tls="required",
    ),
    # NetEase limits connections (HL:ICC), messages in a time (HL:IFC) and on one connection
    # (MI:DMC), without figures (http://help.163.com/09/1224/17/5RAJ4LMH00753VB8.html). KumoMTA's
    # (community), the pace a conservative guess.
    ReceiverRule(
        "netease",
        "NetEase (163, 126)",
        ("netease.com",),
        ("163.com", "126.com", "yeah.net"),
        connections=4,
        messages_per_connection=7,
        per_second=5,
        tls="required",
    ),
)


def match(rules: Sequence[ReceiverRule], *, hosts: Sequence[str], domain: str) -> ReceiverRule:
    """Return the rule for a site with these hosts, to which this recipient domain led.

    The best host comes first; "" is any domain. A host's name says most: the longest suffix that
    fits, of the best host that any rule knows. Then the domain; then `DEFAULT`.
    """
    by_suffix = {suffix: rule for rule in rules for suffix in rule.mx_suffixes}
    by_domain = {name: rule for rule in rules for name in rule.domains}
    for host in hosts:
        for suffix in _upwards(host):
            if suffix in by_suffix:
                return by_suffix[suffix]
    for name in _upwards(domain):
        if name in by_domain:
            return by_domain[name]
    return DEFAULT


def effective(rule: ReceiverRule, default: ReceiverRule) -> ReceiverRule:
    """Return the rule with what it leaves open filled in."""
    open_ones = [field.name for field in fields(rule) if getattr(rule, field.name) in (None, "")]
    return replace(rule, **{name: getattr(default, name) for name in open_ones})


def _upwards(name: str) -> Iterator[str]:
    """Yield the name and those above it: `a.b.test`, `b.test`, `test`."""
    labels = name.rstrip(".").lower().split(".")
    for number in range(len(labels)):
        yield ".".join(labels[number:])
