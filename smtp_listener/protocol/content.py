"""Reads a message's content from the channel, within its size and its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smtp_listener.protocol import replies
from smtp_listener.protocol.channel import Channel, Ended
from smtp_listener.protocol.reception import Reception


@dataclass(slots=True)
class Clock:
    """Until when the content of one message may come: in so many seconds, and no slower than so
    many bytes a second.

    The rate is counted from `grace` seconds after the beginning; 0 asks for none.
    """

    began: float
    most: float
    grace: float = 0.0
    rate: int = 0
    size: int = 0

    @property
    def until(self) -> float:
        end = self.began + self.most
        return min(end, self.began + self.grace + self.size / self.rate) if self.rate else end


async def read_lines(channel: Channel, reception: Reception, clock: Clock, *, most: int) -> None:
    """Read after DATA until the end mark; a message far too large, or too slow, ends the
    session.
    """
    searched, is_complete = 0, False
    while not is_complete:
        if channel.buffer:
            searched, is_complete = reception.lines(channel.buffer, searched)
        if reception.size > most:
            raise Ended(replies.TOO_LARGE_BY_FAR(most=reception.max_size))
        if not is_complete:
            clock.size = reception.size + len(channel.buffer)
            await _wait(channel, clock)


async def read_chunk(
    channel: Channel, size: int, take: Callable[[bytes], None], clock: Clock
) -> None:
    """Read so many bytes after BDAT; all chunks of a message share its time."""
    while size:
        while not channel.buffer:
            await _wait(channel, clock)
        piece = channel.take(size)
        size -= len(piece)
        clock.size += len(piece)
        take(piece)
    if channel.loop.time() > clock.until:
        raise Ended(replies.DATA_TIMED_OUT)


async def _wait(channel: Channel, clock: Clock) -> None:
    await channel.wait(
        min(channel.patience.block, clock.until - channel.loop.time()), replies.DATA_TIMED_OUT
    )


def discard(piece: bytes) -> None:
    """Forget a piece of a refused chunk, which the client sends all the same (RFC 3030,
    section 2).
    """
