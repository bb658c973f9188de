"""What is said during AUTH: the challenges, and what the client answers (RFC 4954, section 4)."""

from smtp_listener.admission import authentication
from smtp_listener.admission.authentication import Proof
from smtp_listener.admission.policy import Refused
from smtp_listener.protocol import replies
from smtp_listener.protocol.channel import Channel
from smtp_listener.protocol.commands import MAX_AUTH_LINE
from smtp_listener.protocol.replies import ServerReply

USERNAME, PASSWORD = "VXNlcm5hbWU6", "UGFzc3dvcmQ6"


async def ask(channel: Channel, argument: str) -> Proof | ServerReply:
    """Return the proof that follows AUTH's argument, or why there is none.

    Raise `Refused` where the client breaks off.
    """
    mechanism, _, initial = argument.replace("\t", " ").partition(" ")
    initial = initial.strip()
    match mechanism.upper():
        case "PLAIN":
            return authentication.decode_plain(initial or await _challenge(channel, ""))
        case "LOGIN":
            # "=" is an empty initial response (RFC 4954, section 4): the name comes at the
            # challenge.
            username = initial.removeprefix("=") or await _challenge(channel, USERNAME)
            return authentication.decode_login(username, await _challenge(channel, PASSWORD))
        case _:
            return replies.AUTH_UNKNOWN


async def _challenge(channel: Channel, text: str) -> str:
    channel.say_raw(f"334 {text}")
    line = await channel.line(MAX_AUTH_LINE)
    if line is None:
        raise Refused(replies.AUTH_TOO_LONG)
    if line == b"*":
        raise Refused(replies.AUTH_CANCELLED)
    return line.decode("ascii", "replace")
