"""What single receivers mean by their words. Each group names where its words are explained."""

from __future__ import annotations

from functools import lru_cache

from deliveries.classification.program_dialects import (
    BARRACUDA,
    CPANEL,
    EXIM,
    GODADDY,
    GROUPWISE,
    MAILRU,
    MESSAGELABS,
    MIMECAST,
    SENDER_VERIFY,
    ZOHO,
)
from deliveries.classification.rules import phrases
from deliveries.shaping import providers
from deliveries.smtp.outcomes import Stage
from suppressions.classes import Class

# Receivers and filters that have words of their own and no shaping rule.
OTHERS = (
    providers.ReceiverRule(
        "mimecast", "Mimecast", ("mimecast.com", "mimecast.co.za", "mimecast-offshore.com")
    ),
    providers.ReceiverRule("proofpoint", "Proofpoint", ("pphosted.com", "ppe-hosted.com")),
    providers.ReceiverRule("barracuda", "Barracuda", ("barracudanetworks.com", "cudamail.com")),
    providers.ReceiverRule("messagelabs", "Symantec Email Security.cloud", ("messagelabs.com",)),
    providers.ReceiverRule("godaddy", "GoDaddy", ("secureserver.net",)),
    providers.ReceiverRule("facebook", "Facebook", ("facebook.com",), ("facebook.com",)),
    providers.ReceiverRule("cox", "Cox", ("cox.net",), ("cox.net",)),
    providers.ReceiverRule("interia", "Interia", ("interia.pl",), ("interia.pl", "poczta.fm")),
    providers.ReceiverRule("amazon", "Amazon SES", ("amazonaws.com", "amazonses.com")),
)
KNOWN = (*providers.RULES, *OTHERS)


@lru_cache(maxsize=4096)
def provider_of(host: str, domain: str = "") -> str:
    """Return the receiver's name, as the rules have it; "default" for all that are not known."""
    return providers.match(
        KNOWN, hosts=(host.lower().rstrip("."),) if host else (), domain=domain.lower()
    ).name


AFTER_DATA = (Stage.DATA, Stage.BODY)

# https://note.com/sendmagic/n/neb6bbe7e51cf (docomo), n875d8dcb6cb8 (au), n5afbf98aeb25 (SoftBank):
# a dead address and the user's own filter answer with the same words; the filter does so after
# DATA. au names the address that is dead, and none where it filters.
CARRIERS = (
    *phrases(Class.RECIPIENT_REFUSED,
        ("docomo-filtered", r"unknown user", "550 Unknown user hanako@docomo.ne.jp"),
             of=("docomo",), stages=AFTER_DATA),
    *phrases(Class.UNKNOWN_USER,
        ("docomo-unknown", r"unknown user", "550 Unknown user hanako@docomo.ne.jp"),
             of=("docomo",), stages=(Stage.RCPT,)),
    *phrases(Class.RECIPIENT_REFUSED,
        ("au-filtered", r"user unknown", "550 <hanako@au.com>: User unknown"), of=("au",),
        stages=AFTER_DATA),
    *phrases(Class.UNKNOWN_USER, ("au-unknown", r"@>?: user unknown", ("550 "
        "<hanako@ezweb.ne.jp>: User unknown")),
             of=("au",), says_so_itself=True),
    *phrases(Class.MAILBOX_DISABLED, ("au-account", (r"user\(s\) account is "
        r"(disabled|temporarily limited)"),
             "The user(s) account is disabled.")),
    *phrases(Class.RECIPIENT_REFUSED, ("au-nameless", r": user unknown", "550 : User unknown"),
        of=("au",)),
    *phrases(Class.SENDER_REFUSED,
        ("softbank-sender", r"does not exist", "553 example.test does not exist"), of=("softbank",),
             codes=(553,)),
    *phrases(Class.UNKNOWN_USER, ("softbank-unknown", r"invalid recipient", ("550 Invalid "
        "recipient: <hanako@i.softbank.jp>")),
             of=("softbank",), says_so_itself=True),
)  # fmt: skip

# https://support.google.com/a/answer/3726730. The words of the links (?p=...) say it shortest.
GOOGLE = (
    *phrases(Class.UNKNOWN_USER,
             ("google-no-user", (r"p=nosuchuser|answer=6596\b|because the address couldn't be "
                 r"found\. check"),
             "550 5.1.1 https://support.google.com/mail/?p=NoSuchUser a1si2 - gsmtp"),
             says_so_itself=True),
    *phrases(Class.MAILBOX_DISABLED, ("google-disabled", r"p=disableduser",
             "550 5.2.1 https://support.google.com/mail/?p=DisabledUser - gsmtp")),
    *phrases(Class.MAILBOX_FULL, ("google-full", r"p=overquota", ("452 4.2.2 see "
        "https://support.google.com/mail/?p=OverQuotaTemp - gsmtp"))),
    *phrases(Class.RATE_LIMITED,
             ("google-user-rate", r"p=receivingrate|is receiving mail (at a rate|too quickly)",
              ("450 4.2.1 The user you are trying to contact is receiving mail at a rate that "
                  "prevents additional messages")),
             detail="recipient_rate"),
    *phrases(Class.REPUTATION, ("google-unusual", r"unusual rate of unsolicited mail",
             "421 4.7.28 Our system has detected an unusual rate of unsolicited mail")),
    *phrases(Class.POLICY, ("google-custom", r"- gcdp\b|domain policy",
             "550 5.7.1 This message violates example.com email policy. - gcdp a1 - gsmtp")),
    *phrases(Class.SENDER_REFUSED,
             ("google-group", r"groups\.google\.com/support|topic=25838|group you tried to contact",
             ("The group you tried to contact (sales) may not exist, "
                 "https://groups.google.com/support/")),
             ("google-send-as", r"p=customfromdenied", ("Learn more here: "
                 "https://support.google.com/mail/?p=CustomFromDenied"))),
    *phrases(Class.NETWORK, ("google-no-connection", r"did not accept our requests to connect",
             "The recipient server did not accept our requests to connect."),
             detail="connection"),
    *phrases(Class.POLICY, ("google-allow-list", r"not in whitelist for rcpt domain",
             "421 4.7.0 IP not in whitelist for RCPT domain, closing connection.")),
)  # fmt: skip

# https://learn.microsoft.com/troubleshoot/exchange/email-delivery/ndr/non-delivery-reports-in-exchange-online
# Exchange names the part of itself that refused: RESOLVER, STOREDRV, ROUTING, TRANSPORT.
MICROSOFT = (
    *phrases(Class.UNKNOWN_USER,
             ("exchange-resolver", (r"resolver\.adr\.(\w*recip\w*|invalid\w*|notfound\w*)"
                 r"|recipientnotfound"),
             "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found"),
             # Directory-based edge blocking, before any mailbox is asked.
             ("exchange-edge", (r"recipient address rejected: access "
                 r"denied.{0,40}(as\(|\[\S{4,100}\.outlook\.com|https?://aka\.ms/exo)"),
             "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)"),
             says_so_itself=True),
    *phrases(Class.POLICY, ("exchange-restricted", r"resolver\.rst\.(auth\w*|restricted\w*)",
             "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required"),
             ("exchange-rule", r"transport\.rules",
             ("550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization "
                 "policy")),
             ("exchange-send-as", r"sendasdenied",
             ("550 5.7.60 SMTP; Client does not have permissions to send as this sender; "
                 "SendAsDenied"))),
    *phrases(Class.RECIPIENT_REFUSED, ("exchange-not-authorized", r"resolver\.rst\.notauthorized",
             "550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized")),
    *phrases(Class.SENDER_REFUSED, ("exchange-all", (r"all recipient addresses rejected ?: "
        r"access denied"),
             "550 5.4.1 All recipient addresses rejected : Access denied")),
    *phrases(Class.TOO_LARGE, ("exchange-size", r"resolver\.rst\.\w*size",
             "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient")),
    *phrases(Class.MAILBOX_FULL, ("exchange-full", r"quotaexceeded|storedrv.{0,20}mailbox full",
             "554 5.2.2 STOREDRV.Deliver.Exception:QuotaExceededException")),
    *phrases(Class.REPUTATION,
             ("outlook-blocked", r"\(s31[45]0\)|\b(sc-00[1-4]|dy-00[12]|ou-00[12])\b|\(s77\d\)",
             "550 SC-001 Unfortunately, messages from 192.0.2.1 weren't sent.")),
    *phrases(Class.RATE_LIMITED, ("outlook-rate", r"\brp-00[1-3]\b|thread limit exceeded",
             "421 RP-001 The mail server has exceeded the rate limit allowed.")),
    *phrases(Class.UNKNOWN_USER,
             ("outlook-unknown", r"mailbox unavailable", ("550 5.5.0 Requested action not "
                 "taken: mailbox unavailable.")),
             of=("microsoft",), codes=(550,), says_so_itself=True),
)  # fmt: skip

# https://senders.yahooinc.com/smtp-error-codes/, https://help.yahoo.com/kb/SLN3444.html
YAHOO = (
    *phrases(Class.REPUTATION, ("yahoo-deferred", (r"\[(tss?|ipts)\d\d\]|\[bl2\d\]|\bvs\d{1,"
        r"2}-(ip|mf)\d?"),
             "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred")),
    *phrases(Class.UNKNOWN_USER, ("yahoo-not-found", r"mailbox not found", ("552 1 Requested "
        "mail action aborted, mailbox not found")),
             of=("yahoo",),
             says_so_itself=True),
    *phrases(Class.UNKNOWN_USER, ("yahoo-no-account", (r"delivery error: dd (this user does "
        r"?n[o']t have an? \S* ?account|@ is no longer valid)"
        r"|this user doesn't have a yahoo\S* account"),
             ("554 delivery error: dd This user doesn't have a yahoo.com account "
                 "(hanako@yahoo.com) [0]")),
             says_so_itself=True),
    *phrases(Class.MAILBOX_DISABLED, ("yahoo-disabled", (r"account has been disabled or "
        r"discontinued|mailbox is disabled"),
             ("554 delivery error: dd Sorry your message cannot be delivered. This account has "
                 "been disabled or discontinued [#102]."))),
)  # fmt: skip

# AOL's letters, from before it moved to Yahoo's hosts, as its pages of errors explained them: RTR
# and RLY the address, DYN the pace, HVU and CON the content.
AOL = (
    *phrases(Class.REPUTATION,
        ("aol-address", r"\b(rtr|rly):[a-z]{2}\b|\brly:[a-z]\d\b", ("554- (RTR:BL) Connecting "
            "IP: 192.0.2.1"))),
    *phrases(Class.RATE_LIMITED, ("aol-rate", r"\bdyn:t\d\b", "421 4.7.1 : (DYN:T1) throttled")),
    *phrases(Class.CONTENT,
        ("aol-content", r"\b(hvu|con):[a-z]\d\b", "554 5.7.1 : (HVU:B1) message rejected"),
        detail="spam"),
)  # fmt: skip


# https://www.postmastery.com/orange-postmaster-smtp-error-codes-ofr/; La Poste (LPN) uses the same
# numbers.
ORANGE = (
    *phrases(Class.SYSTEM, ("orange-later", r"\b(ofr|lpn)\w{0,5}_505\b",
             ("421 4.2.0 Service refuse. Veuillez essayer plus tard. Service refused, please try "
                 "later. OFR005_505 [505]"))),
    *phrases(Class.RATE_LIMITED, ("orange-rate", r"\b(ofr|lpn)\w{0,5}_(104|109)\b",
             "421 Too many connections, slow down. OFR005_104 [104]")),
    *phrases(Class.REPUTATION,
        ("orange-blocked", r"\b(ofr|lpn)\w{0,5}_(10\d|20\d|30\d|510|99\d)\b",
             "550 Service refused, please try later. LPN001_108")),
    *phrases(Class.AUTHENTICATION, ("orange-spf", r"\b(ofr|lpn)\w{0,5}_401\b",
             "550 5.5.0 SPF: 192.0.2.1 is not allowed to send mail. LPN004_401")),
    *phrases(Class.SENDER_REFUSED, ("orange-sender", r"\b(ofr|lpn)\w{0,5}_(40[02-5]|415|421)\b",
             "550 5.1.8 Emetteur invalide. Invalid Sender. OFR004_402 [402]")),
    *phrases(Class.MAILBOX_DISABLED, ("orange-archived", r"\b(ofr|lpn)\w{0,5}_42[06]\b",
             "550 5.1.1 Boite du destinataire archivee. Archived recipient. LPN007_420")),
    *phrases(Class.TOO_LARGE, ("orange-size", r"\b(ofr|lpn)\w{0,5}_514\b",
             "552 5.2.0 Maximum size of the message reached. OFR_514 [514]")),
    *phrases(Class.UNKNOWN_USER, ("orange-unknown", r"\b(ofr|lpn)\w{0,5}_41[68]\b",
             ("550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. "
                 "OFR204_416 [416]")),
             says_so_itself=True),
    *phrases(Class.MAILBOX_FULL, ("orange-full", r"\b(ofr|lpn)\w{0,5}_417\b",
             "552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]")),
    *phrases(Class.AUTHENTICATION,
        ("orange-dmarc", r"\b(ofr|lpn)\w{0,5}_51[357]\b", "550 5.7.1 refused, OFR_515")),
    *phrases(Class.CONTENT, ("orange-spam", r"\b(ofr|lpn|ouk)\w{0,5}_5\d\d\b", ("550 5.7.1 Mail "
        "rejete. Mail rejected. OFR_506 [506]")),
             detail="spam"),
)  # fmt: skip

# http://postmaster.comcast.net/mail-error-codes.xml;
# http://postmaster.cox.net/confluence/display/postmaster/Error+Codes
CABLE = (
    *phrases(Class.REPUTATION, ("comcast-blocked", r"\b(bl|es)0000\d\d\b", ("554 192.0.2.1 "
        "Comcast block for spam. Please see #BL000000")),
             ("cox-blocked", r"\b(cxbl|cdrbl|ipbl[01]{4}|cxdns)\b", ("554 cox.net 192.0.2.1 "
                 "rejected - no spam accepted here. CXBL"))),
    *phrases(Class.RATE_LIMITED, ("comcast-rate", r"\brl0000\d\d\b", ("421 4.1.0 Throttled - "
        "try again later. #RL000003")),
             ("cox-rate", r"\b(cxcnct|cxmxrt|cxtncnt)\b", ("452 cox too many sessions from "
                 "192.0.2.1. CXCNCT"))),
    *phrases(Class.SENDER_REFUSED, ("cox-sender", r"\b(cxsndr|cxsmtp)\b", ("550 sender domain "
        "has no DNS record. CXSNDR"))),
    # Cloudmark's "acceptable use policy" of Spectrum and Cox; what stands before is known by the
    # rules above.
    *phrases(Class.REPUTATION, ("cloudmark-aup", r"\baup#(?!sndr|pol)", ("554 ESMTP server not "
        "available AUP#I-1010"))),
    *phrases(Class.POLICY, ("cox-account", r"\b(cxthrt|cxmj)\b", ("550 Email sending limited "
        "due to account activity. CXTHRT"))),
)  # fmt: skip

# http://postmaster.facebook.com/response_codes: the letters say what it is about, P stands for
# permanent and T for temporary.
FACEBOOK = (
    *phrases(Class.UNKNOWN_USER, ("facebook-unknown", r"\b(rcp-p1|int-p[134])\b",
             "550 5.1.1 RCP-P1 The attempted recipient address does not exist"),
             says_so_itself=True),
    *phrases(Class.RECIPIENT_REFUSED, ("facebook-preferences", r"\brcp-p[23]\b", ("550 5.1.1 "
        "RCP-P2 Refused due to recipient preferences"))),
    *phrases(Class.TOO_LARGE,
        ("facebook-size", r"\b(msg-p1|int-p2)\b", "552 5.3.4 MSG-P1 too large")),
    *phrases(Class.CONTENT, ("facebook-message", r"\bmsg-p[2-9]\b", "550 5.7.1 MSG-P2")),
    *phrases(Class.AUTHENTICATION, ("facebook-auth", r"\bpol-p7\b", "550 5.7.1 POL-P7")),
    *phrases(Class.REPUTATION,
        ("facebook-address", r"\b(pol-[pt][1-4]|dns-[pt][23])\b", "554 5.7.1 POL-P1")),
    *phrases(Class.SENDER_REFUSED, ("facebook-sender", r"\bdns-[pt]1\b", "550 5.7.1 DNS-P1")),
    *phrases(Class.RATE_LIMITED, ("facebook-rate", r"\bcon-[pt]\d\b", "421 4.7.0 CON-T1")),
    *phrases(Class.SYSTEM, ("facebook-system", r"\bint-t\d{1,2}\b", "451 4.3.0 INT-T3")),
)  # fmt: skip

# https://smtp.codes/qq; http://help.163.com/09/1224/17/5RAJ4LMH00753VB8.html (HL is the address, MI
# the sender, RP the recipients, DT the content)
CHINA = (
    *phrases(Class.REPUTATION, ("netease-address", r"\b(dt:rbl|wm:bl[iu])\b",
             "450 DT:RBL 163 smtp14,192.0.2.1"),
             ("qq-suspected", r"suspected (spam|bounce)|connection denied",
             "550 Suspected spam ip https://service.mail.qq.com/detail/122/66")),
    *phrases(Class.CONTENT, ("netease-content", r"\bdt:spm\b", "554 DT:SPM 163 smtp7"),
        detail="spam"),
    *phrases(Class.RECIPIENT_REFUSED,
        ("qq-rejected", r"mail is rejected by recipients", "550 Mail is rejected by recipients")),
)  # fmt: skip


DIALECTS = (
    *SENDER_VERIFY, *BARRACUDA, *EXIM, *CPANEL, *GODADDY, *ZOHO, *CARRIERS, *MESSAGELABS,
    *GROUPWISE, *MAILRU,
    *GOOGLE, *MICROSOFT,
    *YAHOO, *AOL, *MIMECAST, *ORANGE, *CABLE,
    *FACEBOOK, *CHINA,
)  # fmt: skip
