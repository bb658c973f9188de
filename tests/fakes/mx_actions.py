"""What a scripted MX may do in place of a reply."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Drop:
    """Close the connection in the ordinary way (FIN)."""


@dataclass(frozen=True)
class Reset:
    """Close the connection by RST."""


@dataclass(frozen=True)
class Hang:
    """Say nothing more, ever, and keep the connection open."""


@dataclass(frozen=True)
class Freeze:
    """As Hang, and nothing is read any more either."""


@dataclass(frozen=True)
class TakeAndDrop:
    """For BODY: the message is taken, and its reply lost."""


@dataclass(frozen=True)
class Wait:
    """Think for so many seconds; in a list, before the answer."""

    seconds: float


@dataclass(frozen=True)
class Drip:
    """The reply byte by byte, with a pause after each."""

    text: str
    pause: float = 0.0


@dataclass(frozen=True)
class Flood:
    """`piece` so many times."""

    piece: bytes
    times: int


@dataclass(frozen=True)
class Discard:
    """Lose what the client has sent beyond this command, as a host does that offers PIPELINING and
    cannot; in a list, before the answer.
    """


@dataclass(frozen=True)
class Held:
    """The reply goes out together with the next one that is no `Held`."""

    text: str


Action = Drop | Reset | Hang | Freeze | TakeAndDrop | Wait | Drip | Flood | Discard | Held
Answer = str | bytes | Action | list["Answer"] | Callable[[str], Any] | None


def first_reply(answer: Answer) -> str:
    """Return the reply within an answer, as far as there is one."""
    match answer:
        case str():
            return answer
        case Drip(text, _) | Held(text):
            return text
        case bytes():
            return answer.decode("latin-1")
        case list():
            return next((reply for part in answer if (reply := first_reply(part))), "")
    return ""


def reply_bytes(text: str) -> bytes:
    code, _, rest = text.partition(" ")
    *more, last = rest.split("\n")
    return "".join([f"{code}-{line}\r\n" for line in more] + [f"{code} {last}\r\n"]).encode()
