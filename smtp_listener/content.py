"""Reads a message's content from the channel, within its size and its time."""

from collections.abc import Callable

from smtp_listener import replies
from smtp_listener.channel import Channel, Ended
from smtp_listener.reception import Reception, hopeless


async def read_lines(channel: Channel, reception: Reception) -> None:
    """After DATA, until the end mark; a message far too large, or too slow, ends the session."""
    until = channel.loop.time() + channel.patience.message
    searched, is_complete = 0, False
    while not is_complete:
        if channel.buffer:
            searched, is_complete = reception.lines(channel.buffer, searched)
        if reception.size > hopeless(reception.max_size):
            raise Ended(replies.TOO_LARGE_BY_FAR(most=reception.max_size))
        if not is_complete:
            await _wait(channel, until)


async def read_chunk(channel: Channel, size: int, take: Callable[[bytes], None]) -> None:
    """After BDAT, so many bytes."""
    until = channel.loop.time() + channel.patience.message
    while size:
        while not channel.buffer:
            await _wait(channel, until)
        piece = channel.take(size)
        size -= len(piece)
        take(piece)


async def _wait(channel: Channel, until: float) -> None:
    await channel.wait(min(channel.patience.block, until - channel.loop.time()), replies.DATA_TIMED_OUT)


def discard(piece: bytes) -> None:
    """RFC 3030, section 2: a chunk comes whatever we think of it."""
