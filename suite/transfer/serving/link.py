"""A connection between the two servers: whole messages over a stream socket, never waiting.

A message is its length (4 bytes, big-endian) and its bytes. Nothing longer
than the largest message is read, and no more is kept for a peer that does not
read than a few of those. What a message says is `requests.messages`' matter.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

from suite.errors import TransferFailed
from suite.transfer.requests.messages import MAX_MESSAGE

_LENGTH = struct.Struct(">I")
_MOST_UNSENT = 4 * MAX_MESSAGE
_READ = 1 << 20


class Link:
    """One end. `peer` is what errors call the other end."""

    def __init__(self, connection: socket.socket, peer: str) -> None:
        connection.settimeout(0)
        self._socket, self._peer = connection, peer
        self._unsent, self._unread = bytearray(), bytearray()
        self.closed = ""  # why nothing more comes

    def send(self, data: bytes) -> None:
        """Send a message, now or in the next `take`; `TransferFailed` for a peer that has long not read.

        What is sent when the connection is closed goes nowhere: `closed` says why.
        """
        if self.closed:
            return
        if len(self._unsent) + len(data) > _MOST_UNSENT:
            raise TransferFailed("peer-does-not-read", f"{self._peer} has left {len(self._unsent)} bytes unread")
        self._unsent += _LENGTH.pack(len(data)) + data
        self._flush()

    def take(self) -> list[bytes]:
        """Return the messages that are there, also those before the end; after a length that cannot be, none ever again."""
        self._flush()
        end = "" if self.closed else self._fill()
        found = []
        while not self.closed and len(self._unread) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._unread)
            if not 0 < length <= MAX_MESSAGE:
                self.close(f"{self._peer} announced a message of {length} bytes; 1 to {MAX_MESSAGE} are taken")
                break
            if len(self._unread) < _LENGTH.size + length:
                break
            found.append(bytes(self._unread[_LENGTH.size : _LENGTH.size + length]))
            del self._unread[: _LENGTH.size + length]
        if end and not self.closed:
            self.close(f"{end}, {len(self._unread)} bytes into a message" if self._unread else end)
        return found

    def close(self, why: str = "closed here") -> None:
        """End the connection."""
        self.closed = self.closed or why
        self._unread.clear()
        self._unsent.clear()
        self._socket.close()

    def _flush(self) -> None:
        with suppress(BlockingIOError, OSError):
            while self._unsent and not self.closed:
                del self._unsent[: self._socket.send(self._unsent)]

    def _fill(self) -> str:
        """Read what is there, up to a largest message; return why nothing more comes, or nothing."""
        while len(self._unread) <= MAX_MESSAGE + _LENGTH.size:
            try:
                data = self._socket.recv(_READ)
            except BlockingIOError:
                return ""
            except OSError as error:
                return f"the connection to {self._peer} broke: {error.strerror}"
            if not data:
                return f"{self._peer} has closed the connection"
            self._unread += data
        return ""


def connected(names: tuple[str, str]) -> tuple[Link, Link]:
    """Return both ends of a TCP connection over the loopback; each is told the other's name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, address = listener.accept()
        while address != ours.getsockname():  # a stranger was faster
            theirs.close()
            theirs, address = listener.accept()
    for end in (ours, theirs):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Link(ours, names[1]), Link(theirs, names[0])
