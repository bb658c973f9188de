"""What was said on a connection: noted by reference as it goes, put into words only where somebody
wants them; no message content and no secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from deliveries.smtp.dialogue import Answer, Read, Send, StartTls, Step
from deliveries.smtp.replies import Reply

NOTES = 60  # steps of an opening, and of one message
LINES, LINE, ALL = 80, 300, 12_000  # of a transcript, and characters of one and of all
HEAD = 600  # octets of what we send in one piece: the commands stand at its beginning

OURS, THEIRS, EVENT = "client", "server", "event"
_CHUNK = re.compile(rb"BDAT \d{1,12}(?: LAST)?\r\n")
# What stands in our return path proves that a bounce is of this delivery.
_TOKEN = re.compile(r"^(MAIL FROM:<b-\w{4})[^@>]*")
_AUTH = re.compile(rb"AUTH [A-Z0-9-]+")

Note = tuple[float, Step, object, str]
Line = tuple[float, str, str, str]  # seconds since the connection, who, what, stage


class SessionNotes:
    """The opening of one connection, and the last message on it."""

    __slots__ = ("_mail", "_notes", "_opening", "_since")

    def __init__(self, since: float) -> None:
        self._since = since
        self._opening: list[Note] = []
        self._mail: list[Note] = []
        self._notes = self._opening

    def begin_mail(self) -> None:
        """Forget what was noted of the message before."""
        self._notes = self._mail = []

    def note(self, at: float, step: Step, answer: Answer, tls: str) -> None:
        if len(self._notes) >= NOTES:
            return
        if isinstance(step, Send):
            shown = _without_secret(step.data) if step.is_secret else step.data
            head = shown[:HEAD], len(shown)
            self._notes.append((at, Send(b"", step.is_content), head, tls))
            if answer is not None:
                self._notes.append((at, step_of_content, answer, tls))
        else:
            self._notes.append((at, step, answer, tls))

    def transcript(self) -> str:
        """Return the lines as JSON; empty where nothing was said."""
        lines: list[Line] = []
        room = ALL
        for line in self._lines():
            room -= len(line[2])
            if len(lines) >= LINES or room < 0:
                lines.append((line[0], EVENT, "…", ""))
                break
            lines.append(line)
        return json.dumps(lines, ensure_ascii=False) if lines else ""

    def _lines(self) -> Iterator[Line]:
        for at, step, what, tls in [*self._opening, *self._mail]:
            seconds = round(at - self._since, 3)
            for who, text, stage in _said(step, what, tls):
                yield seconds, who, text[:LINE], stage


step_of_content = Send(b"", is_content=True)


def _said(step: Step, what: object, tls: str) -> Iterator[tuple[str, str, str]]:
    match step, what:
        case _, Reply() as reply:
            yield from _reply(reply, step.stage if isinstance(step, Read) else "")
        case Send(), (bytes() as head, int() as size):
            yield from _commands(head, size, is_content=step.is_content)
        case StartTls(), None:
            yield EVENT, f"TLS {tls}", "starttls"


def _reply(reply: Reply, stage: str) -> Iterator[tuple[str, str, str]]:
    if reply.local:  # no peer said so
        yield EVENT, reply.text, stage
        return
    if len(reply.lines) < 2:
        yield THEIRS, str(reply), stage
        return
    for number, line in enumerate(reply.lines):
        mark = " " if number == len(reply.lines) - 1 else "-"
        yield THEIRS, f"{reply.code}{mark}{line}", stage


def _commands(head: bytes, size: int, *, is_content: bool) -> Iterator[tuple[str, str, str]]:
    """Yield the commands up to the content, of which only the size is noted."""
    while head:
        chunk = _CHUNK.match(head)
        if is_content and chunk is None:
            yield EVENT, f"content {size}", "body"
            return
        line, _, rest = head.partition(b"\r\n")
        size -= len(head) - len(rest)
        yield OURS, _masked(line.decode("utf-8", "replace")), ""
        head, is_content = rest, is_content or chunk is not None


def _masked(line: str) -> str:
    return _TOKEN.sub(r"\1…", line)


def _without_secret(line: bytes) -> bytes:
    named = _AUTH.match(line)
    return (named.group() + b" \xe2\x80\xa6" if named else b"\xe2\x80\xa6") + b"\r\n"
