"""Every reply of the listener, with its enhanced status code (RFC 5321, RFC 3463, RFC 4954)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
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
        """Whether the client could have done nothing about it (RFC 3463: X.3 is the mail system's
        status).
        """
        return self.enhanced in ("4.3.0", "4.3.1") or self.code == 454

    @property
    def is_refusal(self) -> bool:
        return self.code >= 400

    def __call__(self, **values: object) -> "Reply":
        """With the values in its text, whatever they hold: a reply is one short line of ASCII (RFC
        5321, section 4.5.3.1.5).
        """
        return Reply(
            self.code,
            self.enhanced,
            self.text.format(**{name: _shown(value) for name, value in values.items()}),
            self.closes,
        )


def _shown(value: object) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in str(value)[:200])


OK = Reply(250, "2.0.0", "OK")
BYE = Reply(221, "2.0.0", "Bye", closes=True)
READY_FOR_TLS = Reply(220, "2.0.0", "Ready to start TLS")
AUTHENTICATED = Reply(235, "2.7.0", "Authentication successful")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
CHUNK_OK = Reply(250, "2.0.0", "{size} bytes received")
GO_AHEAD = Reply(354, "", "End data with <CRLF>.<CRLF>")
QUEUED = Reply(250, "2.0.0", "OK queued as {queue_id}")
QUEUED_LOWER = Reply(250, "2.3.6", "{priority} is the priority it gets; OK queued as {queue_id}")
RECEIVED = Reply(250, "2.0.0", "OK received as {queue_id}")
CANNOT_VERIFY = Reply(252, "2.5.2", "Cannot VRFY user, but will take a message")
HELP = Reply(214, "2.0.0", "Commands: EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP QUIT")

# The session
TOO_MANY_SESSIONS = Reply(421, "4.7.0", "Too many sessions here, try again later", closes=True)
TOO_MANY_FROM_ADDRESS = Reply(
    421, "4.7.0", "Too many sessions from your address, try again later", closes=True
)
GAVE_WAY = Reply(
    421, "4.7.0", "You were idle, and others need the room; try again later", closes=True
)
SHUTTING_DOWN = Reply(421, "4.3.2", "Shutting down, try again", closes=True)
TIMED_OUT = Reply(421, "4.4.2", "Idle for too long", closes=True)
DATA_TIMED_OUT = Reply(421, "4.4.2", "The message took too long", closes=True)
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors", closes=True)
TOO_MANY_COMMANDS = Reply(421, "4.7.0", "Too many commands without a message", closes=True)
EARLY_TALKER = Reply(554, "5.5.0", "You spoke before the greeting", closes=True)
OUR_FAULT = Reply(451, "4.3.0", "Something is wrong here, try again later")
OUR_LAST_FAULT = Reply(421, "4.3.0", "Something is wrong here, try again later", closes=True)

# Commands
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
LINE_TOO_LONG_BY_FAR = Reply(421, "4.7.0", "Line too long", closes=True)
BAD_LINE = Reply(500, "5.5.2", "A command is printable text that ends in CRLF")
UNKNOWN_COMMAND = Reply(500, "5.5.1", "Command not recognised")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented")
NO_ARGUMENT = Reply(501, "5.5.4", "This command takes no argument")
SAY_EHLO = Reply(503, "5.5.1", "Say EHLO first")
NO_MAIL = Reply(503, "5.5.1", "Say MAIL first")
NO_RECIPIENTS = Reply(503, "5.5.1", "Say RCPT first; no recipient was accepted")
NESTED_MAIL = Reply(503, "5.5.1", "A message is under way; say RSET to drop it")
BAD_SYNTAX = Reply(501, "5.5.4", "Syntax: {syntax}")
BAD_PARAMETER = Reply(555, "5.5.4", "Parameter not recognised or not allowed: {name}")
BAD_VALUE = Reply(501, "5.5.4", "Bad value of {name}")
PIPELINED = Reply(554, "5.5.0", "Commands must not be sent before the reply to {verb}", closes=True)
BAD_CHUNK = Reply(501, "5.5.4", "Syntax: BDAT size [LAST]", closes=True)
BINARY_MIME = Reply(
    555, "5.6.1", "BINARYMIME is not offered; send the message as 8BITMIME or encoded"
)
DATA_AFTER_BDAT = Reply(503, "5.5.1", "BDAT and DATA cannot be mixed")
CONTENT_BEGUN = Reply(503, "5.5.1", "The content has begun; no recipient can be added")

# TLS and AUTH
NEEDS_TLS = Reply(530, "5.7.0", "Say STARTTLS first")
TLS_ALREADY = Reply(503, "5.5.1", "TLS is on already")
TLS_INJECTED = Reply(554, "5.5.0", "Data was sent after STARTTLS and before TLS", closes=True)
AUTH_NEEDS_TLS = Reply(538, "5.7.11", "Encryption is required for authentication")
AUTH_NOT_HERE = Reply(503, "5.5.1", "Authentication is not offered here")
AUTH_ALREADY = Reply(503, "5.5.1", "Already authenticated")
AUTH_IN_MAIL = Reply(503, "5.5.1", "Not while a message is under way")
AUTH_UNKNOWN = Reply(504, "5.5.4", "Mechanisms: PLAIN LOGIN")
AUTH_CANCELLED = Reply(501, "5.7.0", "Authentication cancelled")
AUTH_BAD_BASE64 = Reply(501, "5.5.2", "Not base64 of the expected form")
AUTH_OTHER = Reply(
    535, "5.7.8", "The credential cannot act for {identity}: leave the authorization identity empty"
)
AUTH_TOO_LONG = Reply(500, "5.5.6", "Authentication exchange line too long")
AUTH_FAILED = Reply(535, "5.7.8", "User name or secret is wrong, or not allowed from your address")
AUTH_LOCKED = Reply(421, "4.7.0", "Too many failed authentications, try again later", closes=True)
AUTH_UNAVAILABLE = Reply(454, "4.7.0", "Authentication is not possible right now, try again later")
AUTH_REQUIRED = Reply(530, "5.7.0", "Authentication required")
REVOKED = Reply(421, "4.7.0", "The credential is no longer valid", closes=True)

# Who may send what
SENDER_NOT_ALLOWED = Reply(
    550,
    "5.7.1",
    "This credential may not send as {domain}: it is no verified domain of its project",
)
SENDER_NOT_VERIFIED = Reply(
    550,
    "5.7.1",
    "This credential may not send as {domain} yet: the domain's records have not been found in "
    "DNS, see ./ekiden domain check",
)
FROM_MISSING = Reply(550, "5.7.1", "The message has no From field")
FROM_TWICE = Reply(550, "5.7.1", "The message has more than one {name} field")
FROM_UNREADABLE = Reply(550, "5.7.1", "The {name} field cannot be read: {why}")
FOREIGN_NAME = Reply(
    550,
    "5.7.1",
    "The name in the {name} field shows {address}, of no verified domain of this project: leave "
    "it out, "
    "or allow names that show other addresses for the project",
)
LOOP = Reply(
    554, "5.4.6", "Routing loop: the message has passed {most} hosts, or has been here before"
)
RELAY_DENIED = Reply(550, "5.7.1", "Relaying denied")
NO_SUCH_RETURN_PATH = Reply(550, "5.1.1", "No such return path")
SUPPRESSED = Reply(550, "5.1.1", "The recipient is suppressed: {reason}")

# Limits: what is over them now may be under them later
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients: at most {most} per message")
TOO_MANY_PER_MINUTE = Reply(
    450, "4.7.1", "Over the limit of {most} messages per minute of this credential"
)
TOO_MANY_PER_DAY = Reply(
    450, "4.7.1", "Over the limit of {most} messages per day of this credential"
)
TOO_MANY_CREDENTIAL_SESSIONS = Reply(
    421, "4.7.0", "Over the limit of {most} sessions of this credential", closes=True
)

# The message
BUSY = Reply(451, "4.3.2", "More mail is waiting than leaves here in time, try again in a minute")
STORAGE_FULL = Reply(452, "4.3.1", "Insufficient storage here, try again later")
INBOUND_FULL = Reply(452, "4.3.1", "No room for more mail of this kind today, try again later")
TOO_LARGE = Reply(
    552,
    "5.3.4",
    "The message is larger than {most} bytes, and encoding makes attachments a third larger",
)
TOO_LARGE_BY_FAR = Reply(552, "5.3.4", TOO_LARGE.text, closes=True)
BARE_NEWLINE = Reply(
    550,
    "5.6.0",
    "The message has a bare CR or LF; lines must end in CRLF (RFC 5321, section 2.3.8)",
)
NUL_BYTE = Reply(550, "5.6.0", "The message has a NUL byte")
LONG_LINE = Reply(550, "5.6.0", "The message has a line longer than {most} bytes")
NOT_TEXT = Reply(550, "5.6.0", "{why}")
BAD_HEADERS = Reply(550, "5.6.0", "{why}")
CONTROL_IN_HEADER = Reply(550, "5.6.0", "The {name} field has a control character: {character}")
BAD_PRIORITY = Reply(
    550, "5.6.0", "X-Ekiden-Priority may stand once, and be urgent, normal or bulk"
)
EIGHT_BIT_HEADERS = Reply(550, "5.6.7", "The header holds UTF-8: declare SMTPUTF8 in MAIL")
