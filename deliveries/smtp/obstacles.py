"""Say why a host cannot get a message as it is, before anything of it is sent."""

from deliveries.smtp.dialogue import Capabilities
from deliveries.smtp.mail import Mail
from deliveries.smtp.replies import Reply, local_reply

TOO_LARGE = local_reply(552, "5.3.4", "the message is larger than the host takes")
NOT_8BIT = local_reply(554, "5.6.3", "the message has 8-bit content, which the host does not take")
NOT_UTF8 = local_reply(
    553, "5.6.7", "the message needs internationalized addresses, which the host does not take"
)
OBSTACLES = (TOO_LARGE, NOT_8BIT, NOT_UTF8)


def obstacle_for(mail: Mail, offers: Capabilities) -> Reply | None:
    """Return why this host cannot get this mail as it is; None where it can.

    It is converted, and signed anew, only where no host takes it
    (`deliveries.sending.host_dialogue`).
    """
    if offers.size and mail.size > offers.size:
        return TOO_LARGE
    # A host that offers one of these and refuses its parameter gets the same bytes without the
    # parameter.
    if (
        mail.smtputf8
        and not offers.smtputf8
        and not ("SMTPUTF8" in offers.broken and mail.has_ascii_envelope)
    ):
        return NOT_UTF8
    # SMTPUTF8 alone lets headers be UTF-8, and with it 8BITMIME must be offered (RFC 6531 3.1)
    takes_8bit = offers.eightbitmime or "8BITMIME" in offers.broken or mail.is_last_resort
    return NOT_8BIT if mail.eight_bit and not takes_8bit else None
