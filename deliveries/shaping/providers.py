"""The shipped shaping rules: how the receivers that matter want to be written to.

Where a receiver publishes no figure, the one here is a conservative guess and says so: the window and the rate that are learned
find the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Rule:
    """One receiver: how it is recognised, and its limits for one lane. None is the default rule's value, and there no limit.

    `mx_suffixes` match whole labels of a mail host's name, `domains` a recipient's domain or one above it. Time-outs in seconds.
    `resets_are_throttling`: a connection that is reset, refused or met with silence means "too fast", not "out of order".
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
    connect_timeout: int | None = None
    greeting_timeout: int | None = None
    reply_timeout: int | None = None
    body_timeout: int | None = None
    tls: str = ""
    resets_are_throttling: bool = False


# Ten connections and 100 messages on each are what receivers are used to: the defaults of KumoMTA's community configuration
# (assets/policy-extras/shaping.toml), and half of Postfix's default_destination_concurrency_limit of 20. The time-outs are the
# least that RFC 5321, section 4.5.3.2, allows, but for the connection, which it leaves open.
DEFAULT = Rule(
    "default", "All others", connections=10, messages_per_connection=100, recipients_per_transaction=1, connect_timeout=30,
    greeting_timeout=300, reply_timeout=300, body_timeout=600,
)  # fmt: skip

RULES: tuple[Rule, ...] = (
    # Gmail and Google Workspace share their hosts. https://support.google.com/mail/answer/81126 asks to raise the volume slowly and to
    # watch for 421 and 4.7.28; the figures are those of KumoMTA's community configuration.
    Rule(
        "google", "Google (Gmail, Workspace)", ("google.com", "googlemail.com", "smtp.goog"), ("gmail.com", "googlemail.com"),
        connections=5, messages_per_connection=50,
    ),
    # https://sendersupport.olc.protection.outlook.com/pm/Policies names limits by reputation and no figure for a new sender; the
    # figures are those of KumoMTA's community configuration.
    Rule(
        "microsoft", "Microsoft (Outlook.com, Hotmail)", ("olc.protection.outlook.com",),
        ("outlook.com", "outlook.jp", "hotmail.com", "hotmail.co.jp", "live.com", "live.jp", "msn.com"),
        connections=5, messages_per_connection=50,
    ),
    # Each organisation has a host name of its own, and so a lane; the figures as above. `mx.microsoft` are the hosts with DANE:
    # https://learn.microsoft.com/purview/how-smtp-dane-works
    Rule(
        "microsoft365", "Microsoft 365", ("mail.protection.outlook.com", "mx.microsoft"),
        connections=5, messages_per_connection=50,
    ),
    # https://senders.yahooinc.com/best-practices: at most 20 messages for each connection; connections by reputation, here a guess.
    Rule(
        "yahoo", "Yahoo, AOL", ("yahoodns.net", "aol.com"), ("yahoo.com", "ymail.com", "aol.com", "rocketmail.com"),
        connections=5, messages_per_connection=20,
    ),
    # Yahoo! JAPAN runs hosts of its own and publishes no figure (https://support.yahoo-net.jp/PccMail/): a conservative guess.
    Rule(
        "yahoo-japan", "Yahoo! JAPAN", ("mail.yahoo.co.jp", "ybb.ne.jp"), ("yahoo.co.jp", "ybb.ne.jp"),
        connections=5, messages_per_connection=20,
    ),
    # https://support.apple.com/en-us/102322 asks for good lists and no more; the figures are KumoMTA's community configuration's.
    Rule("icloud", "Apple (iCloud)", ("icloud.com",), ("icloud.com", "me.com", "mac.com"), connections=10, messages_per_connection=5),
    # https://www.docomo.ne.jp/service/imode_mail/notice/mass_send/: an "appropriate number" of sessions, at most 100 recipients in
    # one, and connections are refused for a time above that. The figures are a conservative guess.
    Rule(
        "docomo", "NTT docomo", ("docomo.ne.jp", "spmode.ne.jp"), ("docomo.ne.jp",),
        connections=4, messages_per_connection=50, recipients_per_transaction=1, per_second=20, resets_are_throttling=True,
    ),
    # https://www.au.com/mobile/service/attention/: no figures on purpose ("the load varies"), but neither many sessions at once nor
    # long ones, else reception is blocked for a time. The figures are a conservative guess.
    Rule(
        "au", "KDDI (au, UQ mobile)", ("au.com", "ezweb.ne.jp", "kddi.ne.jp"), ("au.com", "ezweb.ne.jp", "uqmobile.jp", "biz.au.com"),
        connections=3, messages_per_connection=30, per_second=10, resets_are_throttling=True,
    ),
    # https://www.softbank.jp/mobile/support/antispam/wrestle/: clean lists, and "take time". The figures are a conservative guess.
    Rule(
        "softbank", "SoftBank, Y!mobile", ("softbank.ne.jp", "softbank.jp", "vodafone.ne.jp", "ymobile.ne.jp"),
        ("softbank.ne.jp", "i.softbank.jp", "vodafone.ne.jp", "disney.ne.jp", "disneymobile.ne.jp", "ymobile.ne.jp", "ymobile1.ne.jp"),
        connections=3, messages_per_connection=30, per_second=10, resets_are_throttling=True,
    ),
    # Rakuten Mobile publishes nothing: treated as the other carriers, a conservative guess.
    Rule(
        "rakuten", "Rakuten Mobile", ("rakumail.jp",), ("rakumail.jp", "rakuten.jp"),
        connections=3, messages_per_connection=30, per_second=10, resets_are_throttling=True,
    ),
    # https://postmaster.gmx.net/ publishes reply codes and no figures; operators report 421 for more than a few connections of a new
    # address. A conservative guess.
    Rule(
        "gmx", "GMX, Web.de, mail.com", ("gmx.net", "web.de", "mail.com"), ("gmx.net", "gmx.de", "web.de", "mail.com"),
        connections=5, messages_per_connection=50,
    ),
    # https://spa.xfinity.com/postmaster: 25 connections at once for one address, 1,000 messages on each.
    Rule("comcast", "Comcast (Xfinity)", ("comcast.net",), ("comcast.net",), connections=25, messages_per_connection=1000),
    # https://postmaster.orange.fr/: few connections at once, else OFR "too many connections, slow down"; three is what operators
    # and KumoMTA's community configuration use.
    Rule(
        "orange", "Orange, Wanadoo", ("orange.fr", "wanadoo.fr", "wanadoo.com"), ("orange.fr", "wanadoo.fr", "voila.fr"),
        connections=3, messages_per_connection=50,
    ),
    # https://help.mail.ru/postmaster names no figure for connections: a conservative guess.
    Rule(
        "mail-ru", "Mail.ru", ("mail.ru",), ("mail.ru", "inbox.ru", "list.ru", "bk.ru"),
        connections=5, messages_per_connection=50,
    ),
    # Tencent keeps its limits by minute, hour and day secret and says so (https://service.exmail.qq.com/): a conservative guess.
    Rule(
        "qq", "Tencent (QQ, exmail)", ("qq.com",), ("qq.com", "foxmail.com"),
        connections=3, messages_per_connection=20, per_second=5,
    ),
    # NetEase limits connections (HL:ICC), messages in a time (HL:IFC) and on one connection (MI:DMC), without figures
    # (https://mail.163.com/postmaster/): a conservative guess.
    Rule(
        "netease", "NetEase (163, 126)", ("netease.com", "163.com", "126.com", "yeah.net"), ("163.com", "126.com", "yeah.net"),
        connections=3, messages_per_connection=20, per_second=5,
    ),
)  # fmt: skip


def match(rules: Sequence[Rule], *, hosts: Sequence[str], domain: str) -> Rule:
    """The rule for a site with these hosts (the best first), to which this recipient domain ("" for any) led.

    A host's name says most: the longest suffix that fits, of the best host that any rule knows. Then the domain; then `DEFAULT`.
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


def effective(rule: Rule, default: Rule) -> Rule:
    """The rule with what it leaves open filled in."""
    open_ones = [field.name for field in fields(rule) if getattr(rule, field.name) in (None, "")]
    return replace(rule, **{name: getattr(default, name) for name in open_ones})


def _upwards(name: str) -> Iterator[str]:
    """`a.b.test`, `b.test`, `test`."""
    labels = name.rstrip(".").lower().split(".")
    for number in range(len(labels)):
        yield ".".join(labels[number:])
