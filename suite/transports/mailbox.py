"""Notifications between processes of one host, for transports that have none of their own.

A datagram socket with an abstract name: nothing is left behind after a kill,
and the kernel keeps every message whole, in order, and names its sender.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
from typing import TYPE_CHECKING, Any

from suite.errors import BadInput, PeerLost, TransferFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_METADATA = 1 << 20  # bytes; the largest known is NIXL's, half a KiB for each region
_TAG_BYTES = 4096
_NAME = re.compile(r"kvgauge-[0-9a-f]{32}")


class Mailbox:
    """The notifications of one agent."""

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self._name = f"kvgauge-{secrets.token_hex(16)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(
            _address(self._name)
        )  # blocking: a peer whose queue is full (10 by default) is busy, not lost
        self._peers: dict[str, bytes] = {}

    def metadata(self, **more: int | str) -> bytes:
        """Return what a peer needs to send here, as JSON, with whatever else the transport must tell."""
        return json.dumps({"agent": self.agent, "socket": self._name} | more).encode()

    def connect(self, peer: str, metadata: bytes) -> Mapping[str, Any]:
        """Remember where `peer` listens; return all that its metadata says."""
        told = read_metadata(metadata, peer)
        name = told.get("socket")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise TransferFailed("bad-metadata", f"metadata of {peer!r} names no socket of kvgauge's: {name!a:.100}")
        self._peers[peer] = _address(name)
        return told

    def check(self, peer: str) -> None:
        """Raise `TransferFailed` if `peer` is not connected."""
        if peer not in self._peers:
            raise TransferFailed("not-connected", f"not connected to {peer!r}")

    def progress(self) -> list[tuple[str, bytes]]:
        """Return new notifications as (peer, tag); datagrams from anyone but a peer are dropped. Never blocks."""
        senders = {address: peer for peer, address in self._peers.items()}
        arrived: list[tuple[str, bytes]] = []
        while True:
            try:
                tag, sender = self._socket.recvfrom(_TAG_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return arrived
            if sender in senders:
                arrived.append((senders[sender], tag))

    def notify(self, peer: str, tag: bytes) -> None:
        """Send `tag` to `peer`; waits while it has too many notifications that it has not looked at."""
        self.check(peer)
        if len(tag) > _TAG_BYTES:  # the receiver would cut it
            raise BadInput("bad-tag", f"a notification of {len(tag)} bytes", f"at most {_TAG_BYTES}")
        try:
            self._socket.sendto(tag, self._peers[peer])
        except OSError as error:
            raise PeerLost("peer-lost", f"{peer} does not listen any more ({error})") from error

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def read_metadata(metadata: bytes, peer: str) -> dict[str, Any]:
    """Return the JSON object that `peer` sent as its metadata; the other side may be anyone.

    Raises `TransferFailed` for anything else, and for the metadata of another agent.
    """
    if len(metadata) > MAX_METADATA:
        raise TransferFailed("bad-metadata", f"{len(metadata)} bytes of metadata of {peer!r}: more than {MAX_METADATA}")
    try:
        told = json.loads(metadata)
    except (ValueError, RecursionError) as error:
        raise TransferFailed("bad-metadata", f"metadata of {peer!r} is not JSON: {error}") from error
    if not isinstance(told, dict) or not isinstance(told.get("agent"), str):
        raise TransferFailed("bad-metadata", f"metadata of {peer!r} names no agent")
    if told["agent"] != peer:
        raise TransferFailed("wrong-peer", f"metadata of {told['agent']!a:.100} came where {peer!r} was expected")
    return told


def _address(name: str) -> bytes:
    return b"\0" + name.encode()
