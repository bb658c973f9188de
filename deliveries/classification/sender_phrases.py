"""What any server says where the sender is the trouble: who it is, where it connects from, how
fast it is.
"""

from __future__ import annotations

from deliveries.classification.rules import phrases
from suppressions.classes import Class

REFUSED = (
    r"(?:reject|refus|den(?:y|ied)|block|bann?ed|forbid|prohibit|not "
    r"(?:allowed|accept|permitted|welcome))"
)
IP = r"\[?\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\]?"
US = (
    r"(?:\bips?\b|client|your (?:\w+ )?(?:server|host|network|system|machine|mta|isp)|sending "
    r"(?:server|host|mta|system)"
    r"|(?:remote|connecting|source) (?:host|server))"
)

AUTHENTICATION = phrases(
    Class.AUTHENTICATION,
    ("dmarc", r"dmarc", ("550 5.7.1 Unauthenticated email from example.org is not accepted due to "
        "domain's DMARC policy.")),
    ("spf", r"\bspf\b|sender policy framework|openspf", "550 5.7.23 The message was rejected "
        "because of Sender Policy Framework violation"),
    ("dkim", r"\bdkim\b|domainkeys", "550 5.7.20 No passing DKIM signature found"),
    ("checks-failed", (r"authentication (checks? failed|information)|domain "
        r"authentication|sender authentication"),
     ("550 5.7.26 <hanako@example.test>: Recipient address rejected: Multiple authentication "
         "checks failed")),
    ("unauthenticated", (r"(mail|message|sender) is (likely )?unauthenticated|unauthenticated "
        r"(e-?mail|message)"),
     ("550 5.7.26 This mail is unauthenticated, which poses a security risk to the sender and "
         "Gmail users, and has been blocked.")),
    ("sender-id", r"sender ?id\b.{0,40}(fail|not)", "550 5.7.1 Sender ID (PRA) Not Permitted"),
    ("level", r"required authentication level",
     ("550 5.7.515 Access denied, sending domain example.test doesn't meet the required "
         "authentication level.")),
    ("not-legitimate", r"(unable|failed) to verify .{0,40}legitimate",
     "554 We were unable to verify that it came from a legitimate sender"),
    ("arc", r"\barc\b.{0,30}(fail|invalid|not)", "550 5.7.29 ARC validation failed"),
)  # fmt: skip

NAMES = phrases(
    Class.REPUTATION,
    ("reverse-dns", (r"reverse.{0,3}(dns|look-?up|host|map|name|mx|ip\b|entry|resol|ptr)"
        r"|\brdns\b|\bptr\b"
        r"|fcrdns|forward.confirmed"),
     "571 No PTR Record found. Reverse DNS required: 192.0.2.1"),
    ("host-name", (r"(find|resolve|verify|determine|look ?up) (your|client|the client|sender) "
        r"?(ip )?host "
        r"?name"),
     "450 4.7.1 Client host rejected: cannot find your hostname, [192.0.2.1]"),
    ("unverifiable", (r"unverif[iy]able sending|dns name .{0,30}(mismatch|not match)|has no "
        r"(dns )?name"),
     "450 service permits 2 unverifiable sending IPs - mx.example.test is not 192.0.2.1"),
    ("not-resolving", (r"(ip|address|host ?name) .{0,50}(does not|doesn't|not) (resolve|map|match) "
        r".{0,20}(ip|host|name|address|dns)"),
     "550 5.7.1 The IP address 192.0.2.1 does not match its host name"),
    ("dynamic", r"(dynamic|residential|dial-?up|end-?user|generic).{0,40}(\bip|address|host"
        r"|range|pool)"
                r"|(ip|address|host).{0,40}(dynamic|residential|dial-?up)", ("550 5.7.1 Mail "
                    "from dynamic IP addresses is not accepted")),
    ("helo", (rf"\b[he][eh]lo(?:host)?\b.{{0,60}}({REFUSED}|invalid|bad|unknown|fail|forge|error"
        r"|must|mismatch"
        r"|not)"),
     "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname"),
    ("bad-helo", r"(invalid|bad|forged|bogus|illegal|unresolvable|fake|no fqdn) "
        r".{0,20}\b[he][eh]lo\b|name was rejected"
                 , "550 5.7.1 Invalid HELO name given"),
    ("mismatch", r"mismatch\w* .{0,20}\bip\b|\bip\b.{0,30}mismatch", ("550 5.5.0 domain "
        "[example.test] mismatches client ip 192.0.2.1.")),
    ("own-server", r"use (the |your )?(\w+ )?(mail |smtp )?server of your "
        r"(isp|provider)|(through|via|use) "
        r"your (isp|provider)('s)? (mail"
                   r"|smtp|outgoing)",
     "550 5.7.0 Please use the smtp server of your ISP."),
    detail="name_of_host",
) + phrases(
    Class.REPUTATION,
    ("domain-in-helo", r"^invalid domain name", "501 Invalid domain name"),
    detail="name_of_host", codes=(501, 504, 550, 553, 554),
)  # fmt: skip

LISTS = phrases(
    Class.REPUTATION,
    ("poor", r"reputation", "554 Rejected due to the sending MTA's poor reputation."),
    ("domain-listed", r"\bdbl\b|rhsbl|query/domain|domain .{0,30}(block|black|deny) ?-?list",
     "554 5.7.1 rejected due to having a domain present in the Spamhaus DBL"),
    ("list", r"(?<!user in )(block|black|black ?hole|deny|reject|bad|real-?time)[- ]?list"
        r"|\b(dns|dn|s|x|p|r)bls?\b",
     "550 5.7.1 Your address is on our block list"),
    ("listed", r"(?<!not )(?<!user )listed (at|in|on|by) |\bis listed|blocked using|lookup\.cgi",
     "554 5.7.1 Client host [192.0.2.1] blocked using bl.example.org"),
    ("spamhaus", (r"spamhaus|spamcop|\bsorbs\b|uceprotect|abusix|invaluement|abuseat|mailspike"
        r"|spamrats"
        r"|gbudb|hostkarma|njabl"),
     "550 5.7.1 see https://www.spamhaus.org/query/ip/192.0.2.1"),
    ("seller", (r"barracuda(central|networks)|senderbase|senderscore|talosintelligence|mail-abuse"
        r"|ers\.trendmicro|csi\.cloudmark"),
     "554 5.7.1 see http://csi.cloudmark.com/reset-request/?ip=192.0.2.1"),
    ("gateway-lists", (r"ipcheck\.proofpoint|dnsbl-lookup|sender\.office\.com|sendersupport"
        r"|mailchannels"),
     "550 5.7.0 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1"),
    detail="blocklist",
)  # fmt: skip

ADDRESS = phrases(
    Class.REPUTATION,
    ("our-address", rf"{US}.{{0,70}}({REFUSED}|suspended|abus|infected)", ("550 5.7.1 Your IP "
        "address has been suspended")),
    ("from-our-address", (rf"{REFUSED}\w*.{{0,30}} (your|this|from|source|sending|connecting) "
        r"?ip\b|(blocked|banned) ip"),
     "550 We do not accept mail: blocked from your ip"),
    ("numbered", (rf"\b({REFUSED}|bad)\w*.{{0,60}} {IP}"
        rf"|{IP}(?!\]?:\d{{1,5}}: )\W.{{0,40}}({REFUSED}|weren't sent|is listed)"),
     "550 Unfortunately, messages from 192.0.2.1 weren't sent."),
    ("spam-from-here", r"(spam|attack|abuse|unsolicited|complaint|unwanted|harvest"
        r"|virus)\w*.{0,60}(from|by) "
        r"(your|this"
                       r"|the (sending|following)) (ip|host|server|network|isp|system|site)",
     "421 Too many spams from your IP (192.0.2.1)"),
    ("spammer", r"spammer|\bips?\b.{0,40}\b(sends?|sent|sending) .{0,20}\bspam"
        r"|spam ?(source|sender|site|bot)\b|for (spamming|abuse|spam\b)|due to "
        r"abuse|denyip|intrusion prevention"
                r"|\bbad ip\b|open proxy|possible open relay|directory harvest"
                r"|dictionary attack|bot "
                    r"?net|compromised", "550 Blocked for abuse"),
    ("complaints", r"user complaints|excessive (unknown|invalid|bad|complaints)|too many "
        r"complaints|high "
        r"(complaint|bounce) rate"
                   r"|(unusual|suspicious) (traffic|activity)", "451 Excessive unknown recipients"),
    ("connection", (r"connections? (was |is |has been |are "
        r")?(rejected|denied|blocked|not accepted)"),
     "554 5.7.1 Connection rejected by policy"),
    ("client-host", rf"(client host|client|host) (was |is |has been |are )?{REFUSED}",
        "554 Host not welcome"),
    ("no-connections", r"(refus|reject|not accept|deny|accepted)\w* (\w+ "
        r"){0,3}connections?\b|no (smtp|mail) "
        r"service (here )?for"
                       r"|you are (blocked|banned)|go away|not accepted from servers|no access "
                           r"(from|for this ip)|access from your"
                       r"|not allowed to connect"
                       r"|(access|connections?|mail|service) (is |was "
                           r")?(denied|refused|rejected|blocked|forbidden) (from|for|to) (your"
                       r"|this|\[?\d)"
                       r"|is an open relay|invalid ip", "554 No SMTP service here for you"),
    ("service-refused", (r"service refused|access (from|by) "
        r".{0,60}(denied|forbidden|rejected)|forbidden by"),
     "421 Service refused, please try later."),
    ("blocked", r"^blocked\.?$", "550 5.7.1 Blocked"),
    ("a-problem", r"ip=\S{7,45} - a problem occurred", ("554 IP=192.0.2.1 - A problem occurred. "
        "(Ask your postmaster for help) (BL)")),
    detail="address",
)  # fmt: skip

SENDING = phrases(
    Class.RATE_LIMITED,
    ("sender-quota", r"sender.{0,20}\bquota|\bquota.{0,20}sender", ("450 4.7.1 Quota exceeded "
        "for sender, too many mails in 60 minutes")),
    ("throttled", r"throttl", "454 Throttling failure: Daily message quota exceeded."),
    ("sending-limit", r"(sending|outgoing|send|submission|relay|message) (limit|quota)(?! "
        r"for)\b|limit on the "
        r"number of|max defers"
                      r"|messages per (connection|session)", "550 Sending limit exceeded"),
    # Mailboxes have no quota by the day.
    ("timed-quota", r"\b(daily|hourly|monthly|per[- ](day|hour)) (\w+ ){0,3}(quota|allowance)",
     "554 You've reached your daily mail quota"),
)  # fmt: skip

SENDER_LISTED = phrases(
    Class.SENDER_REFUSED,
    ("listed", r"(sender|e-?mail|mail)[ _](address|domain)[ _].{0,20}(black|block|deny)[- ]?list"
        r"|sender (?!ip|host|\[?\d).{0,8}\b(on|in) .{0,12}(black|block|deny)[- ]?list\b"
        r"|(black|block|deny)[-_ ]?list\w{0,4}[ _](sender|from)[ _](address|domain)",
     "550 5.7.1 Sender address has been blacklisted"),
)  # fmt: skip

RATE = phrases(
    Class.RATE_LIMITED,
    ("greylisted", r"gr[ea]y-?list", "451 4.7.1 Greylisting in action, please come back later",
        "greylisted"),
    # Who names the time does not know the sender yet; a fault has no such end.
    ("wait", r"^(?!.{0,200}(error|fail|unavailable|problem|full\b|quota))"
        r".{0,200}(?<!will )(?<!'ll )(try again|retry|come back|deferred)( later)?,? (in|after|for)"
        r" \d+ ?(s|m|h|sec\w*|min\w*|hours?)\b",
     "451 4.7.1 Please try again in 5 minutes", "greylisted"),
    ("recipients", (r"no more recipients|too many (recipients|rcpts?|addresses)|(recipient|rcpt) "
        r"(limit|count|numbers?\b)|number of "
        r"(recipients|rcpts?\b)"),
     "452 4.5.3 Error: too many recipients", "recipients"),
    ("unknown-users", r"too many (\w+[- ]){0,2}(unknown|invalid|bad|wrong|non-?exist\w*)"
        r"[- ](users?|recipients?|rcpts?|address(es)?)",
     "421 4.7.0 Too many invalid recipients from 192.0.2.1", "recipients"),
    ("connections", r"too many (\w+ ){0,3}(connections|sessions)"
                    r"|(concurrent|simultaneous|number of|max\w*) (\w+ ){0,3}(connections|sessions)"
                    r"|(connection|session)s? (rate|limit|count|frequency)",
     "421 4.7.0 mx.example.test Error: too many connections from 192.0.2.1", "connections"),
    ("rate", r"rate[- "
        r"]?(limit|control|exceed)|(message|mail|sending|delivery|submission|transaction|hourly"
        r"|send) rate\b|frequency "
             r"limited",
     "421 4.4.2 Message submission rate for this client has exceeded the configured limit"),
    ("fast", (r"too (fast|quickly|often)|slow(er)? ?down|unexpected volume|excessive "
        r"(rate|volume|traffic|mail)"),
     "450 4.2.1 receiving mail too quickly"),
    ("too-many", (r"too (many|much) (?!unwanted|spam|junk|unsolicited|abusive)(\w+ "
        r"){0,2}(mails?\b|messages?|e-?mails|requests|transactions|deliveries|errors|commands)"),
     "450 4.7.1 Error: too much mail from 192.0.2.1"),
    ("per-hour", r"(exceed|reach|limit)\w* .{0,50}(per|in an?|every|each|within|in one|for "
        r"this|this|for the) "
        r"(second|minute|hour|day|24)"
                 r"|(daily|hourly) .{0,30}(limit|quota)|(limit|quota) .{0,20}(daily|hourly|per "
                     r"hour|per day)",
     "550 Domain example.test has exceeded the max emails per hour (125/100) allowed"),
    ("flood", r"mail flood|flooding", "450 4.7.28 Mail flood detected"),
    ("busy", (r"(server|system|host)\S* (is )?(too )?busy|too busy|load (is )?too "
        r"high|overload|ports "
        r"are busy|congestion"),
     "421 4.3.2 The server is too busy, try again later", "busy"),
)  # fmt: skip

RELAY = phrases(
    Class.RELAY_DENIED,
    ("denied", (r"\brelay(ing|s)?\b.{0,40}(den|not|prohibit|reject|refus|forbid|disallow|block"
        r"|unauthori"
        r"|fail)|insecure mail relay"),
     "554 5.7.1 <hanako@example.test>: Relay access denied"),
    ("no-relay", (r"\b(no|not|unable "
        r"to|cannot|can't|unauthori[sz]ed|prohibit\w*|denied|refus\w*|never|won't) (\w+ "
        r"){0,3}relay"),
     "550 5.7.1 Unable to relay for hanako@example.test"),
    ("rcpthosts", r"rcpthosts|not a gateway|pop before smtp|check for new mail",
     "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
    ("not-here", r"(domain|address|recipient)\b.{0,40}(is )?not "
        r"(hosted|handled|served|local|serviced|homed) (here|on|at|by"
                 r"|for|locally)"
                 r"|no such domain (at|on|here)", ("550 5.1.1 No such domain at this location "
                     "(hanako@example.test)")),
    ("not-ours", (r"we (do not|don't) (host|handle|serve|relay|deliver|accept mail for)"
        r"|not our domain|not an? (mx|mail (server|host|exchanger)) for|not one of (ours|our "
        r"domains)|local users? only|we are not responsible"),
     "550 We do not handle mail for this domain"),
)  # fmt: skip

SENDER = phrases(
    Class.SENDER_REFUSED,
    ("refused", r"(sender(?! \[?\d{1,3}\.\d)|originator|mail from:? "
        r"?(<?@>?|command|address|domain)|return.path|reverse.path"
                r"|from "
                    rf"address)\b.{{0,40}}({REFUSED}|unknown|invalid|unverif|unresolv|malform"
                    r"|not)",
     "550 5.1.8 <taro@example.test>: Sender address rejected: Domain not found"),
    ("refused-before", r"(invalid|unknown|unverified|bad|bogus|illegal|blocked|banned|rejected"
        r"|denied"
        r"|unauthori[sz]ed|forged|reject"
                       r"|verify|backscatter)\w* (\w+ ){0,2}(sender|mail from|from "
                           r"address|return path|originator)"
        r"|not an? (permitted|allowed|authori[sz]ed|approved) sender"
        r"|(den(y|ies)|refuses) (the |your |this )?sender\b|mail from (is )?(invalid|illegal)",
     "553 5.1.7 Invalid sender"),
    ("domain", (r"sender'?s? (\w+ ){0,3}(domain|address)|domain of (the )?sender|from:? "
        r"?domain|provide "
        r"a valid from\b"),
     "550 The sender's domain has no MX record"),
    ("may-not-send", r"not (allowed|permitted|authori[sz]ed) to (send|post|submit|write)(?! mail "
        r"directly)|permission to post"
                     r"|members?[- ]only|only (\w+ )?(subscribers|members) (can|may)"
                     r"|(limited|restricted) to (its |the )?(\w+ )?members"
                     r"|must be (subscribed|on the list)|not (a )?member(?! of domain)"
                     r"|no access for this domain|subscribers only|mailing list"
                     r"|address is not verified|batv", ("550 5.7.1 You are not allowed to send "
                         "to this group")),
    ("not-from-you", r"(do not|don't|not|never) (accept|receive|allow|want|take) (any "
        r")?(e?-?mails?|messages?) from (@|your|this"
                     r"|that|you\b)", "550 We do not accept mail from you"),
    ("your-domain", (r"your (e-?mail|mail|sender|from)? ?(address|domain|account) "
        r".{0,50}(not|block|reject|invalid|unknown|refus|bann|has no)"),
     "553 Your address is blocked here"),
    ("callback", r"badmailfrom|backscatter|verify mail ?from|mail ?from (is "
        r")?(mis-?match|fail)|call "
        r"?-?(back|out)|sender verif"
                 r"|verify failed for|could not (complete )?(sender )?verif",
                 "550 Verify failed for hanako@example.test"),
    ("null", r"null (sender|reverse|return)|empty (envelope )?(sender|from)|bounces? not",
        "550 Empty envelope sender here"),
    ("spoofed", r"spoof|impersonat|not owned by (the )?(user|sender|you)|send (mail )?as\b",
        "550 5.7.1 Spoofed sender"),
)  # fmt: skip
