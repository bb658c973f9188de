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
    SLOWER,
    Block,
    Leave,
    Pattern,
    Pause,
    pattern,
)
from deliveries.shaping.regional_answers import CARRIERS, COMCAST, GMX, MAIL_RU, NETEASE, ORANGE, QQ
from deliveries.shaping.worldwide_answers import (
    GOOGLE,
    ICLOUD,
    MICROSOFT,
    MICROSOFT_ALL,
    YAHOO,
    YAHOO_ALL,
)

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
