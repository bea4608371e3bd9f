"""Transports that take faults badly, each with the requirements that it breaks: a test of the sentences XFER-7xx.

They were written before the faults, and the sets follow from the sentences, not from what
the tests find. Each is the reference of sockets, or of files, with one fault in it.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.implementations.reference_socket import SILENCE_S, SocketEndpoint, SocketTransfer, SocketTransport
from conformance.implementations.reference_transport import ReferenceEndpoint, ReferenceTransfer, ReferenceTransport
from suite.errors import Missing, PeerLost, TransferFailed
from suite.memory.cuda import CudaRegion
from suite.transports.base import Op, State

if TYPE_CHECKING:
    from collections.abc import Callable

BREAKS: dict[str, frozenset[str]] = {}
_SHORT_S = 0.7  # of silence: less than a pause, more than a full machine takes


def breaks(*ids: str) -> Callable[[Any], Any]:
    """Make a transport of a faulty endpoint or transfer, under the fault's name."""

    def make(faulty: Any) -> Any:
        BREAKS[faulty.__name__] = frozenset(f"XFER-{number}" for number in ids)
        if issubclass(faulty, ReferenceTransfer):
            return _of_files(faulty)
        endpoint = faulty if issubclass(faulty, SocketEndpoint) else SocketEndpoint

        class Endpoint(endpoint):  # type: ignore[misc,valid-type]  # one of two
            def made(self, *arguments: Any) -> SocketTransfer:
                return (faulty if issubclass(faulty, SocketTransfer) else SocketTransfer)(self, *arguments)

        class Transport(SocketTransport):
            def open(self, agent: str, settings: Any, role: Any) -> SocketEndpoint:
                del settings, role
                made: SocketEndpoint = Endpoint(agent)
                return made

        return Transport

    return make


def _of_files(faulty: type[ReferenceTransfer]) -> type[ReferenceTransport]:
    """Return the reference of files in processes of their own, which have no peers."""

    class Endpoint(ReferenceEndpoint):
        def made(self, *arguments: Any) -> ReferenceTransfer:
            return faulty(self, *arguments)

    class Transport(ReferenceTransport):
        in_process = False

        def __init__(self, name: str) -> None:
            super().__init__(name)
            traits = self.traits
            self.traits = replace(traits, ops=frozenset({Op.STORE, Op.FETCH}), memory=frozenset({("host", "file")}))

        def open(self, agent: str, settings: Any, role: Any) -> ReferenceEndpoint:
            del settings, role
            return Endpoint(self, agent)

    return Transport


@breaks()
class PlainFiles(ReferenceTransfer):
    """No fault at all: the reference of files, for the faults of disks."""


# --- peers ---


@breaks("701")
class NeverNotices(SocketTransfer):
    def lost(self) -> str:
        return ""


@breaks("702", "704")
class SucceedsWithTheDead(SocketTransfer):
    def poll(self) -> State:
        try:
            return super().poll()
        except PeerLost:
            self.state = State.DONE
            return self.state


@breaks("703")
class CallsItAnError(SocketTransfer):
    def poll(self) -> State:
        try:
            return super().poll()
        except PeerLost as error:
            raise TransferFailed("backend", error.message) from None


@breaks("701", "705")
class DiesWithItsPeer(SocketTransfer):
    def lost(self) -> str:
        if self.over is not None and self.over.lost:
            os._exit(3)
        return super().lost()


@breaks("705")
class InitiatorIsDoneFor(SocketEndpoint):
    gone = False

    def pump(self) -> None:
        super().pump()
        self.gone = self.gone or any(over.lost for over in self.connections.values())

    def prepare(self, *arguments: Any) -> SocketTransfer:
        if self.gone:
            raise TransferFailed("broken", "a peer was lost before")
        return super().prepare(*arguments)


@breaks("705")
class TargetIsDoneFor(SocketEndpoint):
    gone = False

    def pump(self) -> None:
        before = len(self.incoming)
        super().pump()
        if len(self.incoming) < before:
            self.gone = True

    def serve(self, *arguments: Any) -> None:
        if not self.gone:
            super().serve(*arguments)


@breaks("704")
class NotifiesTheHalf(SocketEndpoint):
    """What has come of a WRITE when its connection breaks is placed, and counts as all of it."""

    def pump(self) -> None:
        before = list(self.incoming)
        super().pump()
        for over in before:
            if over.lost and (half := over.half()):
                header, data = half
                rows = np.asarray(header["rows"], np.int64).reshape(-1, 2)
                whole = np.zeros(int(rows[:, 1].sum()), np.uint8)
                whole[: len(data)] = np.frombuffer(data, np.uint8)
                self.scatter(self.region_of(rows), rows, memoryview(whole.tobytes()))
                self.inbox.append((over.agent, b"there"))


# --- pauses ---


def _silent(transfer: SocketTransfer) -> bool:
    return transfer.over is not None and time.monotonic() - transfer.over.moved > _SHORT_S


@breaks("704", "706", "707")
class CallsSilenceSuccess(SocketTransfer):
    def poll(self) -> State:
        state = super().poll()
        if state is State.PENDING and self.over is not None and _silent(self):
            self.over.close("silence")
            self.forget()
            self.state = state = State.DONE
        return state


@breaks("706", "707")
class HasNoPatience(SocketTransfer):
    def lost(self) -> str:
        if self.over is not None and _silent(self):
            self.over.close("no patience")
        return super().lost()


@breaks("709")
class WaitsInPoll(SocketTransfer):
    def poll(self) -> State:
        if self.number and _silent(self):
            time.sleep(SILENCE_S)
        return super().poll()


@breaks("701")
class WaitsForThoseWhoAreGone(SocketTransfer):
    """A connection that is reset counts as one that will come back."""

    def lost(self) -> str:
        found = super().lost()
        return "" if "reset" in found else found


# --- devices ---


@breaks("705", "711")
class DiesWithoutDeviceMemory(SocketTransfer):
    """It stages in memory of the device, and takes for granted that there is some."""

    def post(self) -> State:
        try:
            CudaRegion(1 << 20, 0).close()
        except Missing:
            os._exit(3)
        return super().post()


# --- disks ---


@breaks("704", "710")
class StoresWhatFits(ReferenceTransfer):
    def write(self, region: Any, address: int, data: Any) -> None:
        try:
            super().write(region, address, data)
        except (OSError, TransferFailed):
            return


@breaks("710")
class WaitsForRoom(ReferenceTransfer):
    def copy(self, rows: int) -> None:
        try:
            super().copy(rows)
        except (OSError, TransferFailed):
            return


@breaks("705")
class NeverStoresAgain(ReferenceTransfer):
    def poll(self) -> State:
        try:
            return super().poll()
        except TransferFailed:
            self.endpoint.__dict__["broken"] = True
            raise

    def post(self) -> State:
        if "broken" in self.endpoint.__dict__:
            raise TransferFailed("broken", "a store failed before")
        return super().post()
