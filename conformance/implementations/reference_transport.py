"""`reference:memory`: the transport that does what every requirement says, inside one process and nowhere else.

It moves bytes by reading one region and writing another, a few rows at each `poll`, so
that a transfer is under way for a while. It is there to be right, not to be fast: what
the properties say of it is how we know that they raise no false alarm.
"""

from __future__ import annotations

import json
import mmap
import os
import secrets
import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from suite.errors import BadInput, PeerLost, TransferFailed, Unsupported
from suite.memory.files import FileSpan
from suite.transports.base import Op, State, Traits
from suite.transports.evidence import Lane, WireEvidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from suite.kv.plan import Plan
    from suite.memory.region import Region
    from suite.transports.base import Role

NAME = "reference:memory"
MAX_TAG, MAX_METADATA = 1 << 20, 1 << 20
STEPS = 3  # polls that a transfer takes
_FAR = 1 << 62  # no address
_TO_FILES = {Op.STORE, Op.FETCH}
_TRAITS = Traits(
    ops=frozenset(Op),
    memory=frozenset({("host", "host"), ("host", "file")}),
    cancels=True,
    deregisters=True,
    threads=True,
    progress=MappingProxyType({"initiator": "caller", "target": "none"}),
)


class ReferenceTransport:
    """The endpoints that it has opened are all the peers that there are."""

    in_process = True  # its peers are in this process: conformance drives both sides here, by turns

    def __init__(self, name: str = NAME) -> None:
        self.name, self.traits = name, _TRAITS
        self.endpoints: dict[str, ReferenceEndpoint] = {}  # by what their metadata calls them

    def missing(self, environment: Mapping[str, str] | None = None) -> str | None:
        """Nothing is needed."""
        del environment
        return None

    def open(self, agent: str, settings: Mapping[str, str], role: Role) -> ReferenceEndpoint:
        """Return an endpoint; both roles are alike."""
        del role
        if settings:
            raise BadInput("bad-setting", f"{self.name} has no setting {next(iter(settings))[:60]!r}", "accepted: none")
        return ReferenceEndpoint(self, agent)


class ReferenceEndpoint:
    """Registered regions, known peers, and what was notified."""

    def __init__(self, transport: ReferenceTransport, agent: str) -> None:
        self.transport, self.agent = transport, agent
        self.token = secrets.token_hex(8)
        self.regions: list[Region] = []
        self.peers: dict[str, str] = {}  # name -> token
        self.inbox: list[tuple[str, bytes]] = []
        self.transfers: list[ReferenceTransfer] = []
        transport.endpoints[self.token] = self

    def register(self, region: Region) -> None:
        """Take any region that the traits name."""
        if region.kind not in {kind for pair in self.transport.traits.memory for kind in pair}:
            raise Unsupported("unsupported", f"{self.transport.name} does not move {region.kind} memory")
        self.regions.append(region)

    def deregister(self, region: Region) -> None:
        """Forget it; transfers that need it fail from now on."""
        self.regions.remove(region)

    def metadata(self) -> bytes:
        """Return name and token, with a checksum."""
        told = json.dumps({"agent": self.agent, "token": self.token})
        return f"{zlib.crc32(told.encode()):08x}{told}".encode()

    def connect(self, peer: str, metadata: bytes) -> None:
        """Check and remember; a name that was known is replaced."""
        told = _checked(metadata)
        if told["agent"] != peer:
            raise TransferFailed("wrong-peer", f"metadata of {told['agent']!a:.60} came where {peer!r} was expected")
        self.peers[peer] = told["token"]

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> ReferenceTransfer:
        """Check both sides of the plan and return the transfer."""
        if (op in _TO_FILES) != (peer is None):
            raise Unsupported("unsupported", f"{op} with peer {peer!r}")
        if len(tag) > MAX_TAG:
            raise BadInput("bad-tag", f"a tag of {len(tag)} bytes", f"at most {MAX_TAG}")
        transfer = self.made(op, plan, peer, tag)
        transfer.check()
        self.transfers.append(transfer)
        return transfer

    def made(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> ReferenceTransfer:
        """Return a transfer that is not checked yet."""
        return ReferenceTransfer(self, op, plan, peer, tag)

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Return new notifications."""
        return [self.inbox.pop(0) for _ in range(len(self.inbox))]  # another thread may add one meanwhile

    def notify(self, peer: str, tag: bytes) -> None:
        """Notify a peer of something that is no transfer."""
        if not 0 < len(tag) <= MAX_TAG:
            raise BadInput("bad-tag", f"a tag of {len(tag)} bytes", f"1 to {MAX_TAG}")
        self.peer(peer).inbox.append((self.agent, tag))

    def peer(self, name: str | None) -> ReferenceEndpoint:
        """Return the other endpoint, or this one for files."""
        if name is None:
            return self
        if name not in self.peers:
            raise TransferFailed("not-connected", f"not connected to {name!r}")
        found = self.transport.endpoints.get(self.peers[name])
        if found is None:
            raise PeerLost("peer-lost", f"{name!r} has closed")
        return found

    def close(self) -> None:
        """Release everything and be gone."""
        for transfer in list(self.transfers):
            transfer.release()
        self.transport.endpoints.pop(self.token, None)
        self.transfers, self.regions, self.inbox = [], [], []

    def evidence(self, op: Op, sizes: tuple[int, int]) -> WireEvidence:
        """Return that it was this process's memory."""
        del sizes
        lanes = (Lane("memory", "self", 100),)
        return WireEvidence(wire="memory", source="reference", operation=op.value, detail="", reach="self", lanes=lanes)


class ReferenceTransfer:
    """Rows that are copied one by one; `STEPS` polls, then it is done."""

    def __init__(self, endpoint: ReferenceEndpoint, op: Op, plan: Plan, peer: str | None, tag: bytes) -> None:
        self.endpoint, self.op, self.peer, self.tag = endpoint, op, peer, tag
        self.source, self.destination = (side.astype(np.int64) for side in (plan.source, plan.destination))
        self.posted_descriptors = len(plan)
        self.next = -1  # the row to be copied next; -1: not posted, or done
        self.state = State.PENDING

    def check(self) -> tuple[Region, Region]:
        """Return the regions that all rows are in, at the source and at the destination; raises where one is in none."""
        far = self.endpoint.peer(self.peer)
        outgoing = self.op in {Op.WRITE, Op.STORE}
        from_file, to_file = self.op is Op.FETCH, self.op is Op.STORE
        source = self.region_of(self.endpoint if outgoing else far, self.source, file=from_file)
        return source, self.region_of(far if outgoing else self.endpoint, self.destination, file=to_file)

    def region_of(self, endpoint: ReferenceEndpoint, rows: NDArray[np.int64], *, file: bool) -> Region:
        """Return the registered region that all rows are in."""
        first, end = int(rows[:, 0].min(initial=_FAR)), int((rows[:, 0] + rows[:, 1]).max(initial=0))
        for region in endpoint.regions:
            if file == (region.kind == "file") and region.address <= first and end <= region.address + region.nbytes:
                return region
        raise TransferFailed("not-registered", f"{endpoint.agent} has no region with bytes {first:#x} to {end:#x}")

    def post(self) -> State:
        """Start; nothing is copied yet."""
        if self.next >= 0:
            raise TransferFailed("active", "it is posted already and not done")
        self.check()
        self.next, self.state = 0, State.PENDING
        return self.state

    def poll(self) -> State:
        """Copy some rows; after the last, notify."""
        if self.next < 0:
            if self.state is State.DONE:
                return self.state
            raise TransferFailed("not-posted", "it was never posted, or has been cancelled")
        try:
            self.copy(max(1, -(-len(self.source) // STEPS)))
        except (TransferFailed, OSError) as error:
            self.next = -1
            raise TransferFailed("copy", f"a row could not be copied: {error}") from error
        if self.next >= len(self.source):
            self.finished()
        return self.state

    def copy(self, rows: int) -> None:
        """Copy the next rows."""
        source, destination = self.check()
        for row in range(self.next, min(self.next + rows, len(self.source))):
            self.copy_row(row, source, destination)
        self.next += rows

    def copy_row(self, row: int, source: Region, destination: Region) -> None:
        """Copy one row."""
        (start, length), to = self.source[row, :2], self.destination[row, 0]
        self.write(destination, int(to), self.read(source, int(start), int(length)))

    def read(self, region: Region, address: int, length: int) -> NDArray[np.uint8]:
        """Return bytes of a region, which for a file are there only if the file is long enough."""
        if region.kind == "file":
            return np.concatenate([_fetched(*piece) for piece in _pieces(region, address, length)])
        data = np.empty(length, np.uint8)
        region.read(address - region.address, data)
        return data

    def write(self, region: Region, address: int, data: NDArray[np.uint8]) -> None:
        """Put bytes into a region."""
        if region.kind != "file":
            region.write(address - region.address, data)
            return
        done = 0
        for device, offset, count in _pieces(region, address, len(data)):
            _stored(device, offset, data[done : done + count])
            done += count

    def finished(self) -> None:
        """Be done, and notify."""
        self.next, self.state = -1, State.DONE
        if self.tag:
            self.endpoint.peer(self.peer).inbox.append((self.endpoint.agent, self.tag))

    def finish(self) -> None:
        """Nothing to scatter."""

    def cancel(self) -> State:
        """Stop; what is copied stays."""
        self.next = -1
        return self.state

    def release(self) -> None:
        """Stop, if it is under way, and be forgotten."""
        self.next = -1
        if self in self.endpoint.transfers:
            self.endpoint.transfers.remove(self)


def _pieces(region: Region, address: int, length: int) -> list[tuple[int, int, int]]:
    """Return descriptor, offset and length of each file that a row is in."""
    if not isinstance(region, FileSpan):
        return [(region.device, address, length)]
    row = np.array([[address, length, 0]], np.uint64)
    located = region.locate(row, row)
    return [
        (int(device), int(offset), int(count))
        for device, (offset, count, _) in zip(located.descriptors, located.file, strict=True)
    ]


def _fetched(device: int, offset: int, count: int) -> NDArray[np.uint8]:
    """Return bytes of a file by way of a page of their own, as O_DIRECT wants it."""
    page = _page(count)
    if os.preadv(device, [page], offset) != count:
        raise TransferFailed("past-the-end", f"the file ends before {offset + count}")
    return np.frombuffer(page, np.uint8)


def _stored(device: int, offset: int, data: NDArray[np.uint8]) -> None:
    page = _page(len(data))
    page[:] = data.data
    if os.pwritev(device, [page], offset) != len(data):
        raise TransferFailed("short-write", f"the file takes no more at {offset}")


def _page(count: int) -> memoryview:
    return memoryview(mmap.mmap(-1, max(1, count)))[:count]


def _checked(metadata: bytes) -> dict[str, str]:
    if not 8 < len(metadata) <= MAX_METADATA:  # noqa: PLR2004  the checksum
        raise TransferFailed("bad-metadata", f"{len(metadata)} bytes of metadata")
    try:
        told = json.loads(metadata[8:])
        whole = int(metadata[:8], 16) == zlib.crc32(metadata[8:])
    except (ValueError, RecursionError) as error:
        raise TransferFailed("bad-metadata", f"no metadata: {error}") from None
    if (
        not whole
        or not isinstance(told, dict)
        or not all(isinstance(told.get(name), str) for name in ("agent", "token"))
    ):
        raise TransferFailed("bad-metadata", "the metadata is damaged")
    found: dict[str, str] = told
    return found
