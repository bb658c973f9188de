"""Stems of English that say a reason loosely: what `stems` asks after all phrases."""

# Language, meaning, noun stems, stems of what is said of it, an example.
LOOSE_ENGLISH: tuple[tuple[str, str, str, str, str], ...] = (
    ("en", "size", r"\b(messages?|mails?|e-?mails?|letter|attachments?|body|data|size|bytes)\b",
        r"too (large|big|long|huge)|oversi[sz]e|(exceed|over|above|beyond)\w* (\w+ ){0,4}(size"
        r"|limit|maximum|length|bytes|[kmg]b)|size (limit )?(is )?exceed|limit exceeded"
        r"|maximum size|bigger than|larger than",
        "The attachments are oversized"),
    ("en", "reputation", r"\b(ips?|ip address|sending host|client|connection|server|network|mta"
        r"|host|isp)\b",
        r"black ?list|block ?list|denylist|blocklist|listed|\brbl\b|dnsbl|reputation|mismatch|spam"
        r"|open (relay|proxy)|(not|n't) trust|untrust"
        r"|distrust|bad (history|record)|banned|no reverse|not resolv|\bptr\b|unverif|suspicious",
        "This connection is unverified"),
    ("en", "address", r"\b(ips?|ip address(es)?)\b",
        r"\b(invalid|bad|refused|rejected|denied|banned|barred|unauthori[sz]ed|unwelcome"
        r"|disallowed)\b|not (allowed|permitted|authori[sz]ed|accepted|welcome)",
        "An unwelcome IP to send mail of this domain"),
    ("en", "authentication", r"\b(message|mail|e-?mail|sender|domain|from)\b",
        r"\bdmarc\b|\bdkim\b|\bspf\b|unauthenticated|not authenticated|forged|spoof",
        "The mail of this domain is forged"),
    ("en", "sender", r"\b(sender|from address|originator|return[- ]path|envelope from|mail from"
        r"|you|group|list|members?)\b",
        r"(do|does|are|is|was|may) not (have |be |been )?(\w+ )?(allowed|permi\w+|authori[sz]\w+"
        r"|member|subscri\w+|accept\w*|verif\w+|valid|exist)|not (allowed|permitted|authori[sz]ed"
        r"|subscribed)|no permission|unknown sender|invalid sender|moderat|members only",
        "The list is moderated"),
    ("en", "rate", r"\b(messages?|mails?|e-?mails?|recipients?|connections?|sender|requests?|user"
        r"|rate)\b",
        r"too (many|fast|much|often|quick\w*)|rate (limit|exceed)|throttl|at a rate"
        r"|exceed\w* (\w+ ){0,3}(rate|per|hourly|daily)|slow down",
        "The user receives messages at a rate that prevents more"),
    ("en", "relay", r"\b(smtp|domain|host|recipient|address|destination|user|mail|server"
        r"|routing)\b",
        r"(?<!open )\brelay|not local|not hosted|not handled|not serviced|no route"
        r"|not (one of|in) (my|our|the) (list|domains|hosts)|not (a|the) gateway for",
        "This domain is not one of our hosts"),
    ("en", "loop", r"\b(mail|message|hops?|routing|forward\w*|delivery|received|message-id)\b",
        r"\bloop|too many hops|hop count|duplicated?\b|circular",
        "The forwarding is circular"),
    ("en", "late", r"\b(deliver\w*|envelope|mail|host|hosts|message|attempts?|queue|server"
        r"|retr(y|ies))\b",
        r"\d+ (attempts|tries|times|hours|days)|gave up|given up|giving up|long time|expired"
        r"|time allowed|allotted|(for|after|within) \w+ (days|hours)"
        r"|will (be )?continue"
        r"|too long|fail(ing|ed) (repeatedly|for)|retry (time|limit|timeout)",
        "The host was given up"),
    ("en", "connection", r"\b(server|host|domain|gateway|mail ?system|mta|exchanger|connection"
        r"|session|network)\b",
        r"not reachable|unreachable|not respond|no response|timed? ?out|refused|reset"
        r"|dropped|lost|closed|could not (be )?(contact|connect|reach|find)|unavailable|offline"
        r"|is down|no answer|failed to connect|busy",
        "The receiving mail system is offline"),
    ("en", "virus", r"\b(message|mail|e-?mail|attachment|file|content)\b",
        r"\bworm\b|infect|malware|exploit|ransom|trojan",
        "The attachment carries an exploit"),
    ("en", "spam", r"\b(message|mail|e-?mail|content|text|body|subject|link|url)\b",
        r"\bspam|unsolicited|junk|phish|advert|\bbulk\b|unwanted|offensive|prohibited word",
        "The text is unwanted"),
    ("en", "policy", r"\b(message|mail|e-?mail|delivery|rule|administrator|organi[sz]ation|policy"
        r"|security|site)\b",
        r"polic(y|ies)|prohibit|forbid|forbidden|not allowed|not permitted|disallow|restricted"
        r"|not authori[sz]ed|unauthori[sz]ed"
        r"|violat|blocked by (an? )?(rule|admin)",
        "The organisation forbids this"),
    ("en", "refused", r"\b(recipients?|addressees?)\b",
        r"reject|refus|declin|denied|not accept",
        "The addressees were declined"),
    ("en", "system", r"\b(local delivery|transport|home directory"
        r"|server|system|disk|program|script|delivery agent|configuration|database"
        r"|mailer|filter|software|service)\b",
        r"error|fail|fault|unavailable|writable|out of|not work|broken|crash|mis-?configur|internal"
        r"|cannot|could not|unable|problem",
        "The mailer is broken"),
)  # fmt: skip
