"""Whoever has overheard a rank, or stands in rank 0's place, is not believed."""

from __future__ import annotations

import asyncio
import struct

import pytest

from suite.cluster.meeting.greeting import Me
from suite.cluster.meeting.messages import Challenge, Hello, Welcome, encode
from suite.cluster.world import Address
from suite.errors import BadInput
from tests.suite.cluster.meeting.together import LONG, SPEC, TOKEN, framed, hub, member


async def a_hello_is_good_for_one_connection() -> None:
    """Let nobody in by what was overheard."""

    async def challenged(reader: asyncio.StreamReader) -> Challenge:
        (size,) = struct.unpack(">I", await reader.readexactly(4))
        return Challenge.model_validate_json(await reader.readexactly(size))

    async with hub() as place:
        first, writer = await asyncio.open_connection(*place.address)
        again, other = await asyncio.open_connection(*place.address)
        nonce = (await challenged(first)).nonce
        await challenged(again)
        hello = Hello(**Me(1, 2, "1.0", SPEC, "h", 1)._asdict(), nonce="1" * 32, proof="0" * 64)
        words = [str(value) for name, value in sorted(hello.model_dump().items()) if name != "proof"]
        good = encode(hello.model_copy(update={"proof": TOKEN.prove("rank", nonce, *words)}))
        other.write(framed(good))
        assert b"other-token" in await asyncio.wait_for(again.read(), LONG)
        writer.write(framed(good))
        assert b"welcome" in await asyncio.wait_for(first.read(100), LONG)
        writer.close()
        other.close()


async def a_false_rank_0_is_found_out() -> None:
    """Try a server that knows the words but not the token, and one that is something else."""

    async def knows_the_words(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(encode(Challenge(nonce="0" * 32))) + framed(encode(Welcome(proof="0" * 64))))
        await reader.read(1 << 16)
        writer.close()

    async def something_else(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
        writer.close()

    for serve in (knows_the_words, something_else):
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            address = Address(*server.sockets[0].getsockname())
            with pytest.raises(BadInput, match="not rank 0 of this run") as caught:
                async with member(address, 1):
                    pass
            assert str(address) in caught.value.message
