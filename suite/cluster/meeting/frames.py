"""Messages on a stream: each is its length (4 bytes, big endian) and its JSON.

A length is a stranger's word: it is compared with the limit before a byte more is
waited for.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.cluster.meeting.messages import MAX_MESSAGE, encode
from suite.errors import TransferFailed

if TYPE_CHECKING:
    from suite.cluster.meeting.messages import Closed

_LENGTH = struct.Struct(">I")
MAX_UNSENT = 4 * MAX_MESSAGE  # bytes kept for a peer that does not read


@dataclass
class Traffic:
    """What has gone over connections: messages and their bytes, with the lengths."""

    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class Ended(Exception):
    """Nothing more comes; the text says why."""


class Frames:
    """One end of a connection, which it owns."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, traffic: Traffic) -> None:
        self._reader, self._writer, self._traffic = reader, writer, traffic

    @property
    def peer(self) -> str:
        """The other end's address, for a log."""
        name = self._writer.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if name else "nobody"

    async def read(self, limit: int) -> bytes:
        """Return the next message; `Ended` if none comes, `TransferFailed` if it is empty or longer than `limit`."""
        try:
            (size,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if not 0 < size <= limit:
                raise TransferFailed("refused-frame", f"a message of {size} bytes; 1 to {limit} are taken")
            data = await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise Ended("in the middle of a message" if error.partial else "the connection was closed") from None
        except OSError as error:
            raise Ended(f"the connection broke: {error.strerror or error}") from None
        self._traffic.messages_in += 1
        self._traffic.bytes_in += size + _LENGTH.size
        return data

    def write(self, message: Closed) -> bool:
        """Send a message now or later; False if the other end has long not read.

        What is sent over a connection that is gone goes nowhere: `read` tells why.
        """
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT:
            return False
        data = encode(message)
        self._writer.write(_LENGTH.pack(len(data)) + data)
        self._traffic.messages_out += 1
        self._traffic.bytes_out += len(data) + _LENGTH.size
        return True

    def close(self) -> None:
        """End the connection, after what was written."""
        self._writer.close()

    def cut(self) -> None:
        """End the connection at once; what is unsent is dropped."""
        self._writer.transport.abort()
