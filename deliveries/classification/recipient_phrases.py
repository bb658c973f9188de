"""What any server says of a recipient: nobody by that name, no room, locked, or not willing.

Other languages too.
"""

from __future__ import annotations

from deliveries.classification.rules import phrases
from suppressions.classes import Class

BOX = (
    r"(?:mail ?box|inbox|mail ?dir|mail "
    r"?drop|account|user|recipient|addressee|folder|storage|message store|disk|spool|quota|mail)"
)

SYSTEM_FULL = phrases(
    Class.SYSTEM,
    ("system-full", r"mail system full|system is full", "452 4.3.1 Mail system full"),
    detail="storage",
)

FULL = phrases(
    Class.MAILBOX_FULL,
    ("full", rf"{BOX}('s)?( for \S{{1,64}}| \S{{1,64}})? (is |was |are |almost |temporarily "
        r"|currently |over |too )*full\b"
             r"|full (mail ?box|inbox|mail ?drop)|\bfull: |mailboxfull|mailbox_full", ("552 "
                 "5.2.2 <hanako@example.test>... Mailbox Full")),
    ("over-quota", r"over.?quota|over (its|their|the|his) (\w+ "
        r")?quota|quota.{0,12}(exceed|violat|full|reach|limit|overdrawn|surpass)"
                   r"|(exceed|violat|reach|beyond|above|past|out of)\w* .{0,40}quota|not enough "
                       r"quota|quota for", "552 5.2.2 over quota"),
    ("over-limit", rf"{BOX}\b.{{0,30}}(exceed|over|reach)\w* "
        rf".{{0,30}}(limit|size|capacity|storage|allocat|maximum|allowance|space)"
        r"(?!.{0,60}(\bper (hour|minute|day)\b|hourly))"
                   r"|over (the|its|his|their) (maximum|limit|allowed|storage)", ("550 The "
                       "mailbox has exceeded the size limit")),
    ("number", r"number of messages in .{0,20}mailbox|too many messages (in|on) (the |this )?(mail "
        r"?box|inbox|server|folder)"
               r"|maximum number of (messages|mails) (stored|in)",
               "550 Too many messages on the server"),
    ("storage", r"exceeded storage allocation|storage (limit|space|quota|allocation|is "
        r"full)|out of "
        r"(storage|space|mailbox space)"
                r"|(not enough|insufficient|no) (storage|space|room|disk|mailbox)( space| "
                    r"storage)? .{0,20}(for|in|on) .{0,20}(mail"
                r"|user|recipient|account|box)"
                r"|no room|space (is )?not enough|space has been used up|exhausted "
                    r".{0,20}storage|user has exceeded"
                r"|error writing message|exceeded (their|his|its|the) (mail ?box|storage|quota)",
     "Message rejected. Not enough storage space in user's mailbox"),
    ("mail-data", (r"too much mail data|would (exceed|put)|mail ?box size|disk space "
        r".{0,20}(user|mailbox)|mailfolder is full"),
     "552 Too much mail data hanako@docomo.ne.jp"),
)  # fmt: skip

DISABLED = phrases(
    Class.MAILBOX_DISABLED,
    ("disabled", r"(mail "
        r"?box|account|user|recipient|address|e-?mail|alias|inbox)\b.{0,50}(disabled|suspend"
        r"|inactive|deactivat|frozen"
                 r"|locked\b|expired|closed|discontinued|terminated|not active|not activated|on "
                     r"hold|dormant|out of service)",
     "550 5.2.1 The email account that you tried to reach is disabled."),
    ("before", r"(disabled|suspended|inactive|deactivated|frozen|locked|expired|closed"
        r"|dormant) (\w+ "
        r")?(mail ?box|mbox|account|user"
               r"|recipient|e-?mail|address)", "550 5.1.1 inactive email address"),
    ("blocked", r"(account|mail ?box|user) (is |has been |was |temporarily )*(blocked|restricted)"
                r"|not accepting (any )?(e-?mails?|messages|mail) (at this time|right now)",
     "550 We are not accepting any messages right now"),
    ("now", r"is (now |currently |temporarily |administratively "
        r")+(disabled|suspended|locked|inactive)|^inactive\.?$"
            r"|not (currently )?(being )?accept(ed|ing) (mail |messages )?for this "
                r"(mailbox|user|recipient|address)",
     "550 <hanako> is now disabled with MTA service."),
    ("unpaid", r"(unpaid|subscription|contract) .{0,30}(expired|ended|cancell?ed)|not paid",
        "550 Contract expired"),
)  # fmt: skip

WHO = (
    r"(?:user|recipient|mail ?box|mail ?drop|account|addressee|alias|local "
    r"?part|person|customer|subscriber|member|mail address"
    r"|e-?mail address|(?:e-?)?mail id|address|destination|individual|employee)"
)
NOT = (
    r"(?:does ?n[o']t|do(?:es|s)?n'?t|do ?n[o']t"
    r"|did ?n[o']t|could ?n[o']t|can ?n[o']t|cannot|can't|couldn't|was "
    r"?n[o']t|is ?n[o']t|isn't|wasn't"
    r"|not|no longer|never)"
)

# What a reporter says of its own accord, where no server's reply is told: it needs no proof.
TOLD = phrases(
    Class.UNKNOWN_USER,
    ("told-not-listed", r"^unknown user: |unknown local-part \S{1,80} in domain"
        r"|final delivery userid|bad address syntax|not listed in (public|domino)"
                        r"|recipient name is not recogni|no valid recipients for this",
     "User hanako (hanako@example.test) not listed in Domino Directory"),
    ("told-not-found", r"(recipient|e-?mail|mail) address (couldn't|could not|cannot|can't) be "
        r"(found|located|resolved)"
                       r"|e-?mail account does not exist at the organi[sz]ation",
     "The recipient's e-mail address could not be located"),
    # qmail-local and Postfix look into tables of their own.
    ("told-by-table", r"sorry, no mailbox here by that name|user unknown in (local|relay|virtual)"
        r" (recipient|alias|mailbox) table", "Sorry, no mailbox here by that name."),
    ("told-wrong", r"check if address is correct|e-?mail address is (wrong|incorrect)",
        "Please check if address is correct."),
    says_so_itself=True, codes=(0,),
)  # fmt: skip

UNKNOWN = phrases(
    Class.UNKNOWN_USER,
    ("not-listed", r"not listed in |not (in|found in) .{0,20}(directory|address book|ldap|user "
        r"(list|table))|marked as invalid"
                   r"|no (entry|match) .{0,30}(directory|address|ldap|user)",
     "550 hanako was not found in LDAP server"),
    ("address-not-found", r"address (not found|lookup failed|unknown|is "
        r"invalid)|(recipient|address|mailbox|user)('s)? (name |address )*"
                          r"(couldn't|could not|cannot|can't|can not|unable to) be "
                              r"(found|located|resolved|identified|verified)",
     "550 The recipient cannot be verified"),
    ("moved", r"has (been )?moved|\bmoved to\b|new (e-?mail )?address (is|of)|address (has "
        r")?changed|please (try|use) (<@>|@)"
              r"|not our user|not our customer",
     "551 5.1.6 User has moved to hanako@example.test; please try <hanako@example.test>", "moved"),
    ("no-longer", r"no longer (on (this |the )?server|valid|exists?|available|work|in "
        r"(use|service)|active|with (us|the|this)|employed"
                  r"|accept|monitored|used|a (valid|member))"
                  r"|longer valid|has left|isn't with|not with (us|the company)|abandoned",
     "550 5.1.6 recipient no longer on server: hanako@example.test", "moved"),
    ("user-unknown", rf"{WHO}('s|s)?( name| id| address)?:? ?([ (<]*@?[ )>]*|\S{{1,64}})?[ "
        r",:.'()-]*(is |was "
        r"|are |has |name |address "
                     r"|id "
                         r")*(un(known|recogni|deliverable|reachable|routable|resolv)|invalid"
                         r"|nonexist|non-exist|bad\b|inexist"
                     r"|not "
                         r"(found|exist|valid|known|recogni|local|list|defined|available|here|in\b"
                         r"|on\b|a (valid|known|local)|accept"
                     r"|present|hosted|registered|identified|ok|existing)|do(es)? not "
                         r"exist|doesn't exist"
                     r"|(couldn't|could not|cannot|wasn't)(?! (be )?(delivered|reached|contact)))",
     ("550 5.1.1 <hanako@example.test>: Recipient address rejected: User unknown in virtual "
         "mailbox table")),
    ("unknown-user", r"(unknown|no such|invalid|no valid|not a valid|not a known|not "
        r"valid|bad|nonexistent|non-existent|unrecogni[sz]ed"
                     r"|undeliverable|no|not "
                         r"an?|illegal|incorrect|unresolvable|wrong|incorrectly|unable to "
                         r"find|cannot find|can't find"
                     rf"|not find|find no|find) (\w+[ -]){{0,2}}{WHO}s?\b",
                     "550 5.1.1 No such user here"),
    ("unknown-recipient", r"(unknown|invalid)[ "
        r"-](rcpt ?to\b|recipient|user|mailbox|local|e-?mail|address|account|destination)"
                          r"|userunknown"
                          r"|nosuchuser|recipnotfound|recipientnotfound|unknown_user|unknown: ",
                          "550 unknown-recipient"),
    ("mailbox-unavailable", r"mail ?box (is )?(un|not "
        r")(available|known|found|here|local|recogni|valid|exist|reachable|deliverable)"
                            r"|mailbox name not allowed|mailbox \S{0,64} "
                                r"?(not|does|doesn't|unknown|unavailable)|mailbox not"
                                r"|unavailable (mail )?(user|mail ?box)",
     "550 5.1.1 Requested action not taken: mailbox unavailable"),
    ("no-one-here", r"(no|isn't any|is no|not any)(one|body| one| user| account| person| "
        r"mailbox| such| "
        r"recipient| record"
                    r"| match)\w* (by|with|of|for|called|named|here|at|on|in|found|matching)"
                    r"|by that name|not exist here|nobody|no matches to nameserver|can't accept "
                        r"user"
                    r"|is (unknown|not known) (here|at this)|user path no exist|incorrectly "
                        r"addressed|handle mail for that user"
                    r"|not (a )?users? (of|on|at) (this|our|the)\b"
                    r"|missing home directory|account unavailable|not be found by|name not "
                        r"recogni|name is not recogni",
     "550 nobody of that name, not exist here"),
    ("does-not-exist", rf"<?@[>)]? {NOT} (exist|found|known|valid|recogni|a (valid|known)|be "
        r"found|listed|available|registered|match)"
                       rf"|{NOT} have an? (\S+ )?(account|mailbox|mail ?box)|account (that "
                           r")?you tried to reach",
     "550 5.1.1 <hanako@example.test> does not exist"),
    ("bad-address", r"unrouteable local|bad[ _](destination|address|recipient)"
                    r"|malformed (recipient|to|address|rcpt)|badrcptto"
                    r"|(address|recipient|mailbox) syntax"
                    r"|syntax error in (recipient|address|mailbox)",
                    "550 BAD_RECIPIENT"),
    ("rejected-address", r"(^|[ #.\d:])(address|recipient|user|rcpt|to) (was )?reject(ed)?( "
        r"@)?\.?$|^@? "
        r"?rejected\.?$"
                         r"|address rejected\.?$|recipient rejected",
                         "550 #5.1.0 Address rejected."),
)  # fmt: skip

DOMAIN = phrases(
    Class.UNKNOWN_DOMAIN,
    ("host-unknown", r"\b(host|domain|domain name|hostname|host name|dns domain|mail "
        r"domain)('s)?( name)? "
        r"(\S{1,64} )?(is |was |are "
                     r"|name )*(un(known|resolv|routable|routeable)|invalid|not "
                         r"(found|exist|valid|known|defined|registered|a valid"
                     r"|listed|resolv|be (found|resolved)|find|locat)|nonexist|non-exist|does "
                         r"not exist|doesn'?t exist|did not exist"
                     r"|could not be|couldn't be|cannot be (found|resolved)|no "
                         r"longer|illegal|has expired)",
     "550 5.1.2 <hanako@example.invalid>... Host unknown (Name server: host not found)"),
    ("unknown-host", r"(unknown|no "
        r"such|invalid|unresolvable|non-?existent|bad|illegal|nonexistent|unrouteable"
        r"|unroutable) (\w+ )?(host"
                     r"|domain|mail domain|destination "
                         r"(host|system|domain)|hostname|system|internet|address family|site)\b"
                     r"|unrout(e)?able (mail domain|address)", "5.1.2 Sorry, no such domain."),
    ("no-host-named", r"(any|no) host (named|found)(?! for)|couldn't find (any )?host|nxdomain"
                      r"|\bdns\b.{0,40}(not exist|no such (domain|host|name))"
        r"|name or service not "
        r"known"
                      r"|no mail hosts? for domain|nonexistentdomain|no a,? aaaa|no address "
                          r"associated|non-?existent host|no mx or a"
                      r"|no such host is known|cannot find host|can't find host|no dns|no data, "
                          r"requested name"
                      r"|domain (couldn't|could not) be found|all host address lookups failed "
                          r"permanently|cannot resolve (domain|host)"
                      r"|unable to resolve (the )?(domain|host)", ("Sorry, I couldn't find any "
                          "host named example.invalid. (#5.1.2)")),
)  # fmt: skip

NO_MAIL = phrases(
    Class.NETWORK,
    ("null-mx", r"null ?mx|accepts? no mail|indicated no smtp service|\bno mx (record |host "
        r")?(was |were "
        r")?(found|for)"
                r"|find a mail exchanger"
                r"|(domain|host|server|system|name)\b.{0,40}(does not|doesn't|not|never) "
                    r"(accept|receive|process"
                r"|take) (any )?(incoming )?(e?-?mails?|messages)\b(?! from)"
                r"|no mail exchanger|no (valid |usable )?mx\b.{0,20}(exist|configured|published)"
                r"|mail for .{0,64} is not accepted here", ("556 5.1.10 "
                    "Recipient address has null MX")),
    detail="accepts_no_mail", is_hard=True,
) + phrases(
    Class.NETWORK,
    ("not-accepting", r"not accepting network messages|does not accept mail", ("521 5.3.2 "
        "System not accepting network messages")),
    detail="accepts_no_mail", is_hard=True, codes=(521, 556),
)  # fmt: skip

DNS_TROUBLE = phrases(
    Class.NETWORK,
    ("dns-for-now", r"not found,? try again|temporary (name|dns)|(look-?up|dns|name server) "
        r"(failed|failure|error)? ?(temporar|try)"
                    r"|servfail|name server timeout"
                    r"|look-?up of \S{1,80} failed", ("Name service error for "
                        "name=example.test type=MX: Host not found, try again")),
    detail="dns",
)  # fmt: skip

REFUSES = phrases(
    Class.RECIPIENT_REFUSED,
    ("refused", r"(refused|rejected|denied|blocked|declined|not (wanted|accepted)) (by|due "
        r"to|because "
        r"of|on behalf of) (the |this |its "
                r"|their |your )?(user|recipient|addressee|owner|mailbox owner|customer|receiver)",
     "550 5.7.1 Message rejected by recipient"),
    ("preferences", r"(recipient|user|customer|person)('s|s')? "
        r".{0,40}(preference|settings|filter|privacy|whitelist|allow ?list"
                    r"|choice|rules)"
                    r"|email preferences|personal (black|block|filter)", ("550 This person's "
                        "email preferences do not allow it")),
    ("does-not-want", r"(user|recipient|customer|mailbox|addressee|account|person)( \S{1,64})? "
        r"((does "
        r"not|doesn't|do not"
                      r"|refuses to) (accept|want|wish|allow|receive|take)|has "
                          r"(blocked|rejected|refused)|only accepts|rejects)\b"
        r"|(receiver|recipient|addressee) (has )?(denied|rejected|refused|blocked) your\b",
     "550 The recipient does not accept mail from you"),
    ("access-denied", r"recipient( address)? (rejected|refused|denied): access denied|recipient "
        r".{0,30}(restricted|protected)"
                      r"|account is protected|mailbox unavailable or access denied|user "
                          r"reject|user in blacklist",
     "554 5.7.1 <hanako@example.test>: Recipient address rejected: Access denied"),
    ("filtered", r"(mail|message|e-?mail|rule|user|domain) ?(was |is |been |has been "
        r")?filter(ed|s)?\b|filtered|by the domain filter"
                 r"|does not meet .{0,30}criteria|(white|allow|safe)[- ]?list",
                 "550 Message filtered by user rule"),
)  # fmt: skip

# Said before a reason that other rules know: asked after them.
REJECTED = phrases(
    Class.RECIPIENT_REFUSED,
    ("rejected", r"recipient( address)? (rejected|refused|denied)|rejected recipient",
        "550 Rejected recipient hanako"),
    ("rejected-by-server", (r"rejected by (a|the) remote mail server|remote smtp server has "
        r"rejected "
        r"address|recipients was rejected"),
     "Each of the following recipients was rejected by a remote mail server."),
)  # fmt: skip
