"""One connection's bytes and who waits for them."""

import asyncio

from smtp_listener.protocol.channel import Channel
from smtp_listener.protocol.patience import Patience
from smtp_listener.protocol.replies import ServerReply


class SlowPeer(asyncio.Transport):
    """A transport whose peer takes our reply only after it has said the next word."""

    channel: Channel

    def get_extra_info(self, name, default=None):
        return ("127.0.0.1", 4) if name == "peername" else default

    def write(self, data):
        self.channel.pause_writing()
        asyncio.get_running_loop().call_soon(self.goes_on)

    def goes_on(self):
        self.channel.data_received(b"NOOP\r\n")
        self.channel.resume_writing()


async def test_what_comes_while_a_reply_waits_to_be_taken_is_heard():
    async def serve(channel):
        pass

    channel, transport = Channel(asyncio.get_running_loop(), Patience(), serve), SlowPeer()
    channel.transport = transport.channel = channel
    channel.connection_made(transport)
    channel.say(ServerReply(250, "2.0.0", "OK"))
    assert await asyncio.wait_for(channel.line(512), 10) == b"NOOP"
    channel._forget_time()
