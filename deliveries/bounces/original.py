"""What a report says of the message that it is about: by which names of ours it can be found.

It believes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from deliveries.bounces.feedback_id import NAME
from deliveries.bounces.mime import Fields, Part, header, originals, read_fields, take_apart
from deliveries.bounces.wording import addresses, notice

MOST = 20  # of each; a report is about one message
MOST_CHARACTERS = 1000
_FEEDBACK = NAME.decode()


@dataclass(frozen=True, slots=True)
class Original:
    """Candidates, the likeliest first: return paths as addresses, tokens of our feedback field,
    Message-IDs with their brackets.
    """

    return_paths: tuple[str, ...] = ()
    feedback_ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()


def read(data: bytes) -> Original:
    """Read the original out of a report: take anything, never raise, look at the first megabyte."""
    _, parts = take_apart(data)
    returned = list(_returned(parts))
    reported = [read_fields(part.text) for part in parts if part.type == "message/feedback-report"]
    return Original(
        _first(
            address
            for name in ("original-mail-from", "return-path")
            for found in (*reported, *returned)
            for address in _of(found, name)
        ),
        _first(value.strip() for found in returned for value in found.get(_FEEDBACK, [])),
        _first(
            _bracketed(header(found, "message-id")) for found in returned if "message-id" in found
        ),
    )


def _returned(parts: Iterable[Part]) -> Iterator[Fields]:
    """Yield the header sections of what came back, in parts of their own or below the notice."""
    yield from originals(parts)
    for part in parts:
        if part.type == "text/plain":
            _, rest = notice(part.text)
            if rest:
                yield read_fields(rest.lstrip("\n")[:65_536])


def _of(fields: Fields, name: str) -> list[str]:
    return [
        address for value in fields.get(name, []) for address in addresses(value[:MOST_CHARACTERS])
    ]


def _bracketed(text: str) -> str:
    return f"<{text.strip().strip('<>')}>"


def _first(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in found if 0 < len(text) <= MOST_CHARACTERS))[:MOST]
