"""A raw TCP stream as a transport: one connection, `sendall` of every row, no protocol at all.

What it reaches through a link of known rate is the instrument's own error; what an
engine reaches less through the same link is the engine's protocol.
"""

from __future__ import annotations

import ctypes
import json
import secrets
import socket
import struct
from types import MappingProxyType
from typing import TYPE_CHECKING

from suite.errors import PeerLost, TransferFailed, Unsupported
from suite.kv.plan import ADDRESS, LENGTH
from suite.transports.base import Op, State, Traits
from suite.transports.evidence import Lane, WireEvidence
from suite.transports.mailbox import read_metadata

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from suite.kv.plan import Plan
    from suite.memory.region import Region
    from suite.transports.base import Role

LOOPBACK = "127.0.0.1"
_CONNECT_S = 10.0
_TOKEN_BYTES = 32
_LENGTH = struct.Struct("!H")  # before a notification


class TcpTransport:
    """Sends from the initiator to the target; notifications go the other way only."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.traits = Traits(
            ops=frozenset({Op.WRITE}),
            memory=frozenset({("host", "host")}),
            two_sided=True,
            blocking_post=True,
            progress=MappingProxyType({"initiator": "caller", "target": "caller"}),
        )

    def missing(self, environment: Mapping[str, str] | os._Environ[str] = MappingProxyType({})) -> str | None:
        """Return None: sockets are everywhere."""
        del environment
        return None

    def open(self, agent: str, settings: Mapping[str, str], role: Role) -> TcpEndpoint:
        """Return an endpoint; the setting `listen` is the address that the target binds to."""
        return TcpEndpoint(agent, settings.get("listen", LOOPBACK), role)


class TcpEndpoint:
    """One end of the connection."""

    def __init__(self, agent: str, address: str, role: Role) -> None:
        self._agent, self._role = agent, role
        self._token = secrets.token_hex(_TOKEN_BYTES // 2).encode()
        self._listener = socket.create_server((address, 0)) if role == "target" else None
        self._connection: socket.socket | None = None
        self._peer = ""
        self._pending = bytearray()

    def register(self, region: Region) -> None:
        """Check the kind; sockets need no registration."""
        if region.kind != "host":
            raise Unsupported("unsupported", f"tcp moves host memory, not {region.kind}")

    def metadata(self) -> bytes:
        """Return where the target listens, and the word that it waits for."""
        address, port = self._listener.getsockname()[:2] if self._listener else ("", 0)
        told = {"agent": self._agent, "address": address, "port": port, "token": self._token.decode()}
        return json.dumps(told).encode()

    def connect(self, peer: str, metadata: bytes) -> None:
        """Dial the target, or accept the initiator, who proves that it has the target's metadata."""
        told = read_metadata(metadata, peer)
        self._peer = peer
        if self._listener is None:
            self._connection = _dialled(told, peer)
        else:
            self._connection = self._accepted()
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> TcpTransfer:
        """Return the rows as views of memory, to be sent or received in order."""
        if op is not Op.WRITE or peer != self._peer or tag or self._connection is None:
            raise Unsupported("unsupported", f"tcp cannot {op} to {peer!r}: it sends to its one peer, without a tag")
        merged = plan.merged()
        sends = self._role == "initiator"
        return TcpTransfer(self._connection, _views(merged.source if sends else merged.destination), sends=sends)

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Return new notifications of the target's; the target itself has none."""
        if self._role == "target" or self._connection is None:
            return []
        try:
            arrived = self._connection.recv(1 << 12, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        if not arrived:
            raise PeerLost("peer-lost", f"{self._peer} has closed the connection")
        self._pending += arrived
        return [(self._peer, tag) for tag in self._whole()]

    def notify(self, peer: str, tag: bytes) -> None:
        """Send `tag` to the initiator."""
        if self._role != "target" or self._connection is None:
            raise Unsupported("unsupported", f"tcp: only the target notifies, not the way to {peer!r}")
        self._connection.sendall(_LENGTH.pack(len(tag)) + tag)

    def close(self) -> None:
        """Close the sockets."""
        for one in (self._connection, self._listener):
            if one is not None:
                one.close()

    def evidence(self, op: Op, sizes: tuple[int, int]) -> WireEvidence:
        """Return the socket: there is no other wire it could have been."""
        del op, sizes
        return WireEvidence(wire="tcp", source="socket", operation="sendall", lanes=(Lane("tcp", "socket", 100),))

    def _accepted(self) -> socket.socket:
        if self._listener is None:
            raise TransferFailed("not-listening", "tcp: only the target accepts")
        self._listener.settimeout(_CONNECT_S)
        connection, _ = self._listener.accept()
        connection.settimeout(_CONNECT_S)
        said = bytearray()
        while len(said) < _TOKEN_BYTES and (more := connection.recv(_TOKEN_BYTES - len(said))):
            said += more
        if not secrets.compare_digest(bytes(said), self._token):
            connection.close()
            raise TransferFailed("stranger", "tcp: somebody else than the peer has connected")
        connection.settimeout(None)
        return connection

    def _whole(self) -> list[bytes]:
        found = []
        while len(self._pending) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._pending)[0]
            if len(self._pending) < end:
                break
            found.append(bytes(self._pending[_LENGTH.size : end]))
            del self._pending[:end]
        return found


class TcpTransfer:
    """Rows of one sample on their way through the connection; blocks until the kernel has taken, or given, all bytes."""

    def __init__(self, connection: socket.socket, views: list[memoryview], *, sends: bool) -> None:
        self._connection, self._views, self._sends = connection, views, sends
        self.posted_descriptors = len(views)

    def post(self) -> State:
        """Send everything; a receiver has nothing to post."""
        if not self._sends:
            return State.PENDING
        for view in self._views:
            self._connection.sendall(view)
        return State.DONE

    def poll(self) -> State:
        """Receive everything."""
        if not self._sends:
            for view in self._views:
                at = 0
                while at < len(view):
                    got = self._connection.recv_into(view[at:])
                    if not got:
                        raise PeerLost("peer-lost", "tcp: the sender has closed the connection")
                    at += got
        return State.DONE

    def finish(self) -> None:
        """Nothing to scatter."""

    def cancel(self) -> State:
        """Refuse: half a stream is no stream."""
        raise Unsupported("cannot-cancel", "tcp cannot be cancelled")

    def release(self) -> None:
        """Nothing is held."""


def _views(rows: NDArray[np.uint64]) -> list[memoryview]:
    """Return each row's bytes; whoever holds them keeps the region alive."""
    return [
        memoryview((ctypes.c_ubyte * int(row[LENGTH])).from_address(int(row[ADDRESS]))).cast("B")
        for row in rows.tolist()
    ]


def _dialled(told: Mapping[str, object], peer: str) -> socket.socket:
    address, port, token = told.get("address"), told.get("port"), told.get("token")
    if not isinstance(address, str) or type(port) is not int or not isinstance(token, str):
        raise TransferFailed("bad-metadata", f"metadata of {peer!r} names no listener")
    try:
        connection = socket.create_connection((address, port), _CONNECT_S)
        connection.sendall(token.encode())
    except OSError as error:
        raise TransferFailed("not-connected", f"tcp: cannot reach {peer!r} at {address}:{port}: {error}") from error
    connection.settimeout(None)
    return connection
