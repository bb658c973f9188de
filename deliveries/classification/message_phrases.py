"""What any server says where the message, a rule of the house, the way there or the machine is the
trouble.
"""

from __future__ import annotations

from deliveries.classification.rules import phrases
from deliveries.smtp.outcomes import Stage
from suppressions.classes import Class

VIRUS = phrases(
    Class.VIRUS,
    ("found", r"virus(?! ?(scann|check|engine)\w* (is |was )?(not|un|fail|down|time))|malware"
        r"|trojan|infected|malicious|eicar|clamav|ransomware",
     "554 5.7.1 Virus (Eicar-Test-Signature) found in the message"),
)  # fmt: skip

FORM = phrases(
    Class.CONTENT,
    ("standard", r"invalid (data in message|structure)|mime/reject|not (\w+ "
        r")?(rfc|compliant|conform)"
                 r"|rfc ?-?(2822|5322|822|2045|2047|compliant)(?!;)|non-?compliant", ("550 "
                     "5.7.1 This message is not RFC 5322 compliant.")),
    ("header", r"\b(duplicate|multiple|missing|invalid|bad|malformed|illegal|incorrect|blank|empty"
        r"|lacks?|bogus|without|no"
               r"|must (contain|have)) "
                   r".{0,40}(headers?\b|from:|subject:|date:|\bto:|message-id|mime[- "
                   r"]|boundary|charset)",
     ("550 5.7.1 Messages missing a valid address in From: header, or having no From: header, are "
         "not accepted")),
    ("header-too", (r"headers? .{0,30}(missing|invalid|duplicate|too "
        r"(long|large|big|many)|malformed|syntax|contains?|not (allowed|permitted))"
        r"|addresses in from"),
     "552 5.7.0 message header size exceeds limit: header too large"),
    ("bytes", r"8-?bit (data|char|header|mime)|of 8-?bit|non-?ascii|bare "
        r"(lf|cr|newline|linefeed|line "
        r"feed|carriage)|lone (cr|lf)"
              r"|lines? (is |are )?too long|illegal (character|mime)|nul(l)? "
                  r"(byte|character)|smuggl|malformed (message|mail|mime)",
     "550 5.6.9 improper use of 8-bit data in message header"),
    detail="not_compliant",
)  # fmt: skip

LINKS = phrases(
    Class.CONTENT,
    ("link", (r"\b(sur|uri)bl\b|\b(urls?|links?)\b.{0,40}(list|block|reject|reputation)|(listed"
        r"|blocked"
        r"|bad|malicious) (url|link)s?\b"),
     "550 5.7.1 Blocked: message contains a blacklisted URL"),
    detail="spam",
) + phrases(
    Class.CONTENT,
    ("listed-inside", r"(black|block|deny) ?-?listed .{1,40} in (the |your |this )?(message|mail"
        r"|body)\b", "550 Blacklisted web site in message"),
    ("file-listed", r"(black|block|deny) ?-?list\w* .{0,30}(attachment|file ?(type|name|ext))"
        r"|(attachment|file ?(type|name|ext\w*))s? .{0,40}(black|block|deny) ?-?list",
     "550 Blacklisted file extension detected"),
)  # fmt: skip

SPAM = phrases(
    Class.CONTENT,
    ("spam", r"spam|\bjunk\b|unsolicited|\bbulk\b|\bube\b|\buce\b|phish|scam\b|advertis",
     "554 5.7.1 The message was rejected: spam"),
    ("suspicious", r"suspicious|objectionable|inappropriate|profan|unacceptable "
        r"content|uribl|surbl|listed "
        r"url|fingerprint|bayes"
                   r"|heuristic", "550 5.7.1 Suspicious content"),
    detail="spam",
)  # fmt: skip

CONTENT = phrases(
    Class.CONTENT,
    ("attachment", r"(attachment|archive|macro|files? of (this|that)|file ?(type|name|extension)"
        r"|extension|executable)s?\b.{0,60}(not "
        r"(allowed|permitted|accepted)|block"
                   r"|bann|reject|refus|forbid|disallow|prohibit|dangerous|unsafe)"
                   r"|potential security issue", ("552 5.7.0 This message was blocked because its "
                       "content presents a potential security issue")),
    ("before", r"unsafe content|(bann|forbid|prohibit|disallow|dangerous)\w* "
        r"(files?|subject|words?|phrases?|keywords?)\b"
               r"|(block|bann|reject|forbid|disallow|prohibit|unsafe|dangerous|invalid|illegal)\w* "
                   r".{0,30}(attachment|file ?(type|name|ext))",
     "554 5.7.1 Banned attachment type"),
    ("content", r"content .{0,30}(reject|refus|den(y|ied)|block|filter|not "
        r"(allowed|accepted)|restrict|violat|prohibit|check)"
                r"|(reject|refus|block|due to|because of|banned|offensive|message)\w* "
                    r".{0,20}content",
     "550 5.7.1 Message content rejected, id=12345-01"),
    ("filter", r"(message|mail|body|header|content)[- ]filter|message (was )?scored"
        r"|\bscore (of|is|was) \d|contains? "
        r".{0,30}(\burl|link|word|phrase)"
               r"|blocked by .{0,20}(scanner|engine)|message looks|dt:spm", ("550 The message "
                   "contains the word pills")),
)  # fmt: skip

TOO_LARGE = phrases(
    Class.TOO_LARGE,
    ("too-large", r"(message|mail|letter|header|attachment|content|data|body|file|it) (is |was "
        r"|size |has "
        r"been |file |exceed\w* "
                  r"|line )*(too|to) (big|large|long)\b"
                  r"|too (big|large) ?(for|[.,;:!]|$)|larger than|\d ?[mk]i?b\b.{0,20} more than",
                  "554 5.3.4 Message too big for system"),
    ("size", r"(message|mail|e-?mail|attachment|content|data)\b.{0,40}(exceed|over|larger"
        r"|bigger)\w* "
        r".{0,50}(size|limit|maximum|length"
             r"|bytes|\bkb|\bmb)"
             r"|size .{0,40}exceed|(exceed|violat)\w* .{0,40}\bsize|size limit|maximum (\w+ "
                 r")?(size|length)|size restriction"
             r"|size of (this|the|your)|length limit"
             r"|length of .{0,40}(maximum|threshold|limit)",
     "552 5.3.4 Message size exceeds fixed limit"),
)  # fmt: skip

# Before MAIL there is only the host to refuse, at MAIL only the sender.
DENIED = phrases(
    Class.SENDER_REFUSED,
    ("denied", r"access denied|rejected|refused", ("550 5.7.1 <taro@example.test>... Access "
        "denied")), stages=(Stage.MAIL,),
) + phrases(
    Class.REPUTATION,
    ("denied", r"access denied|rejected|refused|denied", "554 Access Denied"),
    stages=(Stage.GREETING, Stage.EHLO),
)  # fmt: skip

POLICY = phrases(
    Class.POLICY,
    ("authenticate", r"authentication (is )?required|must (be )?(authenticat|log)|requires? (smtp "
        r")?(auth|log)|not authenticated"
                     r"|unauthenticated senders|auth required|please "
                         r"(log|authenticat)|authrequired|auth(entication)? fail",
     "550 Unauthenticated senders not allowed", "authentication_required"),
    ("restricted", r"restrict|from (outside|external|the internet)\b|must be in (the )?(to|cc)\b"
        r"|administrative(ly)? (prohibit|policy|reject|lock)|transport "
        r"rule|prohibited "
        r"by|delivery not authori[sz]ed"
                   r"|not authori[sz]ed|notauthorized", ("550 5.7.1 Delivery not authorized, "
                       "message refused")),
    ("policy", r"polic(y|ies)|compliance|security (reason|polic)|violat", ("554 5.7.9 Message "
        "not accepted: it violates our policies")),
    ("not-allowed", r"(network|host|domain|mail|message|command|connection|transaction) (is "
        r")?(not|un)( "
        r")?(allowed|permitted|acceptable"
                    r"|accepted)\b"
                    r"|header error|closed (to|for)(?! maint)|access denied|permission "
                        r"denied|prohibited|forbidden|disallowed|not permitted"
                    r"|not allowed", "554 This command is not allowed"),
)  # fmt: skip

NETWORK = phrases(
    Class.NETWORK,
    ("loop", r"too many hops|hops exceeded|\bloop(ing|ed)?\b|hop count|already has my "
        r"delivered-to|routing loop|too many .?received"
             r"|loopdetect", "554 5.4.6 Too many hops 26 (25 max)", "loop"),
    ("tls", r"\b(start)?tls\b|\bssl\b|certificate|encrypt|handshake", ("530 5.7.0 Must issue a "
        "STARTTLS command first"), "tls"),
    ("dns", r"name (server|service)|\bdns\b|(host|domain|mx|address|name) (name )?look-?up|no such "
        r"record|no route found to domain"
            r"|malformed or unexpected name|no (valid )?route|rout(e|ing)[: ].{0,20}(could "
                r"not|error|fail|loop|unable|not)"
            r"|(resolve|find|no) (a )?(route|gateway)|mx (list|record)|points? to local "
                r"host|nameserver",
     ("Name service error for name=example.test type=MX: Malformed or unexpected name server "
         "reply"), "dns"),
    ("connection", r"connect(ion|ing|ed)?\b.{0,40}(time|refus|reset|lost|drop|fail|clos|abort"
        r"|error|unable"
        r"|could|broke|died|terminat"
                   r"|interrupt|unsuccess)"
                   r"|(unable|fail\w*|could ?n[o']t|can ?not|can't|not able|error|trouble|did not "
                       r"accept our requests"
                   r"|wasn't able) .{0,40}connect"
                   r"|no route to|unreachable|(could ?n[o']t|can ?not|can't|unable to) reach"
                   r"|cannot be reached|hung up"
                   r"|n['o]t answer|no (mail )?(server|host)s? answer|lost "
                       r"connection|no answer|not respond|broken pipe"
                   r"|network (error|is|problem|unreach|fail)|socket|conversation with|timed? "
                       r"?-?out|timeout|not reachable|i\/o error"
                   r"|no response", ("Sorry, I wasn't able to establish an SMTP connection. "
                       "(#4.4.1)"), "connection"),
)  # fmt: skip

# What a program that took the mail printed: it speaks of users and files of its own machine.
PROGRAMS = phrases(
    Class.SYSTEM,
    ("program", r"(procmail|maildrop): "
        r"(?!.{0,40}quota)|bin/(procmail|maildrop|vacation|deliver)|couldn't create|exit \d+\b"
                r"|died with (status|signal)|command failed|child process of .{0,80} "
                    r"returned|pipe to \|",
     "procmail: Couldn't create \"/var/spool/mail/hanako\" id: hanako: No such user"),
    # Only a program of that machine speaks of its files.
    ("file", r"(could ?n[o']t|can ?n[o']t|can't|unable to|failed to) (create|open|lock|write"
        r"|append|chdir|stat|save)\b.{0,30}(output|file|director|maildir|/(home|var|usr|mail))"
             r"(?!.{0,120}quota)"
             r"|/(home|var|usr|etc|opt|mail|spool)/\S{1,120} .{0,80}(permission denied"
             r"|not permitted|no such file|read-only)",
     "550 /home/hanako/.forward: line 1: Can't create output: Permission denied"),
    ("directory", (r"(contact|connect|error|fail|lookup)\w* "
        r".{0,30}\bldap\b|\bldap\b.{0,30}(fail|error|unavail|down|timeout)"),
     "Unable to contact LDAP server. (#4.4.3)"),
    ("syntax", (r"malformed address: .{0,80}may not follow|loops back to (myself|me\b)|points? "
        r"back to|connecting to myself"),
     "taro <hanako@example.test>: malformed address: <hanako@example.test> may not follow taro"),
    detail="program",
)  # fmt: skip

SYSTEM = phrases(
    Class.SYSTEM,
    ("storage", r"insufficient (system )?(storage|resources|disk|memory|space|permission)|disk (is "
        r")?(full|error|space)|no space left"
                r"|(file ?system|partition|device|server|system) (is )?full|out of "
                    r"(memory|disk|resources|space)|system storage"
                r"|not enough (memory|disk|resource)", "452 4.3.1 Insufficient system storage",
                "storage"),
    ("configuration", r"(mis-?)?configur(ation|ed)|local (error|problem|config)|mail(er)? (system "
        r")?(error|prob)"
                      r"|loops back to (myself|me\b)|points? back to|mailer "
                          r"(failed|unknown)|service not (config|available)"
                      r"|does not support|not (supported|implemented|available at this "
                          r"time)|unsupported"
                      r"|cannot "
                          r"(open|create|chdir|append|lock|write|read|stat|exec|execute|update"
                              r"|find "
                          r"file)"
                      r"|can't (open|create|chdir|append|lock|write|read|exec|mkdir)"
                      r"|unable to (open|create|lock|write|read|deliver "
                          r"to|append|chdir|switch|stat|save|contact ldap)",
     "550 5.3.5 Local configuration error", "configuration"),
    ("command", r"pipe to|command "
        r"(output|died|fail|line|time|not|unrecogni|unknown|parameter|error|exit)"
                r"|exit(ed)? (code|status|with)|(fail|died|return|exit|terminat)\w* "
                    r".{0,20}(code|status|signal|value)|procmail|maildrop"
                r"|\berrno\b|input\/output error|stale nfs|read-only file"
                r"|vdelivermail|deliver(y)? agent|permission denied|no such file|file "
                    r"(too|not|exist)|core dump|bad interpreter"
                r"|syntax error|unrecogni[sz]ed command|bad sequence|out of sequence|protocol "
                    r"(error|violation)|need (rcpt|mail)|ldap"
                r"|database|\bsql\b|lmtp", "local delivery failed: exited with code 75", "program"),
    ("trouble", r"(internal|temporary|transient|server|system|software|unexpected|unknown|local"
        r"|processing|general|technical|mail"
                r"|gateway|queue file write|i/o|transaction) (server |system |software |mail "
                    r")?(error|problem|fail|trouble|fault"
                r"|resource|lookup)"
                r"|service (is )?(temporarily |currently )?(un|not )available|temporarily "
                    r"(un|not |rejected|deferr|fail)"
                r"|try (again )?(later|after)|out of order"
                r"|(queue|database|spool|storage) (is )?(temporarily |currently )?unavailable"
                r"|(error|fail\w*|problem|trouble) (in|while|during|processing|writing|reading|on "
                    r"the|at)|resources? (temporarily )?un"
                r"|please (try|retry)|action aborted|aborted|maintenance|shutting down",
     "451 4.3.0 Temporary system problem, try again later", "trouble"),
)  # fmt: skip

# Said of every mail that was given up, whatever had kept it: so this is asked last.
LATE = phrases(
    Class.NETWORK,
    ("expired", r"expired|(too long|long time) .{0,20}queue|queue .{0,20}too long|has been in the "
        r"queue|could not be delivered for"
                r"|(cannot send|not be delivered|not deliver|not "
                    r"delivered|undelivered|delayed|aborted|gave up|giving up|attempts"
                r"|delivery attempt|retr(y|ies|ied|ying)|within|after).{0,40}\d+(\.\d+)? "
                    r"?(day|hour|minute|time|attempt|tries|sec)"
                r"|giving up|multiple retries|failed \d+ (attempts|times)|max\w* (number of "
                    r")?(retry|retries|attempts|hops|delivery)"
                r"|retry time|all hosts have been failing|deferred\b|still being|delivery "
                    r"time|too many (attempts|retries|tries|failed)"
                r"|too many failures|tried all (mxs?|hosts|servers|exchangers)"
                r"|keeps? failing|no longer be tried|will be retried|temporary (problem|error)s? "
                    r".{0,20}deliver",
     "Message could not be delivered for 5 days. Message will be deleted from queue", "expired"),
)  # fmt: skip
