"""JSON lines over a socket pair, between a supervisor and one worker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

MAX_LINE = 256 << 20  # a window of millions of samples fits; a worker gone mad does not


class ChannelClosed(Exception):
    """The other side is gone, or what it sends is not ours."""


class Channel:
    """Sends and receives one JSON object per line."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._pending = bytearray()

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    @property
    def pending(self) -> int:
        """Bytes that were read and not yet taken."""
        return len(self._pending)

    def send(self, message: Mapping[str, Json]) -> None:
        """Send one message."""
        try:
            self._socket.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def receive(self) -> dict[str, Json]:
        """Block until one whole message is there."""
        while (message := self.take()) is None:
            self.fill()
        return message

    def fill(self) -> None:
        """Read what is there; blocks if nothing is."""
        try:
            data = self._socket.recv(1 << 20)
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        if not data:
            raise ChannelClosed("end of file")
        self._pending += data
        if len(self._pending) > MAX_LINE:
            raise ChannelClosed(f"a message of more than {MAX_LINE} bytes")

    def take(self) -> dict[str, Json] | None:
        """Return the next whole message that has been read, or None."""
        end = self._pending.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        try:
            message = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            raise ChannelClosed(f"not JSON: {line[:80]!r}") from error
        if not isinstance(message, dict):
            raise ChannelClosed(f"not an object: {line[:80]!r}")
        return message

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
