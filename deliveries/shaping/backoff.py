"""What receivers answer when we write too fast, too much, or from an address they will not hear: and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from deliveries.outcomes import Stage
from deliveries.shaping.rate import KEPT
from deliveries.smtp.replies import Reply

MINUTE, HOUR = 60, 3600
LOOKED_AT = 500  # characters of a reply's text


@dataclass(frozen=True, slots=True)
class SlowDown:
    """Go on with this share of the pace that was too fast; it recovers by itself."""

    kept: float = KEPT


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for so many seconds, then more slowly."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Block:
    """Send nothing until a person has looked: each further try makes a bad name worse."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Not about our pace, though it sounds like it: the delivery alone waits."""


Action = SlowDown | Pause | Block | Leave


@dataclass(frozen=True, slots=True)
class Pattern:
    """`text` is searched in the enhanced code and the text; empty sets and "" stand for any."""

    name: str
    provider: str
    text: re.Pattern[str]
    action: Action
    example: str
    codes: frozenset[int] = frozenset()
    stages: frozenset[Stage] = frozenset()

    def fits(self, reply: Reply, said: str, stage: Stage) -> bool:
        is_here = (not self.codes or reply.code in self.codes) and (not self.stages or stage in self.stages)
        return is_here and self.text.search(said) is not None


def _pattern(name: str, text: str, action: Action, example: str, *, codes: tuple[int, ...] = (), stages: tuple[Stage, ...] = ()) -> Pattern:
    """`name` is `provider/what`, or `what` alone for all."""
    provider, _, _ = name.rpartition("/")
    return Pattern(name, provider, re.compile(text, re.IGNORECASE), action, example, frozenset(codes), frozenset(stages))


OPENING = (Stage.GREETING, Stage.EHLO, Stage.MAIL)
TEMPORARY = (421, 450, 451, 452, 454)
SLOWER, HALF = SlowDown(), SlowDown(0.5)

PATTERNS: tuple[Pattern, ...] = (
    # --- Google: https://support.google.com/a/answer/3726730 (SMTP errors and codes) ---
    _pattern("google/recipient-rate", r"user you are trying to contact is receiving mail (at a rate|too quickly)", Leave(),
             "450-4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from"
             " being delivered."),
    _pattern("google/recipient-daily", r"4\.2\.1 .*receiving mail too quickly|exceeded the rate limit for receiving", Leave(),
             "452-4.2.1 The recipient has exceeded the rate limit for receiving mail."),
    _pattern("google/over-quota", r"over quota|out of storage", Leave(), "452-4.2.2 The recipient's inbox is out of storage space."),
    _pattern("google/unusual-rate", r"unusual rate of (unsolicited )?(mail|email)", Pause(10 * MINUTE),
             "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP address. To protect our users"
             " from spam, mail sent from your IP address has been temporarily rate limited."),
    _pattern("google/rate-limited", r"temporarily rate limited", Pause(10 * MINUTE),
             "421-4.7.26 Your email has been rate limited because it is unauthenticated: mail has been temporarily rate limited."),
    _pattern("google/unauthenticated", r"4\.7\.(26|27|29|30|32|40).*(rate limited|authenticat|TLS|DMARC|SPF|DKIM)", Leave(),
             "421-4.7.27 Your email has been rate limited because SPF authentication didn't pass for this message."),
    _pattern("google/try-later-closing", r"try again later, closing connection", SLOWER,
             "421-4.7.0 Try again later, closing connection. (EHLO)"),
    _pattern("google/ip-reputation", r"very low reputation of the sending (IP|domain)", Block(),
             "550-5.7.1 This message is likely suspicious due to the very low reputation of the sending IP address."),
    # --- Microsoft: https://sendersupport.olc.protection.outlook.com/pm/troubleshooting, https://learn.microsoft.com (NDR codes) ---
    _pattern("microsoft/rp-001", r"\(?RP-00[123]\)?|exceeded the (connection|number of) ", HALF,
             "421 RP-001 (BAY004) Unfortunately, some messages from 192.0.2.1 weren't sent. Please try again. The mail server IP has"
             " exceeded the rate limit allowed."),
    _pattern("microsoft/rate-limited-reputation", r"temporarily rate limited due to IP reputation|S775", Pause(90 * MINUTE),
             "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. For e-mail delivery"
             " information, see https://aka.ms/postmaster (S775)"),
    _pattern("microsoft/weren-t-sent", r"messages from \S{1,60} weren.t sent", Block(),
             "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of"
             " their network is on our block list (S3140)."),
    _pattern("microsoft/block-list", r"S31(40|50)|\bblock ?list\b", Block(),
             "550 5.7.1 part of their network is on our block list (S3150)."),
    _pattern("microsoft/server-busy", r"server busy", Pause(10 * MINUTE),
             "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (AS77712)"),
    _pattern("microsoft365/server-busy", r"server busy", Pause(10 * MINUTE),
             "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77714)"),
    _pattern("microsoft365/banned", r"5\.7\.(511|606|705|708)|banned sending IP|access denied, traffic not accepted", Block(),
             "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit"
             " https://sender.office.com/"),
    _pattern("microsoft365/concurrent", r"concurrent connections", SLOWER,
             "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending"),
    _pattern("microsoft365/tenant-limit", r"recipient thread limit|exceeded .{0,60}threshold", Leave(),
             "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded"),
    # --- Yahoo, AOL: https://senders.yahooinc.com/smtp-error-codes/ ---
    _pattern("yahoo/ts03", r"\[TSS?03\]|permanently deferred", Block(),
             "421 4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed. See"
             " https://senders.yahooinc.com/"),
    _pattern("yahoo/ts04", r"\[TSS?0[124]\]|temporarily deferred", Pause(2 * HOUR),
             "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1"),
    _pattern("yahoo/rate-limited", r"\[TSS?09\]|rate limited", HALF, "421 4.7.0 [TSS09] All messages from 192.0.2.1 are rate limited"),
    _pattern("yahoo/greylisted", r"\[GL01\]|greylisted", Leave(), "451 4.7.1 [GL01] Message from (192.0.2.1) greylisted"),
    _pattern("yahoo/blocked", r"\[BL2[13]\]|connections (will )?not (be )?accepted from", Block(),
             "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list"),
    _pattern("yahoo/busy", r"resources temporarily (not available|unavailable)", SLOWER,
             "451 4.3.2 Resources temporarily not available - Please try again later [#4.16.5]."),
    _pattern("yahoo/ctb", r"too many concurrent connections|\[?CON:?B\d?\]?", SLOWER,
             "421 4.7.1 : (CON:B1) Too many concurrent connections"),
    _pattern("yahoo/dynt", r"DYN:?T\d", HALF, "421 4.7.1 : (DYN:T1) https://postmaster.aol.com/error-codes#421dynt1"),
    # --- Yahoo! JAPAN: what senders report, https://note.com/sendmagic and operators' logs ---
    _pattern("yahoo-japan/deferred", r"temporarily deferred|unexpected volume", Pause(HOUR),
             "421 4.7.0 [TS01] Messages from 192.0.2.1 temporarily deferred due to user complaints - 4.16.55.1"),
    _pattern("yahoo-japan/connections", r"too many (\w+ ){0,3}connections|excessive", SLOWER,
             "421 Too many concurrent SMTP connections from this IP address; please try again later."),
    _pattern("yahoo-japan/busy", r"resources temporarily|server (is )?busy", SLOWER,
             "451 Resources temporarily unavailable. Please try again later."),
    # --- iCloud: https://support.apple.com/en-us/102322 ---
    _pattern("icloud/volume", r"\[?(HVU|IPTS0?4)\]?|excessive volume|unusual (volume|traffic)", Pause(HOUR),
             "421 4.7.1 Messages to [192.0.2.1] deferred due to excessive volume. Try again later. -"
             " https://support.apple.com/en-us/HT204137"),
    _pattern("icloud/connections", r"\[CS0\d\]|too many (messages|connections)", SLOWER,
             "450 4.7.0 Blocked - too many messages from this IP [CS01]."),
    _pattern("icloud/local-policy", r"\[HM0[78]\]|due to local policy", Leave(),
             "554 5.7.1 [HM08] Message rejected due to local policy. Please visit https://support.apple.com/en-us/HT204137"),
    # --- docomo: https://www.docomo.ne.jp/service/imode_mail/notice/mass_send/ says that connections are refused for a time ---
    _pattern("docomo/busy", r"service (temporarily )?(not available|unavailable)|too busy|try again", Pause(2 * MINUTE),
             "421 mfsmax.docomo.ne.jp Service not available, closing transmission channel", codes=TEMPORARY,
             stages=OPENING),
    _pattern("docomo/many", r"too many|limit|excee", SLOWER, "452 Too many recipients or messages received this hour", codes=TEMPORARY),
    # --- au: https://www.au.com/mobile/service/attention/faq: reception is blocked for a time where a sender burdens the servers ---
    _pattern("au/busy", r"service (temporarily )?(not available|unavailable)|busy|try again|congest", Pause(5 * MINUTE),
             "421 4.3.2 Service temporarily unavailable, try again later", codes=TEMPORARY, stages=OPENING),
    _pattern("au/many", r"too many|limit|excee", SLOWER, "421 4.7.0 Too many connections from your host", codes=TEMPORARY),
    # --- SoftBank: https://www.softbank.jp/mobile/support/antispam/wrestle/ ---
    _pattern("softbank/busy", r"service (temporarily )?(not available|unavailable)|busy|try again|refused", Pause(5 * MINUTE),
             "421 Service not available, closing transmission channel", codes=TEMPORARY, stages=OPENING),
    _pattern("softbank/many", r"too many|limit|excee", SLOWER, "421 Too many concurrent connections", codes=TEMPORARY),
    # Rakuten publishes nothing: as the other carriers.
    _pattern("rakuten/busy", r"service (temporarily )?(not available|unavailable)|busy|try again", Pause(5 * MINUTE),
             "421 4.3.2 Service not available", codes=TEMPORARY, stages=OPENING),
    # --- J:COM: https://note.com/sendmagic/n/n59a9f610bc0e: ends the session after so many messages ---
    _pattern("session-full", r"too many messages (for|in|on|per) (this |one |a )?(session|connection)", Leave(),
             "421 #4.x.2 Too many messages for this session"),
    # --- GMX, Web.de: https://postmaster.gmx.net/en/error-messages ---
    _pattern("gmx/connections", r"too many connections|connection limit", SLOWER,
             "421 Service closing transmission channel. Too many connections"),
    _pattern("gmx/rate", r"\(throttled\)|rate limit|too many (mails|messages)|reject due to policy restrictions", HALF,
             "450 Requested mail action not taken: mailbox unavailable, rate limit exceeded"),
    _pattern("gmx/reputation", r"IP (address )?(is )?(black|block)listed|bad dns ptr", Block(),
             "554 Transaction failed. IP address is blacklisted. For explanation visit"
             " https://postmaster.gmx.net/en/error-messages?ip=192.0.2.1&c=bl"),
    # --- Comcast: https://spa.xfinity.com/postmaster?faq=comcast-mail-errors ---
    _pattern("comcast/rl", r"RL0000\d\d", Pause(HOUR),
             "421 4.1.0 192.0.2.1 Throttled - try again later. Please see https://spa.xfinity.com/report RL000003"),
    _pattern("comcast/throttled", r"throttled|too many sessions opened", HALF,
             "421 resimta-po-02v.sys.comcast.net comcast Too many sessions opened"),
    _pattern("comcast/bl", r"BL00(0000|0001|0010)", Block(),
             "554 resimta-po-01v.sys.comcast.net comcast 192.0.2.1 Comcast block for spam. BL000000"),
    # --- Orange: https://postmaster.orange.fr/ and https://www.postmastery.com/orange-postmaster-smtp-error-codes-ofr/ ---
    _pattern("orange/connections", r"too many connections|(OFR|LPN|ofr)00?4?_?(104|105)|slow down", HALF,
             "421 mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down."
             " OFR004_104 [104]"),
    _pattern("orange/later", r"veuillez essayer plus tard|service refused?.{0,40}try later|OFR_?(108|109|502)", Pause(30 * MINUTE),
             "421 Service refuse. Veuillez essayer plus tard. Service refused, please try later. OFR_108 [108]"),
    _pattern("orange/blocked", r"(OFR|LPN)\w{0,6}_?(403|405|506|509)", Block(),
             "550 5.2.0 mwinf5c10 ME Adresse IP source bloquee pour incident de spam. Client host blocked for spamming issues. OFR006_506"),
    # --- Mail.ru: https://help.mail.ru/developers/mailing_rules/errors ---
    _pattern("mail-ru/rate", r"ratelimit|rate limit|too many (connections|messages)", HALF,
             "451 Ratelimit exceeded for mailbox sender. Try again later."),
    _pattern("mail-ru/spam", r"spam message (rejected|discarded)", Leave(),
             "550 spam message rejected. Please visit http://help.mail.ru/notspam-support/id?c=x"),
    _pattern("mail-ru/blocked", r"(ip|server|host) .{0,60}(is blocked|access denied)", Block(),
             "550 5.7.1 Your IP address is blocked, access denied"),
    # --- Tencent: https://service.mail.qq.com/ and https://service.exmail.qq.com/ ---
    _pattern("qq/frequency", r"(connection|ip|domain|mail) frequency (is )?limited|too many connections", Pause(30 * MINUTE),
             "550 Connection frequency limited. https://service.mail.qq.com/detail/122/1"),
    _pattern("qq/suspicious", r"suspected (bounce|spam)|mail content denied", Leave(),
             "550 Mail content denied. https://service.mail.qq.com/detail/122/166"),
    _pattern("qq/rejected", r"sender ip (is )?(blocked|in blacklist)|ip in blacklist", Block(), "550 Sender ip in blacklist"),
    # --- NetEase: https://mail.163.com/postmaster/ (codes) ---
    _pattern("netease/connections", r"HL:ICC", HALF, "421 HL:ICC 163 smtp9,192.0.2.1"),
    _pattern("netease/frequency", r"HL:IFC|HL:IPB", Pause(30 * MINUTE), "421 HL:IFC 163 smtp3,192.0.2.1"),
    _pattern("netease/behaviour", r"HL:(REP|MEP|ITC)", Pause(2 * HOUR), "421 HL:REP 163 smtp14,192.0.2.1"),
    _pattern("netease/session", r"MI:DMC|RP:DRC", Leave(), "450 MI:DMC 163 smtp1,192.0.2.1"),
    _pattern("netease/quota", r"RP:(TRC|QRC|RCL)|MI:SFQ", SLOWER, "451 RP:TRC 163 smtp2,192.0.2.1"),
    _pattern("netease/spam", r"DT:SPM", Leave(), "451 DT:SPM ,please try again 163 smtp7"),
    _pattern("netease/list", r"DT:RBL|IP:?BL|WM:BLI", Block(), "550 DT:RBL 163 smtp1,192.0.2.1 in RBL"),
    # --- Everybody ---
    _pattern("greylisted", r"gr[ea]y-?list", Leave(), "451 4.7.1 Greylisting in action, please come back later"),
    _pattern("mailbox-rate", r"(recipient|mailbox|user)\S{0,3} .{0,60}(over quota|rate limit|receiving (limit|too))", Leave(),
             "452 4.2.2 mailbox over quota rate limit"),
    _pattern("too-many-recipients", r"too many recipients|4\.5\.3", Leave(), "452 4.5.3 Too many recipients"),
    _pattern("shutdown", r"shutting down|going down|server (is )?(restart|shutdown)|system (is )?(going|shut)|maintenance", Leave(),
             "421 4.3.2 System shutting down"),
    _pattern("idle", r"(idle|inactiv|time-?out|timed? out)", Leave(), "421 4.4.2 mx.example.test Error: timeout exceeded"),
    _pattern("too-many-errors", r"too many (errors|invalid|bad|unknown|protocol)", Leave(),
             "421 4.7.0 mx.example.test Error: too many errors"),
    _pattern("connections", r"too many (\w+ ){0,3}(connections|sessions)|(connection|session)s? (count |rate )?(limit|quota|exceeded)"
             r"|concurrent(ly)? .{0,20}(connections|sessions)|maximum (number of )?(\w+ )?connections", SLOWER,
             "421 4.7.0 mx.example.test Error: too many connections from 192.0.2.1", codes=TEMPORARY),
    _pattern("rate", r"rate.?limit|limit(ed)? .{0,30}\brate|(message|mail|sending|delivery|submission|transaction) rate", SLOWER,
             "450 4.7.1 Error: too much mail, message rate limit exceeded", codes=TEMPORARY),
    _pattern("fast", r"too fast|too quick|slow(er)? ?down|send more slowly|throttl|too much (mail|traffic)|excessive", SLOWER,
             "421 4.7.0 You are sending too fast, try again later", codes=TEMPORARY),
    _pattern("messages", r"too many (\w+ ){0,2}(messages|mails|emails|requests|transactions|deliveries)", SLOWER,
             "452 4.3.1 Too many messages, try again in a while", codes=TEMPORARY),
    _pattern("busy", r"(too|server|system) (is )?(too )?(busy|loaded)|load (is )?too high|insufficient system resources", SLOWER,
             "421 4.3.2 Server too busy, try again later", codes=TEMPORARY),
    _pattern("unexpected-volume", r"unexpected volume|unusual (rate|volume|traffic)", Pause(30 * MINUTE),
             "421 4.7.0 Deferred due to unexpected volume", codes=TEMPORARY),
    _pattern("spamhaus", r"spamhaus\.org/(query|lookup|sbl)|zen\.spamhaus|(sbl|xbl|css)\.spamhaus", Block(),
             "550 5.7.1 Service unavailable; client [192.0.2.1] blocked using zen.spamhaus.org"),
    _pattern("block-list", r"client (host )?\[\S{1,60}\] blocked using", Block(),
             "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.spamcop.net"),
)  # fmt: skip


def find(reply: Reply, stage: Stage, provider: str) -> Pattern | None:
    """The first pattern that fits: the provider's own, then those of all. About 20 µs; replies of 2yz have none."""
    said = f"{reply.enhanced or ''} {reply.text[:LOOKED_AT]}"
    return next((pattern for pattern in _patterns(provider) if pattern.fits(reply, said, stage)), None)


@cache
def _patterns(provider: str) -> tuple[Pattern, ...]:
    return tuple(_in_order(provider))


def _in_order(provider: str) -> Iterator[Pattern]:
    yield from (pattern for pattern in PATTERNS if pattern.provider == provider and provider)
    yield from (pattern for pattern in PATTERNS if not pattern.provider)
