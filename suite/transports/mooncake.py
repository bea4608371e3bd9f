"""`mooncake:tcp`: Mooncake's transfer engine over TCP, through its Python wheel.

Measured with mooncake-transfer-engine-non-cuda 0.3.13.post1, on one host:

- One call takes a whole list of descriptors and blocks. Over 2048 of them may
  overflow the queues of a peer, and then the call returns -1.
- A call that returned -1 has not stopped: its bytes may land later. Afterwards
  the engine may refuse everything, in 2 of 3 runs for as long as we looked.
- Whatever name it is given, an engine listens on all interfaces, and anyone who
  can reach its ports can read and write the registered memory.
- It reads from local memory that was never registered, without a complaint.
"""

from __future__ import annotations

import gc
import ipaddress
import os
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from suite.errors import BadInput, Missing, PeerLost, TransferFailed, Unsupported
from suite.kv.plan import ADDRESS, LENGTH
from suite.transports import tcp_info
from suite.transports.base import Op, State, Traits
from suite.transports.evidence import Lane, WireEvidence, unknown
from suite.transports.libraries import absent
from suite.transports.mailbox import Mailbox
from suite.transports.mooncake_peer import Peer, require_inside, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from suite.kv.plan import Plan
    from suite.memory.region import Region
    from suite.transports.base import Role

PACKAGE = "mooncake-transfer-engine-non-cuda"
DESCRIPTORS_PER_CALL = 2048  # MC_TCP_MAX_QUEUED_TRANSFERS_PER_PEER + MC_TCP_MAX_PENDING_ADMISSIONS_PER_PEER, 1024 each
_LIBRARIES = {
    "libibverbs.so.1": "libibverbs1",
    "libnuma.so.1": "libnuma1",
    "libcurl.so.4": "libcurl4",
}  # Debian's names
_METHODS = {Op.WRITE: "batch_transfer_sync_write", Op.READ: "batch_transfer_sync_read"}
_SETTINGS = ("host", "descriptors_per_call")
_STILL_WRITING = (
    "the call has not stopped: bytes may still land, so neither buffer may be used again; "
    "later calls to this peer may fail as well. Make new workers"
)


class MooncakeTransport:
    """Mooncake's engine with its TCP transport."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.traits = Traits(
            ops=frozenset(_METHODS),
            memory=frozenset({("host", "host")}),
            blocking_post=True,
            deregisters=True,
            max_descriptors=DESCRIPTORS_PER_CALL,  # of one call: a plan with more takes several
            alone=True,  # its libibverbs and the libnl in NIXL's wheel crash a process that has both
            progress=MappingProxyType({"initiator": "thread", "target": "thread"}),
        )

    def missing(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """Look for the wheel's engine and the system's libraries; nothing is loaded."""
        package = find_spec("mooncake")
        folders = list(package.submodule_search_locations or ()) if package else []
        if not any(Path(folder, "engine.so").exists() for folder in folders):
            return f"no Mooncake: pip install {PACKAGE}"
        lacking = absent(_LIBRARIES, environment)
        if lacking:
            packages = " ".join(_LIBRARIES[name] for name in lacking)
            return f"no {', '.join(lacking)} (Debian, Ubuntu: apt-get install {packages})"
        return None

    def open(self, agent: str, settings: Mapping[str, str], role: Role) -> MooncakeEndpoint:
        """Return an endpoint; `host` is the IPv4 address that peers dial, `descriptors_per_call` at most 2048 by default.

        Raise the latter together with the two variables that limit a peer's queues.
        """
        del role
        return MooncakeEndpoint(agent, *_checked(settings))


class MooncakeEndpoint:
    """An engine of its own, so that its connections are the point's, and a mailbox for notifications."""

    def __init__(self, agent: str, host: str, descriptors_per_call: int) -> None:
        self._host, self._per_call = host, descriptors_per_call
        earlier = tcp_info.listening_ports()
        self._engine: Any = _engine(host)
        self._mailbox = Mailbox(agent)
        self._port = self._engine.get_rpc_port()
        self._data_ports = sorted(tcp_info.listening_ports() - earlier - {self._port})
        self._regions: list[tuple[int, int]] = []
        self._peers: dict[str, Peer] = {}
        self._moved: dict[tuple[Op, str], int] = {}  # bytes of calls that the engine called good
        self._carried: dict[str, tcp_info.Carried] = {}  # by peer; counted when closed
        self.failure = ""  # why nothing more is posted

    def register(self, region: Region) -> None:
        """Register host memory with the engine."""
        if region.kind != "host":
            raise Unsupported("unsupported", f"mooncake:tcp moves host memory here, not {region.kind}")
        if self._engine.register_memory(region.address, region.nbytes) != 0:
            raise TransferFailed("register", f"Mooncake refused {region.nbytes} bytes at {region.address:#x}")
        self._regions.append((region.address, region.nbytes))

    def deregister(self, region: Region) -> None:
        """Unregister `region`; the engine tells no peer."""
        registered = (region.address, region.nbytes)
        if registered not in self._regions:
            raise TransferFailed("unregister", f"{region.nbytes} bytes at {region.address:#x} are not registered here")
        if self._engine.unregister_memory(region.address) != 0:
            raise TransferFailed("unregister", f"Mooncake kept {region.nbytes} bytes at {region.address:#x}")
        self._regions.remove(registered)

    def metadata(self) -> bytes:
        """Return where the engine and the mailbox are, and what is registered, as JSON."""
        told: dict[str, Any] = {"data_ports": self._data_ports, "regions": self._regions}
        return self._mailbox.metadata(host=self._host, port=self._port, **told)

    def connect(self, peer: str, metadata: bytes) -> None:
        """Remember the peer; the engine connects at the first transfer."""
        self._peers[peer] = Peer.told(peer, self._mailbox.connect(peer, metadata))

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> MooncakeTransfer:
        """Return the calls for the merged plan, as few as the limit allows; their lists are made here."""
        if op not in _METHODS or peer is None:
            raise Unsupported("unsupported", f"mooncake:tcp cannot {op} without a peer")
        self._mailbox.check(peer)
        merged = plan.merged()
        local, remote = (merged.source, merged.destination) if op is Op.WRITE else (merged.destination, merged.source)
        require_inside(local, rows_of(self._regions), self._mailbox.agent)
        require_inside(remote, self._peers[peer].regions, peer)
        return MooncakeTransfer(self, op, peer, tag=tag, calls=_calls(local, remote, self._per_call))

    def call_for(self, op: Op, peer: str) -> tuple[Any, str]:
        """Return the engine's blocking call for `op`, and the peer's name as the engine has it."""
        return getattr(self._engine, _METHODS[op]), self._peers[peer].name

    def count(self, op: Op, peer: str, nbytes: int) -> None:
        """Note what the engine says it has moved."""
        self._moved[op, peer] = self._moved.get((op, peer), 0) + nbytes

    def fail(self, op: Op, peer: str, status: int) -> NoReturn:
        """Refuse everything from now on, and say why."""
        address = self._peers[peer]
        self.failure = f"mooncake:tcp: {_METHODS[op]} with {peer} returned {status}"
        if not address.reachable():
            raise PeerLost(
                "peer-lost", f"{self.failure}, and nothing listens at {address.name} any more", _STILL_WRITING
            )
        raise TransferFailed("mooncake", self.failure, _STILL_WRITING)

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Return new notifications; the engine's own thread serves the peer."""
        return self._mailbox.progress()

    def notify(self, peer: str, tag: bytes) -> None:
        """Send `tag` to `peer`."""
        self._mailbox.notify(peer, tag)

    def close(self) -> None:
        """Count what the connections carried, then let go of memory and engine."""
        self._carried = {name: tcp_info.carried_to(peer.host, peer.data_ports) for name, peer in self._peers.items()}
        for address, _ in self._regions:
            self._engine.unregister_memory(address)
        self._engine = None
        gc.collect()  # its destructor closes the ports
        self._mailbox.close()

    def evidence(self, op: Op, sizes: tuple[int, int]) -> WireEvidence:
        """Return `tcp` if the connections to the peers carried at least what was moved by `op`; after `close`."""
        del sizes
        peers = [peer for (moved_by, peer), nbytes in self._moved.items() if moved_by is op and nbytes]
        if not peers:
            return unknown(f"Mooncake moved nothing by {op}")
        carried = [self._carried.get(peer, tcp_info.Carried(0, 0, 0)) for peer in peers]
        return _judged(op, sum(self._moved[op, peer] for peer in peers), carried)


class MooncakeTransfer:
    """Ready-made calls of the engine: addresses here, addresses there, lengths, and the bytes they add up to."""

    def __init__(
        self,
        endpoint: MooncakeEndpoint,
        op: Op,
        peer: str,
        *,
        tag: bytes,
        calls: list[tuple[list[int], list[int], list[int]]],
    ) -> None:
        self._endpoint, self._op, self._peer, self._tag = endpoint, op, peer, tag
        self._function, self._name = endpoint.call_for(op, peer)
        self._calls = calls
        self._nbytes = sum(sum(lengths) for _, _, lengths in calls)
        self.posted_descriptors = sum(len(lengths) for _, _, lengths in calls)

    def post(self) -> State:
        """Move everything, then notify; returns when the engine says that the bytes are there."""
        endpoint, function, name = self._endpoint, self._function, self._name
        if endpoint.failure:
            raise TransferFailed(
                "mooncake-refused", f"nothing is posted after a failure: {endpoint.failure}", _STILL_WRITING
            )
        for local, remote, lengths in self._calls:
            status = function(name, local, remote, lengths)
            if status != 0:
                endpoint.fail(self._op, self._peer, status)
        endpoint.count(self._op, self._peer, self._nbytes)
        if self._tag:
            endpoint.notify(self._peer, self._tag)
        return State.DONE

    def poll(self) -> State:
        """Return DONE: `post` blocks."""
        return State.DONE

    def finish(self) -> None:
        """Nothing to scatter."""

    def cancel(self) -> State:
        """Refuse: the transfer is over when `post` returns."""
        raise Unsupported("cannot-cancel", "mooncake:tcp cannot be cancelled")

    def release(self) -> None:
        """Let go of the engine."""
        self._function = None
        self._calls = []


def _checked(settings: Mapping[str, str]) -> tuple[str, int]:
    """Return host and descriptors per call; anything else is a `BadInput`."""
    strange = sorted(set(settings) - set(_SETTINGS))
    if strange:
        raise BadInput("bad-setting", f"mooncake:tcp has no setting {strange[0]!r}", f"known: {', '.join(_SETTINGS)}")
    host, per_call = settings.get("host", "127.0.0.1"), settings.get("descriptors_per_call", str(DESCRIPTORS_PER_CALL))
    try:
        ipaddress.IPv4Address(host)
    except ValueError as error:
        raise BadInput("bad-setting", f"mooncake:tcp: host = {host[:60]!r}: {error}", "an IPv4 address") from error
    if not per_call.isascii() or not per_call.isdigit() or not 0 < int(per_call[:10]) <= 1 << 20:
        raise BadInput(
            "bad-setting", f"mooncake:tcp: descriptors_per_call = {per_call[:60]!r}", f"a number from 1 to {1 << 20}"
        )
    return host, int(per_call)


def _engine(host: str) -> Any:
    """Load Mooncake and return an engine that listens on ports it chose."""
    try:
        from mooncake.engine import TransferEngine
    except ImportError as error:
        raise Missing("mooncake", f"Mooncake cannot be loaded: {error}", f"pip install {PACKAGE}") from error
    engine = TransferEngine()
    # handshake between the two processes, no metadata server; port 0: a free one
    status = engine.initialize(f"{host}:0", "P2PHANDSHAKE", "tcp", "")
    if status != 0:
        raise Missing(
            "mooncake", f"Mooncake's engine at {host} did not start (status {status})", "its log is the worker's"
        )
    return engine


def _calls(
    local: NDArray[np.uint64], remote: NDArray[np.uint64], most: int
) -> list[tuple[list[int], list[int], list[int]]]:
    """Cut the rows into the arguments of calls of at most `most` descriptors."""
    columns = [local[:, ADDRESS].tolist(), remote[:, ADDRESS].tolist(), local[:, LENGTH].tolist()]
    edges = [*range(0, len(local), most), len(local)]
    return [(columns[0][a:b], columns[1][a:b], columns[2][a:b]) for a, b in pairwise(edges)]


def _judged(op: Op, moved: int, carried: Sequence[tcp_info.Carried]) -> WireEvidence:
    """Compare what the engine says it moved with what the kernel counted."""
    connections = sum(one.connections for one in carried)
    counted = sum(one.acknowledged if op is Op.WRITE else one.received for one in carried)
    verb = "acknowledged" if op is Op.WRITE else "received"
    detail = f"{connections} connections to the peer, {counted} bytes {verb}, {moved} moved"
    if not connections:
        return unknown("no TCP connection to the peer is left to ask (MC_TCP_ENABLE_CONNECTION_POOL=0 closes them)")
    if counted < moved:
        return unknown(f"TCP did not carry it all: {detail}")
    return WireEvidence(
        wire="tcp",
        source="TCP_INFO",
        operation=_METHODS[op],
        detail=detail,
        reach="intra-node",  # notifications go through a mailbox, which ends at this host
        lanes=(Lane("tcp", "lo", 100),),
    )
