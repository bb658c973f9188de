"""Every reply of the listener, with its enhanced status code (RFC 5321, RFC 3463, RFC 4954)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerReply:
    """A reply; `closes` says that the session ends after it."""

    code: int
    enhanced: str
    text: str
    closes: bool = False

    def __bytes__(self) -> bytes:
        enhanced = f"{self.enhanced} " if self.enhanced else ""
        return f"{self.code} {enhanced}{self.text}\r\n".encode("ascii", "replace")

    @property
    def is_our_fault(self) -> bool:
        """Tell if the client could have done nothing about it (RFC 3463: X.3 is the mail system's
        status).
        """
        return self.enhanced in ("4.3.0", "4.3.1") or self.code == 454

    @property
    def is_refusal(self) -> bool:
        return self.code >= 400

    def __call__(self, **values: object) -> "ServerReply":
        """Put the values into the text, whatever they hold, as one short line of ASCII (RFC 5321,
        section 4.5.3.1.5).
        """
        return ServerReply(
            self.code,
            self.enhanced,
            self.text.format(**{name: _shown(value) for name, value in values.items()}),
            self.closes,
        )


def _shown(value: object) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in str(value)[:200])


OK = ServerReply(250, "2.0.0", "OK")
BYE = ServerReply(221, "2.0.0", "Bye", closes=True)
READY_FOR_TLS = ServerReply(220, "2.0.0", "Ready to start TLS")
AUTHENTICATED = ServerReply(235, "2.7.0", "Authentication successful")
SENDER_OK = ServerReply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = ServerReply(250, "2.1.5", "Recipient OK")
CHUNK_OK = ServerReply(250, "2.0.0", "{size} bytes received")
GO_AHEAD = ServerReply(354, "", "End data with <CRLF>.<CRLF>")
QUEUED = ServerReply(250, "2.0.0", "OK queued as {queue_id}")
QUEUED_LOWER = ServerReply(
    250, "2.3.6", "{priority} is the priority it gets; OK queued as {queue_id}"
)
RECEIVED = ServerReply(250, "2.0.0", "OK received as {queue_id}")
CANNOT_VERIFY = ServerReply(252, "2.5.2", "Cannot VRFY user, but will take a message")
HELP = ServerReply(214, "2.0.0", "Commands: EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP QUIT")

# The session
TOO_MANY_SESSIONS = ServerReply(
    421, "4.7.0", "Too many sessions here, try again later", closes=True
)
TOO_MANY_FROM_ADDRESS = ServerReply(
    421, "4.7.0", "Too many sessions from your address, try again later", closes=True
)
GAVE_WAY = ServerReply(
    421, "4.7.0", "You were idle, and others need the room; try again later", closes=True
)
SHUTTING_DOWN = ServerReply(421, "4.3.2", "Shutting down, try again", closes=True)
TIMED_OUT = ServerReply(421, "4.4.2", "Idle for too long", closes=True)
DATA_TIMED_OUT = ServerReply(421, "4.4.2", "The message took too long", closes=True)
TOO_MANY_ERRORS = ServerReply(421, "4.7.0", "Too many errors", closes=True)
TOO_MANY_COMMANDS = ServerReply(421, "4.7.0", "Too many commands without a message", closes=True)
EARLY_TALKER = ServerReply(554, "5.5.0", "You spoke before the greeting", closes=True)
OUR_FAULT = ServerReply(451, "4.3.0", "Something is wrong here, try again later")
OUR_LAST_FAULT = ServerReply(421, "4.3.0", "Something is wrong here, try again later", closes=True)

# Commands
LINE_TOO_LONG = ServerReply(500, "5.5.2", "Line too long")
LINE_TOO_LONG_BY_FAR = ServerReply(421, "4.7.0", "Line too long", closes=True)
BAD_LINE = ServerReply(500, "5.5.2", "A command is printable text that ends in CRLF")
UNKNOWN_COMMAND = ServerReply(500, "5.5.1", "Command not recognised")
NOT_IMPLEMENTED = ServerReply(502, "5.5.1", "Command not implemented")
NO_ARGUMENT = ServerReply(501, "5.5.4", "This command takes no argument")
SAY_EHLO = ServerReply(503, "5.5.1", "Say EHLO first")
NO_MAIL = ServerReply(503, "5.5.1", "Say MAIL first")
NO_RECIPIENTS = ServerReply(503, "5.5.1", "Say RCPT first; no recipient was accepted")
NESTED_MAIL = ServerReply(503, "5.5.1", "A message is under way; say RSET to drop it")
BAD_SYNTAX = ServerReply(501, "5.5.4", "Syntax: {syntax}")
BAD_PARAMETER = ServerReply(555, "5.5.4", "Parameter not recognised or not allowed: {name}")
BAD_VALUE = ServerReply(501, "5.5.4", "Bad value of {name}")
PIPELINED = ServerReply(
    554, "5.5.0", "Commands must not be sent before the reply to {verb}", closes=True
)
BAD_CHUNK = ServerReply(501, "5.5.4", "Syntax: BDAT size [LAST]", closes=True)
BINARY_MIME = ServerReply(
    555, "5.6.1", "BINARYMIME is not offered; send the message as 8BITMIME or encoded"
)
DATA_AFTER_BDAT = ServerReply(503, "5.5.1", "BDAT and DATA cannot be mixed")
CONTENT_BEGUN = ServerReply(503, "5.5.1", "The content has begun; no recipient can be added")

# TLS and AUTH
NEEDS_TLS = ServerReply(530, "5.7.0", "Say STARTTLS first")
TLS_ALREADY = ServerReply(503, "5.5.1", "TLS is on already")
TLS_INJECTED = ServerReply(554, "5.5.0", "Data was sent after STARTTLS and before TLS", closes=True)
AUTH_NEEDS_TLS = ServerReply(538, "5.7.11", "Encryption is required for authentication")
AUTH_NOT_HERE = ServerReply(503, "5.5.1", "Authentication is not offered here")
AUTH_ALREADY = ServerReply(503, "5.5.1", "Already authenticated")
AUTH_IN_MAIL = ServerReply(503, "5.5.1", "Not while a message is under way")
AUTH_UNKNOWN = ServerReply(504, "5.5.4", "Mechanisms: PLAIN LOGIN")
AUTH_CANCELLED = ServerReply(501, "5.7.0", "Authentication cancelled")
AUTH_BAD_BASE64 = ServerReply(501, "5.5.2", "Not base64 of the expected form")
AUTH_OTHER = ServerReply(
    535, "5.7.8", "The credential cannot act for {identity}: leave the authorization identity empty"
)
AUTH_TOO_LONG = ServerReply(500, "5.5.6", "Authentication exchange line too long")
AUTH_FAILED = ServerReply(
    535, "5.7.8", "User name or secret is wrong, or not allowed from your address"
)
AUTH_LOCKED = ServerReply(
    421, "4.7.0", "Too many failed authentications, try again later", closes=True
)
AUTH_UNAVAILABLE = ServerReply(
    454, "4.7.0", "Authentication is not possible right now, try again later"
)
AUTH_REQUIRED = ServerReply(530, "5.7.0", "Authentication required")
REVOKED = ServerReply(421, "4.7.0", "The credential is no longer valid", closes=True)

# Who may send what
SENDER_NOT_ALLOWED = ServerReply(
    550,
    "5.7.1",
    "This credential may not send as {domain}: it is no verified domain of its project",
)
SENDER_NOT_VERIFIED = ServerReply(
    550,
    "5.7.1",
    "This credential may not send as {domain} yet: the domain's records have not been found in "
    "DNS, see ./ekiden domain check",
)
SENDER_STRICT = ServerReply(
    550,
    "5.7.1",
    "This credential may not send as {domain}: the DMARC policy of {above} has adkim=s, so "
    "receivers take no signature of {above} for it; add {domain} itself",
)
SENDER_LAPSED = ServerReply(
    550,
    "5.7.1",
    "This credential may not send as {domain} any more: for 72 hours nothing in its DNS has proven "
    "that it is the project's, see ./ekiden domain check",
)
# Only time is missing: a client that queues tries again, and loses nothing.
SENDER_WITHOUT_KEY = ServerReply(
    451,
    "4.7.1",
    "This credential may not send as {domain} yet: its DKIM key has to be seen in DNS for an hour "
    "first, try again then, see ./ekiden key list",
)
FROM_MISSING = ServerReply(550, "5.7.1", "The message has no From field")
FROM_TWICE = ServerReply(550, "5.7.1", "The message has more than one {name} field")
FROM_UNREADABLE = ServerReply(550, "5.7.1", "The {name} field cannot be read: {why}")
FOREIGN_NAME = ServerReply(
    550,
    "5.7.1",
    "The name in the {name} field shows {address}, of no verified domain of this project: leave it "
    "out, or allow names that show other addresses for the project",
)
LOOP = ServerReply(
    554, "5.4.6", "Routing loop: the message has passed {most} hosts, or has been here before"
)
RELAY_DENIED = ServerReply(550, "5.7.1", "Relaying denied")
NO_SUCH_RETURN_PATH = ServerReply(550, "5.1.1", "No such return path")
SUPPRESSED = ServerReply(550, "5.1.1", "The recipient is suppressed: {reason}")

# Limits: what is over them now may be under them later
TOO_MANY_RECIPIENTS = ServerReply(452, "4.5.3", "Too many recipients: at most {most} per message")
TOO_MANY_PER_MINUTE = ServerReply(
    450, "4.7.1", "Over the limit of {most} messages per minute of this credential"
)
TOO_MANY_PER_DAY = ServerReply(
    450, "4.7.1", "Over the limit of {most} messages per day of this credential"
)
TOO_MANY_CREDENTIAL_SESSIONS = ServerReply(
    421, "4.7.0", "Over the limit of {most} sessions of this credential", closes=True
)

# The message
BUSY = ServerReply(
    451, "4.3.2", "More mail is waiting than leaves here in time, try again in a minute"
)
STORAGE_FULL = ServerReply(452, "4.3.1", "Insufficient storage here, try again later")
INBOUND_FULL = ServerReply(
    452, "4.3.1", "No room for more mail of this kind today, try again later"
)
TOO_LARGE = ServerReply(
    552,
    "5.3.4",
    "The message is larger than {most} bytes, and encoding makes attachments a third larger",
)
TOO_LARGE_BY_FAR = ServerReply(552, "5.3.4", TOO_LARGE.text, closes=True)
BARE_NEWLINE = ServerReply(
    550,
    "5.6.0",
    "The message has a bare CR or LF; lines must end in CRLF (RFC 5321, section 2.3.8)",
)
NUL_BYTE = ServerReply(550, "5.6.0", "The message has a NUL byte")
LONG_LINE = ServerReply(550, "5.6.0", "The message has a line longer than {most} bytes")
NOT_TEXT = ServerReply(550, "5.6.0", "{why}")
BAD_HEADERS = ServerReply(550, "5.6.0", "{why}")
CONTROL_IN_HEADER = ServerReply(
    550, "5.6.0", "The {name} field has a control character: {character}"
)
BAD_PRIORITY = ServerReply(
    550, "5.6.0", "X-Ekiden-Priority may stand once, and be urgent, normal or bulk"
)
EIGHT_BIT_HEADERS = ServerReply(550, "5.6.7", "The header holds UTF-8: declare SMTPUTF8 in MAIL")
