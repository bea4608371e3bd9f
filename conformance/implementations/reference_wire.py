"""Frames over a TCP socket that never blocks: a JSON header and bytes, each of a length that is told first."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Frame = tuple[dict[str, Any], memoryview]

_LENGTHS = struct.Struct("!IQ")  # of the header, of the bytes
_MAX_HEADER, _MAX_BYTES = 16 << 20, 1 << 30
_CHUNK, _CHUNKS = 1 << 20, 16  # read at once, and in one turn


class Connection:
    """One socket. `lost` says why it is of no use any more; `moved` is when a byte last went over it."""

    def __init__(self, over: socket.socket) -> None:
        over.settimeout(0)
        over.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = over
        self._out: deque[memoryview] = deque()
        self._in = bytearray()
        self.lost, self.moved = "", time.monotonic()
        self.agent = ""  # whose it is, once it has said so

    def put(self, header: Mapping[str, Any], data: bytes = b"") -> None:
        """Send a frame, as far as the socket takes it now; `pump` sends the rest."""
        told = json.dumps(header).encode()
        if not self._out:
            self.moved = time.monotonic()  # silence before this is nobody's fault
        self._out.append(memoryview(_LENGTHS.pack(len(told), len(data)) + told))
        if data:
            self._out.append(memoryview(data))
        self._send()

    def pump(self) -> list[Frame]:
        """Send and receive what can be; return the frames that are whole."""
        self._send()
        self._receive()
        found = []
        while (frame := self._taken()) is not None:
            found.append(frame)
        return found

    def half(self) -> Frame | None:
        """Return what has come of a frame that is not whole, if its header is."""
        if len(self._in) < _LENGTHS.size:
            return None
        start = _LENGTHS.size + _LENGTHS.unpack_from(self._in)[0]
        if len(self._in) < start:
            return None
        return json.loads(bytes(self._in[_LENGTHS.size : start])), memoryview(bytes(self._in[start:]))

    def close(self, why: str = "closed") -> None:
        """Close; what is not sent never will be."""
        self.lost = self.lost or why
        self._out.clear()
        self._socket.close()

    def _send(self) -> None:
        try:
            while self._out and not self.lost:
                sent = self._socket.send(self._out[0])
                self.moved = time.monotonic()
                if sent == len(self._out[0]):
                    self._out.popleft()
                else:
                    self._out[0] = self._out[0][sent:]
        except BlockingIOError:
            return
        except OSError as error:
            self._receive()  # what arrived before counts
            if not self.lost or isinstance(error, ConnectionResetError):  # told once: then a socket reads as closed
                self.lost = str(error)

    def _receive(self) -> None:
        try:
            for _ in range(_CHUNKS):
                if self.lost:
                    return
                data = self._socket.recv(_CHUNK)
                if not data:
                    self.lost = "the other side has closed"
                    return
                self._in += data
                self.moved = time.monotonic()
        except BlockingIOError:
            return
        except OSError as error:
            self.lost = self.lost or str(error)

    def _taken(self) -> Frame | None:
        if len(self._in) < _LENGTHS.size:
            return None
        header, size = _LENGTHS.unpack_from(self._in)
        if header > _MAX_HEADER or size > _MAX_BYTES:
            self.close("a frame that is too long")
            return None
        start, end = _LENGTHS.size + header, _LENGTHS.size + header + size
        if len(self._in) < end:
            return None
        told = json.loads(bytes(self._in[_LENGTHS.size : start]))
        data = memoryview(bytes(self._in[start:end]))
        del self._in[:end]
        return told, data
