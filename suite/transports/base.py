"""What a transport is: the protocols between those who move bytes and those who ask."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Literal, Protocol

from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from suite.kv.plan import Plan
    from suite.memory.region import Region
    from suite.transports.evidence import WireEvidence

ENTRY_POINTS = "kvgauge.transports"


class Op(StrEnum):
    """What the initiator posts."""

    WRITE = "WRITE"
    READ = "READ"
    STORE = "STORE"
    FETCH = "FETCH"


class State(IntEnum):
    """Where a posted transfer stands; failures raise."""

    PENDING = 0
    DONE = 1


Role = Literal["initiator", "target"]


@dataclass(frozen=True)
class Traits:
    """What a transport can do and needs."""

    ops: frozenset[Op]
    memory: frozenset[tuple[str, str]]  # (local kind, remote kind)
    two_sided: bool = False
    blocking_post: bool = False
    notifies: bool = True
    cancels: bool = False
    deregisters: bool = False  # its endpoints have `deregister(region)`: see `Deregisters`
    threads: bool = False  # several threads may call one endpoint at the same time
    max_descriptors: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)  # must be set before the process starts
    alone: bool = False  # may not share a process with another transport
    progress: Mapping[Role, str] = field(default_factory=dict)  # who drives each side: "caller" or "thread"


class Transfer(Protocol):
    """One prepared transfer, posted as often as wanted."""

    posted_descriptors: int  # after any merging

    def post(self) -> State:
        """Start; a transport whose traits say `blocking_post` is DONE when this returns."""

    def poll(self) -> State:
        """Return where it stands, driving it on."""

    def finish(self) -> None:
        """Scatter what was gathered, where the transport does so."""

    def cancel(self) -> State:
        """Stop it, if the traits say that this can be done."""

    def release(self) -> None:
        """Free what it holds; the transfer is not active."""


class Endpoint(Protocol):
    """One side of one point. The agent's name is the point's, so that evidence is the point's."""

    def register(self, region: Region) -> None:
        """Make `region` reachable."""

    def metadata(self) -> bytes:
        """Return what the peer needs to reach the registered regions."""

    def connect(self, peer: str, metadata: bytes) -> None:
        """Learn the peer's metadata; `peer` is its agent's name."""

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> Transfer:
        """Return a transfer of `plan`; with a `tag` the peer is notified when its bytes are there."""

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Return new notifications as (peer, tag); never blocks."""

    def notify(self, peer: str, tag: bytes) -> None:
        """Send a notification that belongs to no transfer."""

    def close(self) -> None:
        """Deregister, disconnect, flush evidence."""

    def evidence(self, op: Op, sizes: tuple[int, int]) -> WireEvidence:
        """Return which wire carried `op` with descriptors of `sizes` (least, most bytes); after `close`."""


class Deregisters(Protocol):
    """What an endpoint can besides, where the traits say `deregisters`."""

    def deregister(self, region: Region) -> None:
        """Make `region` unreachable, now and not only when the endpoint closes."""


class Transport(Protocol):
    """A way to move bytes, named as a sweep names it: `nixl:UCX`."""

    name: str
    traits: Traits

    def missing(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """Return what this machine lacks for a worker with `environment`, or None. Loads no library of the transport."""

    def open(self, agent: str, settings: Mapping[str, str], role: Role) -> Endpoint:
        """Return an endpoint named `agent`."""


def names() -> list[str]:
    """Return the names of all installed transports."""
    return sorted(entry_points(group=ENTRY_POINTS).names)


def load(name: str) -> Transport:
    """Return the transport `name`; the entry point names a function that takes the name."""
    found = entry_points(group=ENTRY_POINTS, name=name)
    if not found:
        raise BadInput("unknown-transport", f"no transport {name!r}", f"installed: {', '.join(names())}")
    factory = next(iter(found)).load()
    transport: Transport = factory(name)
    return transport
