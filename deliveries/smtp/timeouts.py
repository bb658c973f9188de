"""How long a client waits at each stage, and how a record names what it waited for."""

from dataclasses import dataclass

from deliveries.smtp.outcomes import Stage


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, as RFC 5321 4.5.3.2 asks for where it does.

    Each runs from the question to the whole reply: a peer that drips bytes gains nothing. `opening`
    and `transaction` cap the sums, so that a tar-pit ends.
    """

    connect: float = 30
    greeting: float = 300
    ehlo: float = 300
    starttls: float = 120
    handshake: float = 60
    auth: float = 60  # RFC 5321 names none
    mail: float = 300
    rcpt: float = 300
    data: float = 120
    # For a host to refuse its first BDAT: content that it would not take is not sent then.
    chunk: float = 0.3
    block: float = 180  # for each 64 KiB of content
    body: float = 600
    quit: float = 5
    opening: float = 900
    transaction: float = 1800


RFC_5321 = Timeouts()

DOING = {
    Stage.CONNECT: "connecting",
    Stage.GREETING: "waiting for the greeting",
    Stage.EHLO: "waiting for the reply to EHLO",
    Stage.STARTTLS: "waiting for the reply to STARTTLS",
    Stage.AUTH: "waiting for the reply to AUTH",
    Stage.MAIL: "waiting for the reply to MAIL FROM",
    Stage.RCPT: "waiting for the reply to RCPT TO",
    Stage.DATA: "waiting for the reply to DATA",
    Stage.BODY: "waiting for the reply to the end of the message",
    Stage.QUIT: "waiting for the reply to QUIT",
}
