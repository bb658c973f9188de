"""The one thing a client transaction carries: an envelope with one recipient, with content fit for
the wire.
"""

from dataclasses import dataclass

from deliveries.message.priorities import Priority
from domains.foundation.text import texts


class UnsafeMail(ValueError):
    """The mail would not reach the peer as the commands and lines it is meant to be: a bug before
    us, never a reply.
    """


@dataclass(frozen=True, slots=True)
class Mail:
    """One message for one recipient; both addresses as they go on the wire, the reverse-path may
    be empty.

    `on_top` are whole header fields for this recipient alone, before the content that all
    recipients share: two pieces, so that the content is not copied once more for each.

    `is_last_resort`: its 8-bit content goes to a host without 8BITMIME as well, since nothing more
    can be done about it.

    Lines end in CRLF and in nothing else: two MTAs that disagree about a bare CR or LF are what
    SMTP smuggling needs (CVE-2023-51764). Intake has seen to it; this looks again, since nothing
    after it does (10 KB: 3 us).
    """

    reverse_path: str
    recipient: str
    content: bytes
    smtputf8: bool = False
    eight_bit: bool = False
    priority: Priority = Priority.NORMAL
    on_top: bytes = b""
    is_last_resort: bool = False

    @property
    def size(self) -> int:
        """Bytes as they will be sent."""
        return len(self.on_top) + len(self.content)

    @property
    def has_ascii_envelope(self) -> bool:
        return self.reverse_path.isascii() and self.recipient.isascii()

    def __post_init__(self) -> None:
        ends = self.content.count(b"\r\n")
        if (
            not self.content.endswith(b"\r\n")
            or not self.content.count(b"\r") == self.content.count(b"\n") == ends
        ):
            raise UnsafeMail("a line of the content does not end in CRLF")
        for address in (self.reverse_path, self.recipient):
            # A CR or LF in an address would be a second command.
            if texts.has_control(address) or not (self.smtputf8 or address.isascii()):
                raise UnsafeMail("an address holds characters that cannot be sent")
