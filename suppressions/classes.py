"""The classes into which every refusal, report and complaint falls, and what each means to the
people who must act on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Who has to change something."""

    RECIPIENT = "recipient"
    SENDER = "sender"  # the app, its content or its domain
    US = "us"  # this relay: its address, its name, its pace
    NETWORK = "network"
    NOBODY = "nobody"


class Class(StrEnum):
    UNKNOWN_USER = "unknown_user"
    UNKNOWN_DOMAIN = "unknown_domain"
    MAILBOX_FULL = "mailbox_full"
    MAILBOX_DISABLED = "mailbox_disabled"
    RECIPIENT_REFUSED = "recipient_refused"
    SENDER_REFUSED = "sender_refused"
    REPUTATION = "reputation"
    AUTHENTICATION = "authentication"
    POLICY = "policy"
    CONTENT = "content"
    VIRUS = "virus"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    RELAY_DENIED = "relay_denied"
    NETWORK = "network"
    SYSTEM = "system"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"
    DELIVERED = "delivered"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Meaning:
    """For support staff: what happened, and what to do.

    English, which is translated where it is shown.

    `advice` holds while the message is tried again; `final` where that has ended, if it is another
    one then.
    """

    title: str
    explanation: str
    advice: str
    fault: Fault
    final: str = ""

    @property
    def final_advice(self) -> str:
        return self.final or self.advice


def _(text: str) -> str:
    """Mark a text for the catalogue, as Django's gettext_noop does; this module is pure."""
    return text


MEANINGS = {
    Class.UNKNOWN_USER: Meaning(
        _("Unknown recipient"),
        _("The receiving system does not know this address, or no longer does."),
        _(
            "Check the spelling with the customer and correct it where it was entered. More mail "
            "to this address harms our reputation."
        ),
        Fault.RECIPIENT,
    ),
    Class.UNKNOWN_DOMAIN: Meaning(
        _("Unknown domain"),
        _("The part after the @ does not exist in DNS, so no mail server can be found for it."),
        _(
            "Look for a typing mistake such as gmial.com. If the domain is right, its owner has "
            "to repair its DNS."
        ),
        Fault.RECIPIENT,
    ),
    Class.MAILBOX_FULL: Meaning(
        _("Mailbox full"),
        _("The recipient's mailbox has no room for this message."),
        _(
            "Ask the customer to make room, then send again. A mailbox that stays full for weeks "
            "is usually abandoned."
        ),
        Fault.RECIPIENT,
    ),
    Class.MAILBOX_DISABLED: Meaning(
        _("Mailbox disabled"),
        _("The account exists, but it has been locked, suspended or not used for a long time."),
        _(
            "Ask the customer for another address, or to have the account opened again by its "
            "provider."
        ),
        Fault.RECIPIENT,
    ),
    Class.RECIPIENT_REFUSED: Meaning(
        _("Refused by the recipient"),
        _(
            "The recipient's own filter or settings refused the message. The address itself may "
            "well be right."
        ),
        _(
            "Ask the customer to allow mail from the sending domain: for carriers in Japan, in "
            "the settings against unwanted mail."
        ),
        Fault.RECIPIENT,
    ),
    Class.SENDER_REFUSED: Meaning(
        _("Sender refused"),
        _("The receiving system does not accept mail from this sender address or its domain."),
        _(
            "Check that the sender address exists, its domain has MX records, and it may write "
            "to this recipient or group."
        ),
        Fault.SENDER,
    ),
    Class.REPUTATION: Meaning(
        _("Bad reputation"),
        _(
            "The receiving system distrusts our sending address: it is on a blocklist, has a bad "
            "record, or its DNS names do not fit."
        ),
        _(
            "An operator looks up our address on the list that the answer names, removes the "
            "cause, and asks to be taken off it."
        ),
        Fault.US,
    ),
    Class.AUTHENTICATION: Meaning(
        _("Authentication failed"),
        _("SPF, DKIM or DMARC did not confirm that the message comes from the domain it names."),
        _("Check the sending domain's DNS records in the portal, and publish what is missing."),
        Fault.SENDER,
    ),
    Class.POLICY: Meaning(
        _("Against the receiver's rules"),
        _(
            "A rule of the receiving organisation refuses this mail, such as a list that only "
            "members may write to."
        ),
        _(
            "Read the answer; often only the receiving administrator can say which rule it was "
            "and make an exception."
        ),
        Fault.SENDER,
    ),
    Class.CONTENT: Meaning(
        _("Content refused"),
        _("The content looked like spam to the receiver, or is not built as the standards ask."),
        _(
            "Look at the message's headers, links and attachments. The app that made it has to "
            "change them."
        ),
        Fault.SENDER,
    ),
    Class.VIRUS: Meaning(
        _("Virus found"),
        _("The receiver found malicious code in the message."),
        _("Stop the sending app until it is known where the attachment or link comes from."),
        Fault.SENDER,
    ),
    Class.TOO_LARGE: Meaning(
        _("Message too large"),
        _("The message is larger than the recipient or its server takes."),
        _("Send a smaller message, for example with a link in place of the attachment."),
        Fault.SENDER,
    ),
    Class.RATE_LIMITED: Meaning(
        _("Too much at once"),
        _(
            "The receiver wants fewer messages, connections or recipients in this time. "
            "Greylisting belongs here as well."
        ),
        _(
            "Nothing to do: the relay slows down and tries again. If it lasts, spread the "
            "sending over more time."
        ),
        Fault.US,
        _(
            "Refused for good: the relay does not try again. Read which limit the answer names, "
            "and send the message anew below it."
        ),
    ),
    Class.RELAY_DENIED: Meaning(
        _("Relaying denied"),
        _("The server that was reached is not responsible for this recipient's domain."),
        _(
            "Check the domain's MX records and any fixed route; the recipient's administrator "
            "may have moved its mail."
        ),
        Fault.RECIPIENT,
    ),
    Class.NETWORK: Meaning(
        _("Not reachable"),
        _(
            "The receiving server could not be reached in time, or the connection, TLS or DNS "
            "failed on the way."
        ),
        _(
            "Wait: it usually passes. If it lasts, the recipient's administrator has to look at "
            "the server and its DNS."
        ),
        Fault.NETWORK,
        _(
            "The relay does not try again. Check the part after the @; the recipient's "
            "administrator has to look at the server and its DNS."
        ),
    ),
    Class.SYSTEM: Meaning(
        _("Trouble at the receiver"),
        _(
            "The receiving system has a fault of its own, such as a full disk or a wrong "
            "configuration."
        ),
        _(
            "Wait: the relay tries again. If it lasts, tell the recipient's administrator what "
            "was answered."
        ),
        Fault.NETWORK,
        _(
            "The relay does not try again. Tell the recipient's administrator what was answered, "
            "and send it anew when that is repaired."
        ),
    ),
    Class.COMPLAINT: Meaning(
        _("Complaint"),
        _("The recipient marked the message as spam, or asked its provider for no more of it."),
        _("Do not write to this address again unless the customer asks for it in so many words."),
        Fault.SENDER,
    ),
    Class.AUTO_REPLY: Meaning(
        _("Automatic reply"),
        _(
            "A program answered for the recipient, for example an absence note. The message has "
            "arrived."
        ),
        _("Nothing to do."),
        Fault.NOBODY,
    ),
    Class.DELIVERED: Meaning(
        _("Delivered"),
        _("The receiving system confirms the delivery."),
        _("Nothing to do."),
        Fault.NOBODY,
    ),
    Class.OTHER: Meaning(
        _("Not understood"),
        _("The answer does not say why the message was refused."),
        _("Read the answer itself; if such answers come often, add a rule for them."),
        Fault.NOBODY,
    ),
}
