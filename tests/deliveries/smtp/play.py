"""Plays the server's part of a sans-IO dialogue: replies in order, and what the client said to get
them.
"""

from collections.abc import Generator
from typing import Any

from deliveries.smtp.dialogue import Read, Send, StartTls
from deliveries.smtp.replies import Reply, ReplyParser, local_reply

LOST = local_reply(421, "4.4.2", "connection lost")


def reply(text: str) -> Reply:
    """Return the reply that a server says as `text`, lines parted by newlines."""
    code, _, rest = text.partition(" ")
    *more, last = rest.split("\n")
    data = "".join([f"{code}-{line}\r\n" for line in more] + [f"{code} {last}\r\n"]).encode()
    return next(ReplyParser().feed(data))


def play(
    dialogue: Generator[Any, Any, Any], *answers: str | Reply | None
) -> tuple[Any, list[bytes]]:
    """Return the dialogue's result, and what was said before each reply.

    Content and TLS have no trouble of their own.
    """
    script, said, answer = list(answers), [b""], None
    while True:
        try:
            step = dialogue.send(answer)
        except StopIteration as end:
            assert not script, f"never asked for {script}"
            return end.value, [said for said in said if said]
        match step:
            case Send(data):
                said[-1] += data
                answer = None
            case StartTls():
                said[-1] += b"(TLS)"
                answer = None
            case Read():
                said.append(b"")
                next_answer = script.pop(0)
                answer = reply(next_answer) if isinstance(next_answer, str) else next_answer
