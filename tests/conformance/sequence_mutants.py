"""Faulty transports whose fault shows only in a sequence of calls, each with a sentence that it breaks.

They were written before the machine that finds them. Each is `reference:memory` with one
fault in it: a single transfer between fresh endpoints is right in all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.implementations.reference_transport import (
    ReferenceEndpoint,
    ReferenceTransfer,
    ReferenceTransport,
)
from suite.errors import PeerLost, TransferFailed
from suite.transports.base import Op, State

if TYPE_CHECKING:
    from collections.abc import Callable

BREAKS: dict[str, frozenset[str]] = {}


def breaks(*ids: str) -> Callable[[Any], Any]:
    """Make a transport of a faulty endpoint, which may have a faulty transfer in it, under the fault's name."""

    def make(faulty: Any) -> type[ReferenceTransport]:
        class WithTransfer(faulty):  # type: ignore[misc]  # a class that is given
            def made(self, *arguments: Any) -> ReferenceTransfer:
                return getattr(faulty, "transfer", ReferenceTransfer)(self, *arguments)

        class Transport(ReferenceTransport):
            def open(self, agent: str, settings: Any, role: Any) -> ReferenceEndpoint:
                del settings, role
                return WithTransfer(self, agent)

        BREAKS[faulty.__name__] = frozenset(f"XFER-{number}" for number in ids)
        return Transport

    return make


def under_way(endpoint: ReferenceEndpoint) -> list[ReferenceTransfer]:
    return [one for one in endpoint.transfers if one.next >= 0]


def kept(holder: Any, name: str, default: Any) -> Any:
    """Return what a fault remembers in `holder`."""
    return holder.__dict__.setdefault(name, default)


def copied(region: Any) -> Any:
    data = np.empty(region.nbytes, np.uint8)
    region.read(0, data)
    return data


# --- state that is left after a cancel ---


class _LeavesTheRest(ReferenceTransfer):
    def cancel(self) -> State:
        if self.next >= 0:
            source, destination = self.check()
            kept(self.endpoint, "rest", []).append((self, range(self.next, len(self.source)), source, destination))
        return super().cancel()

    def finished(self) -> None:
        rest, self.endpoint.__dict__["rest"] = kept(self.endpoint, "rest", []), []
        for transfer, rows, source, destination in rest:
            for row in rows:
                transfer.copy_row(row, source, destination)
        super().finished()


@breaks("801")
class FinishesTheCancelledWithTheNext(ReferenceEndpoint):
    transfer = _LeavesTheRest


class _GathersOnce(ReferenceTransfer):
    """What was gathered is let go when it is done, and not when it is cancelled."""

    gathered: list[Any] | None = None

    def post(self) -> State:
        state = super().post()
        if self.gathered is None:
            region, _ = self.check()
            self.gathered = [self.read(region, int(start), int(length)) for start, length in self.source[:, :2]]
        return state

    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        del source
        self.write(destination, int(self.destination[row, 0]), self.gathered[row])  # type: ignore[index]  # it was posted

    def finished(self) -> None:
        self.gathered = None
        super().finished()


@breaks("801")
class SendsOldBytesWhenPostedAgainAfterACancel(ReferenceEndpoint):
    transfer = _GathersOnce


class _CancelsAll(ReferenceTransfer):
    stopped = False

    def cancel(self) -> State:
        for one in under_way(self.endpoint):
            one.stopped = one is not self  # type: ignore[attr-defined]  # all of them are of this class
        return super().cancel()

    def poll(self) -> State:
        return State.PENDING if self.stopped else super().poll()


@breaks("803")
class CancelsAllThatIsUnderWay(ReferenceEndpoint):
    transfer = _CancelsAll


# --- two peers ---


class _OneBuffer(ReferenceTransfer):
    def post(self) -> State:
        others = [one for one in under_way(self.endpoint) if one.peer != self.peer and one.op is self.op]
        state = super().post()
        self.source_of = others[0] if others and self.op is Op.WRITE else self
        return state

    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        rows = self.source_of.source
        start = int(rows[row % len(rows), 0])
        length = min(int(self.source[row, 1]), int(source.address + source.nbytes - start))
        self.write(destination, int(self.destination[row, 0]), self.read(source, start, length))


@breaks("801")
class SendsTheFirstPeersBytesToTheSecond(ReferenceEndpoint):
    transfer = _OneBuffer


class _NotifiesTheLatest(ReferenceTransfer):
    def post(self) -> State:
        self.endpoint.__dict__["latest"] = self.peer
        return super().post()

    def finished(self) -> None:
        peer, self.peer = self.peer, self.endpoint.__dict__["latest"]
        try:
            super().finished()
        finally:
            self.peer = peer


@breaks("804")
class NotifiesThePeerOfTheLatestPost(ReferenceEndpoint):
    transfer = _NotifiesTheLatest


@breaks("805")
class ForgetsOthersWhenOneConnectsAgain(ReferenceEndpoint):
    def connect(self, peer: str, metadata: bytes) -> None:
        if peer in self.peers:
            self.peers = {}
        super().connect(peer, metadata)


# --- after a failure ---


class _GivesUp(ReferenceTransfer):
    def post(self) -> State:
        if self.endpoint.__dict__.get("failed"):
            raise TransferFailed("failed-before", "nothing is posted after a failure")
        try:
            return super().post()
        except PeerLost:
            self.endpoint.__dict__["failed"] = True
            raise


@breaks("805")
class RefusesAllAfterOnePeerIsLost(ReferenceEndpoint):
    transfer = _GivesUp


class _Stalls(ReferenceTransfer):
    def post(self) -> State:
        try:
            return super().post()
        except PeerLost:
            self.endpoint.__dict__["stalled"] = True
            raise

    def poll(self) -> State:
        if self.next >= 0 and self.endpoint.__dict__.get("stalled"):
            return State.PENDING
        return super().poll()


@breaks("803")
class StallsAfterOnePeerIsLost(ReferenceEndpoint):
    transfer = _Stalls


class _Queues(ReferenceTransfer):
    """A post that fails leaves its rows in the queue, and the next one to be done, to any peer, carries them, too."""

    def post(self) -> State:
        try:
            return super().post()
        except PeerLost:
            if self.op is Op.WRITE:
                region = next(iter(self.endpoint.regions))
                offsets = self.destination[:, 0] - self.destination[:, 0].min()
                rows = [self.read(region, int(start), int(length)) for start, length in self.source[:, :2]]
                kept(self.endpoint, "queue", []).extend(zip(offsets.tolist(), rows, strict=True))
            raise

    def finished(self) -> None:
        queue, self.endpoint.__dict__["queue"] = kept(self.endpoint, "queue", []), []
        _, region = self.check()
        for offset, data in queue:
            if self.op is Op.WRITE and offset + len(data) <= region.nbytes:
                region.write(offset, data)
        super().finished()


@breaks("801")
class SendsFailedRowsWithTheNext(ReferenceEndpoint):
    transfer = _Queues


# --- registered, restarted, released ---


class _ReadsWhatIsPinned(ReferenceTransfer):
    def read(self, region: Any, address: int, length: int) -> Any:
        far = self.endpoint.peer(self.peer)
        pinned = kept(far, "pinned", {}).get((region.address, region.nbytes))
        if self.op is Op.READ and pinned is not None and far.__dict__.get("again"):
            at = address - region.address
            return pinned[at : at + length]
        return super().read(region, address, length)


@breaks("801")
class ServesOldPagesAfterRegisteringAgain(ReferenceEndpoint):
    transfer = _ReadsWhatIsPinned

    def register(self, region: Any) -> None:
        self.__dict__["again"] = (region.address, region.nbytes) in kept(self, "pinned", {})
        super().register(region)

    def deregister(self, region: Any) -> None:
        super().deregister(region)
        kept(self, "pinned", {})[region.address, region.nbytes] = copied(region)


class _ReadsTheNamesFirst(ReferenceTransfer):
    def read(self, region: Any, address: int, length: int) -> Any:
        first = kept(self.endpoint.transport, "first", {}).get(self.peer)
        if self.op is Op.READ and first is not None and len(first) == region.nbytes:
            at = address - region.address
            return first[at : at + length]
        return super().read(region, address, length)


@breaks("801")
class ReadsTheOldMemoryOfARestartedName(ReferenceEndpoint):
    transfer = _ReadsTheNamesFirst

    def close(self) -> None:
        if self.regions:
            kept(self.transport, "first", {}).setdefault(self.agent, copied(self.regions[0]))
        super().close()


class _EndsAnother(ReferenceTransfer):
    def release(self) -> None:
        others = under_way(self.endpoint)
        if self.state is State.DONE and others:
            others[-1].finished()
        super().release()


@breaks("801")
class EndsTheLatestWhenAnotherIsReleased(ReferenceEndpoint):
    transfer = _EndsAnother


@breaks("801")
class SendsTheLastAgainWhenItConnectsAgain(ReferenceEndpoint):
    class transfer(ReferenceTransfer):  # noqa: N801  found under this name
        def finished(self) -> None:
            if self.op is Op.WRITE:
                region, _ = self.check()
                rows = [self.read(region, int(start), int(length)) for start, length in self.source[:, :2]]
                kept(self.endpoint, "last", {})[self.peer] = (self, rows)
            super().finished()

    def connect(self, peer: str, metadata: bytes) -> None:
        super().connect(peer, metadata)
        if peer in kept(self, "last", {}):
            transfer, rows = self.__dict__["last"][peer]
            try:
                _, region = transfer.check()
            except (TransferFailed, PeerLost):
                return
            for to, data in zip(transfer.destination[:, 0].tolist(), rows, strict=True):
                transfer.write(region, to, data)


@breaks("802")
class LocksAllWhenItEndsUnderWay(ReferenceEndpoint):
    class transfer(ReferenceTransfer):  # noqa: N801  found under this name
        def poll(self) -> State:
            return State.PENDING if self.endpoint.transport.__dict__.get("locked") else super().poll()

    def close(self) -> None:
        if under_way(self):
            self.transport.__dict__["locked"] = True
        super().close()


@breaks("805")
class ComplainsOfALostPeerForEver(ReferenceEndpoint):
    def progress(self) -> Any:
        if any(token not in self.transport.endpoints for token in self.peers.values()):
            raise PeerLost("peer-lost", "one of the peers has closed")
        return super().progress()
