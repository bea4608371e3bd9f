"""`conformance.implementations.reference_socket:SocketTransport`: a transport between processes that does what the sentences about faults say.

Bytes go over plain TCP sockets. A WRITE is placed by the target when all of it is there and the
initiator has said that it still wants it, so one that breaks off leaves nothing behind. It is there to be right: that the faults
find nothing here is how we know that they raise no false alarm.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import secrets
import socket
import time
import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.implementations.reference_wire import Connection
from suite.errors import BadInput, PeerLost, TransferFailed, Unsupported
from suite.transports.base import Op, State, Traits
from suite.transports.evidence import Lane, WireEvidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from suite.kv.plan import Plan
    from suite.memory.region import Region
    from suite.transports.base import Role

    Kept = tuple[Region, NDArray[np.int64], memoryview, bytes]  # a WRITE whose bytes are here, with its tag

NAME = "conformance.implementations.reference_socket:SocketTransport"
LISTEN = "KVGAUGE_REFERENCE_LISTEN"  # the address to listen on, where it is not this host alone
MAX_TAG, MAX_METADATA = 1 << 20, 1 << 20
SILENCE_S = 3.0  # without a byte, before a peer counts as lost
_FAR = 1 << 62  # no address
_TRAITS = Traits(
    ops=frozenset({Op.WRITE, Op.READ}),
    memory=frozenset({("host", "host"), ("cuda", "cuda")}),
    progress=MappingProxyType({"initiator": "caller", "target": "caller"}),
)


class SocketTransport:
    """Endpoints that listen."""

    def __init__(self, name: str = NAME) -> None:
        self.name, self.traits = name, _TRAITS

    def missing(self, environment: Mapping[str, str] | None = None) -> str | None:
        """Nothing is needed."""
        del environment
        return None

    def open(self, agent: str, settings: Mapping[str, str], role: Role) -> SocketEndpoint:
        """Return an endpoint; both roles are alike."""
        del role
        if settings:
            raise BadInput("bad-setting", f"{self.name} has no setting {next(iter(settings))[:60]!r}", "accepted: none")
        return SocketEndpoint(agent)


class SocketEndpoint:
    """Registered regions, connections to peers and from peers, and what was notified."""

    def __init__(self, agent: str) -> None:
        self.agent, self.token = agent, secrets.token_hex(16)
        self.regions: list[Region] = []
        self.peers: dict[str, dict[str, Any]] = {}  # name -> metadata
        self.connections: dict[str, Connection] = {}  # to peers, by name
        self.incoming: list[Connection] = []
        self.inbox: list[tuple[str, bytes]] = []
        self.kept: dict[tuple[Connection, int], Kept] = {}
        self.transfers: dict[int, SocketTransfer] = {}
        self.numbers = itertools.count(1)
        self.listener = socket.create_server((os.environ.get(LISTEN, "127.0.0.1"), 0))
        self.listener.settimeout(0)

    def register(self, region: Region) -> None:
        """Take memory."""
        if region.kind == "file":
            raise Unsupported("unsupported", f"{NAME} does not move {region.kind} memory")
        self.regions.append(region)

    def metadata(self) -> bytes:
        """Return name, address and token, with a checksum."""
        told = json.dumps({"agent": self.agent, "address": self.listener.getsockname(), "token": self.token})
        return f"{zlib.crc32(told.encode()):08x}{told}".encode()

    def connect(self, peer: str, metadata: bytes) -> None:
        """Check, remember, and begin to connect; a name that was known is replaced."""
        told = _checked(metadata)
        if told["agent"] != peer:
            raise TransferFailed("wrong-peer", f"metadata of {told['agent']!a:.60} came where {peer!r} was expected")
        self.peers[peer] = told
        if peer in self.connections:
            self.connections.pop(peer).close()
        self.reach(peer)

    def reach(self, peer: str) -> Connection:
        """Return the connection to a peer, begun if there is none; one that is lost stays so."""
        if peer not in self.peers:
            raise TransferFailed("not-connected", f"not connected to {peer!r}")
        if peer not in self.connections:
            told = self.peers[peer]
            one = socket.socket()
            one.settimeout(0)
            one.connect_ex((str(told["address"][0]), int(told["address"][1])))
            self.connections[peer] = Connection(one)
            self.connections[peer].put({"do": "hello", "agent": self.agent, "token": told["token"]})
        return self.connections[peer]

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> SocketTransfer:
        """Check this side of the plan and return the transfer."""
        if peer is None or op not in _TRAITS.ops:
            raise Unsupported("unsupported", f"{op} with peer {peer!r}")
        if len(tag) > MAX_TAG:
            raise BadInput("bad-tag", f"a tag of {len(tag)} bytes", f"at most {MAX_TAG}")
        self.reach(peer)
        return self.made(op, plan, peer, tag)

    def made(self, op: Op, plan: Plan, peer: str, tag: bytes) -> SocketTransfer:
        """Return a transfer."""
        return SocketTransfer(self, op, plan, peer, tag)

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Serve peers; return new notifications."""
        self.pump()
        arrived, self.inbox = self.inbox, []
        return arrived

    def notify(self, peer: str, tag: bytes) -> None:
        """Notify a peer of something that is no transfer; `PeerLost` if it is known to be gone."""
        if not 0 < len(tag) <= MAX_TAG:
            raise BadInput("bad-tag", f"a tag of {len(tag)} bytes", f"1 to {MAX_TAG}")
        self.pump()
        over = self.reach(peer)
        over.put({"do": "note", "tag": base64.b64encode(tag).decode()})
        if over.lost:
            raise PeerLost("peer-lost", f"{peer!r} is gone: {over.lost}")

    def pump(self) -> None:
        """Accept, send, receive, and do what is asked."""
        while True:
            try:
                self.incoming.append(Connection(self.listener.accept()[0]))
            except OSError:
                break
        for over in [*self.incoming, *self.connections.values()]:
            for header, data in over.pump():
                self.handle(over, header, data)
        self.incoming = [over for over in self.incoming if not over.lost]
        self.kept = {key: kept for key, kept in self.kept.items() if not key[0].lost}

    def handle(self, over: Connection, header: dict[str, Any], data: memoryview) -> None:
        """Do what one frame says."""
        what = header["do"]
        if what == "hello":
            over.agent = header["agent"] if secrets.compare_digest(str(header["token"]), self.token) else ""
        elif what in {"answer", "ready"}:
            if transfer := self.transfers.get(header["id"]):
                transfer.answered(over, header, data)
        elif not over.agent:
            over.close("it has not said who it is")
        elif what == "note":
            self.inbox.append((over.agent, base64.b64decode(header["tag"])))
        else:
            self.serve(over, header, data)

    def serve(self, over: Connection, header: dict[str, Any], data: memoryview) -> None:
        """Keep a peer's WRITE until it says GO, or answer its READ."""
        if header["do"] == "GO":
            if kept := self.kept.pop((over, header["id"]), None):
                self.place(over, header["id"], kept)
            return
        rows = np.asarray(header["rows"], np.int64).reshape(-1, 2)
        try:
            region = self.region_of(rows)
        except TransferFailed as error:
            over.put({"do": "answer", "id": header["id"], "error": error.message})
            return
        if header["do"] == "READ":
            over.put({"do": "answer", "id": header["id"]}, self.gathered(region, rows))
            return
        self.kept[over, header["id"]] = region, rows, data, base64.b64decode(header["tag"])
        over.put({"do": "ready", "id": header["id"]})

    def place(self, over: Connection, number: int, kept: Kept) -> None:
        """Place what was kept, then count it as notified, then answer."""
        region, rows, data, tag = kept
        self.scatter(region, rows, data)
        if tag:
            self.inbox.append((over.agent, tag))
        over.put({"do": "answer", "id": number})

    def region_of(self, rows: NDArray[np.int64]) -> Region:
        """Return the registered region that all rows are in."""
        first, end = int(rows[:, 0].min(initial=_FAR)), int((rows[:, 0] + rows[:, 1]).max(initial=0))
        for region in self.regions:
            if region.address <= first and end <= region.address + region.nbytes:
                return region
        raise TransferFailed("not-registered", f"{self.agent} has no region with bytes {first:#x} to {end:#x}")

    def gathered(self, region: Region, rows: NDArray[np.int64]) -> bytes:
        """Return the bytes of rows, one after the other."""
        out = np.empty(int(rows[:, 1].sum()), np.uint8)
        at = 0
        for start, length in rows.tolist():
            region.read(start - region.address, out[at : at + length])
            at += length
        return out.tobytes()

    def scatter(self, region: Region, rows: NDArray[np.int64], data: memoryview) -> None:
        """Put bytes into rows."""
        found, at = np.frombuffer(data, np.uint8), 0
        for start, length in rows.tolist():
            region.write(start - region.address, found[at : at + length])
            at += length

    def close(self) -> None:
        """Close every socket."""
        for over in [*self.incoming, *self.connections.values()]:
            over.close()
        self.listener.close()
        self.transfers, self.regions, self.inbox = {}, [], []

    def evidence(self, op: Op, sizes: tuple[int, int]) -> WireEvidence:
        """Return that it was TCP."""
        del sizes
        lanes = (Lane("tcp", "", 100),)
        return WireEvidence(wire="tcp", source="reference", operation=op.value, detail="", reach="host", lanes=lanes)


class SocketTransfer:
    """One frame out, one answer back."""

    def __init__(self, endpoint: SocketEndpoint, op: Op, plan: Plan, peer: str, tag: bytes) -> None:
        self.endpoint, self.op, self.peer, self.tag = endpoint, op, peer, tag
        source, destination = (side[:, :2].astype(np.int64) for side in (plan.source, plan.destination))
        self.mine, self.theirs = (source, destination) if op is Op.WRITE else (destination, source)
        self.region = endpoint.region_of(self.mine)
        self.posted_descriptors = len(plan)
        self.number = 0  # of the post that is under way
        self.over: Connection | None = None
        self.state, self.error, self.wanted = State.PENDING, "", False

    def post(self) -> State:
        """Send the request."""
        if self.number:
            raise TransferFailed("active", "it is posted already and not done")
        self.over = self.endpoint.reach(self.peer)
        self.number, self.state, self.error = next(self.endpoint.numbers), State.PENDING, ""
        self.wanted = False
        self.endpoint.transfers[self.number] = self
        tag = base64.b64encode(self.tag).decode() if self.op is Op.WRITE else ""
        asked = {"do": self.op.value, "id": self.number, "rows": self.theirs.tolist(), "tag": tag}
        self.over.put(asked, self.endpoint.gathered(self.region, self.mine) if self.op is Op.WRITE else b"")
        return State.PENDING

    def poll(self) -> State:
        """Drive; `PeerLost` when the connection breaks, or is silent for `SILENCE_S`."""
        if not self.number:
            if self.state is State.DONE:
                return self.state
            raise TransferFailed("not-posted", "it was never posted, or has failed")
        self.endpoint.pump()
        if self.error:
            self.forget()
            raise TransferFailed("refused", self.error)
        if self.state is State.DONE:
            self.forget()
        elif lost := self.lost():
            self.forget()
            raise PeerLost("peer-lost", f"{self.peer!r} is gone: {lost}")
        return self.state

    def lost(self) -> str:
        """Return why the peer is no more to be expected to answer, or nothing."""
        if self.over is None:
            return ""
        if not self.over.lost and time.monotonic() - self.over.moved > SILENCE_S:
            self.over.close(f"not a byte in {SILENCE_S:g} s")
        return self.over.lost

    def answered(self, over: Connection, header: dict[str, Any], data: memoryview) -> None:
        """Take the peer's answer; to a WRITE that is ready, say that it is still wanted."""
        if header["do"] == "ready":
            self.wanted = True
            over.put({"do": "GO", "id": self.number})
            return
        self.error = str(header.get("error", ""))
        if self.error:
            return
        if self.op is Op.READ:
            self.endpoint.scatter(self.region, self.mine, data)
            if self.tag:
                self.endpoint.notify(self.peer, self.tag)
        self.state = State.DONE

    def forget(self) -> None:
        """Be no more under way."""
        self.endpoint.transfers.pop(self.number, None)
        self.number = 0

    def finish(self) -> None:
        """Nothing to scatter."""

    def cancel(self) -> State:
        """Refuse: the traits say so."""
        raise Unsupported("unsupported", f"{NAME} does not cancel")

    def release(self) -> None:
        """Let go of it; a WRITE that is being placed cannot be stopped any more, and is an error."""
        if self.wanted and self.number:
            raise TransferFailed("active", "it is being placed")
        self.forget()


def _checked(metadata: bytes) -> dict[str, Any]:
    if not 8 < len(metadata) <= MAX_METADATA:  # noqa: PLR2004  the checksum
        raise TransferFailed("bad-metadata", f"{len(metadata)} bytes of metadata")
    try:
        told = json.loads(metadata[8:])
        whole = int(metadata[:8], 16) == zlib.crc32(metadata[8:])
    except (ValueError, RecursionError) as error:
        raise TransferFailed("bad-metadata", f"no metadata: {error}") from None
    if not whole or not isinstance(told, dict) or not {"agent", "address", "token"} <= told.keys():
        raise TransferFailed("bad-metadata", "the metadata is damaged")
    return told
