"""Faulty transports, each with the requirements that it breaks: a test of the properties of transfers.

They were written before the properties, and the sets follow from the sentences, not from
what the tests find. Each is `reference:memory` with one fault in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
import zlib
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.implementations.reference_transport import (
    ReferenceEndpoint,
    ReferenceTransfer,
    ReferenceTransport,
)
from suite.errors import TransferFailed
from suite.transports.base import Op, State

if TYPE_CHECKING:
    from collections.abc import Callable

BREAKS: dict[str, frozenset[str]] = {}


def breaks(*ids: str) -> Callable[[Any], Any]:
    """Make a transport of a faulty endpoint or transfer, under the fault's name."""

    def make(faulty: Any) -> type[ReferenceTransport]:
        kind = faulty if issubclass(faulty, ReferenceTransfer) else getattr(faulty, "transfer", None)
        made_of: Any = faulty if issubclass(faulty, ReferenceEndpoint) else ReferenceEndpoint
        if kind is not None:

            class WithTransfer(made_of):  # type: ignore[misc]  # one of two
                def made(self, *arguments: Any) -> ReferenceTransfer:
                    return kind(self, *arguments)

            made_of = WithTransfer

        class Transport(ReferenceTransport):
            def open(self, agent: str, settings: Any, role: Any) -> ReferenceEndpoint:
                del settings, role
                return made_of(self, agent)

        BREAKS[faulty.__name__] = frozenset(f"XFER-{number}" for number in ids)
        return Transport

    return make


def behind(transfer: ReferenceTransfer) -> list[Any]:
    """Return what an endpoint still has to do behind its user's back."""
    return transfer.endpoint.__dict__.setdefault("behind", [])


class Busy(ReferenceEndpoint):
    """Does what is left for later when it is asked for notifications."""

    def progress(self) -> Any:
        todo, self.__dict__["behind"] = self.__dict__.get("behind", []), []
        for one in todo:
            one()
        return super().progress()


# --- bytes ---


@breaks("001")
class NotifiesFirst(ReferenceTransfer):
    def post(self) -> State:
        state = super().post()
        if self.tag:
            self.endpoint.peer(self.peer).inbox.append((self.endpoint.agent, self.tag))
        return state

    def finished(self) -> None:
        self.next, self.state = -1, State.DONE


class _EarlyRead(ReferenceTransfer):
    early = Op.READ

    def copy(self, rows: int) -> None:
        if self.op is not self.early or self.next + rows < len(self.source):
            super().copy(rows)
            return
        at, (source, destination) = self.next, self.check()
        self.next = len(self.source)
        behind(self).append(lambda: [self.copy_row(row, source, destination) for row in range(at, len(self.source))])
        behind(self).append(lambda: super(_EarlyRead, self).finished())

    def finished(self) -> None:
        if self.op is not self.early:
            super().finished()
        self.next, self.state = -1, State.DONE


class _EarlyWrite(_EarlyRead):
    early = Op.WRITE


@breaks("002")
class ReadIsDoneTooEarly(Busy):
    transfer = _EarlyRead


@breaks("003")
class WriteIsDoneTooEarly(Busy):
    transfer = _EarlyWrite


@breaks("004")
class SpillsIntoTheGuard(ReferenceTransfer):
    def finished(self) -> None:
        _, region = self.check()
        if region.kind != "file":
            was = np.empty(1, np.uint8)
            region.read(region.nbytes, was)
            region.write(region.nbytes, ~was)
        super().finished()


@breaks("004")
class ClearsAByteOfAGap(ReferenceTransfer):
    """The byte before the first row."""

    def finished(self) -> None:
        _, region = self.check()
        at = int(self.destination[:, 0].min(initial=1 << 62)) - 1 - region.address
        if region.kind != "file" and 0 <= at < region.nbytes:
            was = np.empty(1, np.uint8)
            region.read(at, was)
            region.write(at, ~was)
        super().finished()


@breaks("005")
class ChangesItsSource(ReferenceTransfer):
    def finished(self) -> None:
        region, _ = self.check()
        if region.kind != "file" and len(self.source):
            at = int(self.source[0, 0]) - region.address
            was = np.empty(1, np.uint8)
            region.read(at, was)
            region.write(at, ~was)
        super().finished()


@breaks("006", "014")
class SortsTheDestination(ReferenceTransfer):
    """014 says it as well: of rows that cannot be merged the order is another."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.destination = self.destination[np.argsort(self.destination[:, 0], kind="stable")]


@breaks("007")
class TakesAStrideForDense(ReferenceTransfer):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        lengths, steps = self.source[:, 1], np.diff(self.destination[:, 0])
        if len(steps) > 1 and len(set(steps)) == len(set(lengths)) == 1 and steps[0] > lengths[0]:
            self.destination[:, 0] = self.destination[0, 0] + np.arange(len(lengths)) * lengths[0]


@breaks("007", "014")
class LosesTheSeamOfMergedRows(ReferenceTransfer):
    """Dense rows, too, are neighbours."""

    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        follows = row + 1 < len(self.source) and all(
            side[row, 0] + side[row, 1] == side[row + 1, 0] for side in (self.source, self.destination)
        )
        (start, length), to = self.source[row, :2], int(self.destination[row, 0])
        data = self.read(source, int(start), int(length))
        self.write(destination, to, data[: int(length) - 1] if follows and length else data)


@breaks("008")
class MovesWholeWordsOnly(ReferenceTransfer):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.source[:, 1] -= self.source[:, 1] % 8


@breaks("008")
class AlignsAddresses(ReferenceTransfer):
    """Rows whose places in their words differ."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.unlike = self.source[:, 0] % 8 != self.destination[:, 0] % 8

    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        if not self.unlike[row]:
            super().copy_row(row, source, destination)


@breaks("009")
class TakesZeroForAll(ReferenceTransfer):
    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        if self.source[row, 1] == 0:
            to = int(self.destination[row, 0])
            self.write(destination, to, ~self.read(destination, to, destination.address + destination.nbytes - to))
        super().copy_row(row, source, destination)


@breaks("010")
class ReadsEachSourceOnce(ReferenceTransfer):
    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        if self.source[row, 0] not in self.source[:row, 0]:
            super().copy_row(row, source, destination)


@breaks("012")
class CountsInSixteenBits(ReferenceTransfer):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        if len(self.source) > 0xFFFF:
            self.source = self.source[: len(self.source) & 0xFFFF]


@breaks("013", "311")
class SulksAfterARefusal(ReferenceEndpoint):
    def prepare(self, *arguments: Any) -> Any:
        if self.__dict__.get("sulking"):
            raise TransferFailed("sulking", "the queue is full")
        try:
            return super().prepare(*arguments)
        except TransferFailed:
            self.__dict__["sulking"] = True
            raise


@breaks("015")
class ReadsBackwardsAfterAWrite(ReferenceEndpoint):
    def made(self, *arguments: Any) -> Any:
        transfer = super().made(*arguments)
        if transfer.op is Op.READ and self.__dict__.get("wrote"):
            transfer.source = transfer.source[::-1]
        self.__dict__["wrote"] = transfer.op is Op.WRITE
        return transfer


@breaks("016", "412")
class HasOneQueueEntry(ReferenceTransfer):
    """For two threads, too."""

    def post(self) -> State:
        self.dropped = any(one.next >= 0 for one in self.endpoint.transfers if one is not self)
        return super().post()

    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        if not self.dropped:
            super().copy_row(row, source, destination)


@breaks("017")
class IsHalfDuplex(ReferenceTransfer):
    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        if not any(one.next >= 0 for one in self.endpoint.peer(self.peer).transfers if one is not self):
            super().copy_row(row, source, destination)


# --- notifications ---


@breaks("101")
class NotifiesTwice(ReferenceTransfer):
    def finished(self) -> None:
        super().finished()
        super().finished()


@breaks("101")
class NotifiesOfTheFirstPostOnly(ReferenceTransfer):
    def finished(self) -> None:
        super().finished()
        self.tag = b""


@breaks("102")
class CutsTagsAtNul(ReferenceTransfer):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.tag = self.tag.split(b"\0")[0] or self.tag[:1]


@breaks("102")
class TakesTagsForText(ReferenceTransfer):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.tag = self.tag.decode("utf-8", "replace").encode()


@breaks("103")
class CutsLongTags(ReferenceTransfer):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.tag = self.tag[: 1 << 16]


@breaks("105")
class MatchesTagsByPrefix(ReferenceTransfer):
    def finished(self) -> None:
        inbox = self.endpoint.peer(self.peer).inbox
        super().finished()
        if any(tag != self.tag and tag.startswith(self.tag) for _, tag in inbox):
            inbox.pop()


@breaks("106", "108")
class MistakesTheSenderOfANotification(ReferenceEndpoint):
    """Then nobody is told apart."""

    def notify(self, peer: str, tag: bytes) -> None:
        super().notify(peer, tag)
        self.peer(peer).inbox[-1] = (peer, tag)


@breaks("001", "101", "107")
class NotifiesWhenPrepared(ReferenceEndpoint):
    """Then it comes before the bytes, and twice."""

    def prepare(self, op: Op, plan: Any, peer: Any, tag: bytes) -> Any:
        if tag:
            self.peer(peer).inbox.append((self.agent, tag))
        return super().prepare(op, plan, peer, tag)


@breaks("108")
class MatchesNamesByPrefix(ReferenceEndpoint):
    def progress(self) -> Any:
        names = sorted(self.peers)
        return [
            (next((name for name in names if sender.startswith(name)), sender), tag)
            for sender, tag in super().progress()
        ]


# --- registered memory ---


class _Unchecked(ReferenceTransfer):
    """Takes rows that are in no region, and pretends to move them."""

    remote = local = False

    def region_of(self, endpoint: Any, rows: Any, *, file: bool) -> Any:
        try:
            return super().region_of(endpoint, rows, file=file)
        except TransferFailed:
            mine = endpoint is self.endpoint
            if (self.local and mine) or (self.remote and not mine):
                return self.pretended(endpoint, rows)
            raise

    def pretended(self, endpoint: Any, rows: Any) -> Any:
        del rows
        return endpoint.regions[0]

    def read(self, region: Any, address: int, length: int) -> Any:
        if address < region.address or address + length > region.address + region.nbytes:
            return np.zeros(length, np.uint8)
        return super().read(region, address, length)

    def write(self, region: Any, address: int, data: Any) -> None:
        if region.address <= address and address + len(data) <= region.address + region.nbytes:
            super().write(region, address, data)


@breaks("201", "203", "204", "311")
class ChecksNoRemoteMemory(_Unchecked):
    remote = True


@breaks("202")
class ChecksNoLocalMemory(_Unchecked):
    local = True


@breaks("203")
class ChecksWhereARowBegins(_Unchecked):
    remote = True

    def pretended(self, endpoint: Any, rows: Any) -> Any:
        first = int(rows[:, 0].min())
        for region in endpoint.regions:
            if region.address <= first < region.address + region.nbytes:
                return region
        raise TransferFailed("not-registered", "it begins in no region")


@breaks("204")
class TakesWhatAnyoneHasRegistered(ReferenceTransfer):
    def region_of(self, endpoint: Any, rows: Any, *, file: bool) -> Any:
        try:
            return super().region_of(endpoint, rows, file=file)
        except TransferFailed:
            for one in endpoint.transport.endpoints.values():
                if one is not self.endpoint and one.agent != endpoint.agent and one is not endpoint:
                    try:
                        return super().region_of(one, rows, file=file)
                    except TransferFailed:
                        continue
            raise


@breaks("205")
class TakesMemoryOfAnyKind(ReferenceEndpoint):
    def register(self, region: Any) -> None:
        self.regions.append(region)


@breaks("206", "207")
class NeverDeregisters(ReferenceEndpoint):
    def deregister(self, region: Any) -> None:
        """Say nothing, do nothing."""


@breaks("208")
class SkipsRowsOfWhatIsGone(ReferenceTransfer):
    """When it is posted all is checked; what is deregistered after that is passed over."""

    def copy(self, rows: int) -> None:
        try:
            self.check()
        except TransferFailed:
            self.next = len(self.source)
            return
        super().copy(rows)

    def finished(self) -> None:
        with suppress(TransferFailed):
            super().finished()


# --- metadata and peers ---


class _Garbled(ReferenceTransfer):
    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        if not self.endpoint.__dict__.get("garbled"):
            super().copy_row(row, source, destination)


@breaks("301")
class HasNoChecksum(ReferenceEndpoint):
    transfer = _Garbled

    def connect(self, peer: str, metadata: bytes) -> None:
        try:
            super().connect(peer, metadata)
        except TransferFailed:
            told = json.loads(metadata[8:])
            if zlib.crc32(metadata[8:]) == int(metadata[:8], 16) or set(told) != {"agent", "token"}:
                raise
            self.__dict__["garbled"] = True
            self.peers[peer] = next(token for token, one in self.transport.endpoints.items() if one.agent == peer)


@breaks("302", "304")
class TakesAnythingForMetadata(ReferenceEndpoint):
    def connect(self, peer: str, metadata: bytes) -> None:
        try:
            super().connect(peer, metadata)
        except TransferFailed as error:
            if error.code == "wrong-peer":
                raise
            self.peers[peer] = ""


@breaks("303")
class TakesMetadataOfAnyone(ReferenceEndpoint):
    def connect(self, peer: str, metadata: bytes) -> None:
        told = json.loads(metadata[8:])
        super().connect(told["agent"], metadata)
        self.peers[peer] = told["token"]


@breaks("305", "405")
class WritesToTheClosed(ReferenceEndpoint):
    def close(self) -> None:
        regions = list(self.regions)
        super().close()
        self.regions = regions
        self.transport.endpoints[self.token] = self


@breaks("306")
class CachesMetadataByName(ReferenceEndpoint):
    def connect(self, peer: str, metadata: bytes) -> None:
        super().connect(peer, metadata)
        cache = self.transport.__dict__.setdefault("cache", {})
        self.peers[peer] = cache.setdefault(peer, self.peers[peer])


@breaks("308")
class KnowsEverybody(ReferenceEndpoint):
    def peer(self, name: Any) -> Any:
        if name is not None and name not in self.peers:
            return self.transport.endpoints[next(iter(self.peers.values()))]
        return super().peer(name)


@breaks("309", "313")
class ReachesTheLastPeerOnly(ReferenceEndpoint):
    def peer(self, name: Any) -> Any:
        return super().peer(list(self.peers)[-1] if name in self.peers else name)


class _FirstServed(ReferenceTransfer):
    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        served = self.endpoint.peer(self.peer).__dict__.setdefault("served", self.endpoint.token)
        if served == self.endpoint.token:
            super().copy_row(row, source, destination)


@breaks("310", "413")
class ServesItsFirstInitiatorOnly(ReferenceEndpoint):
    transfer = _FirstServed


@breaks("311")
class KeepsTheMemoryOfTheFirstOfItsName(ReferenceEndpoint):
    """Rows are looked up with the second peer of a name, and copied to or from the first."""

    class transfer(ReferenceTransfer):  # noqa: N801  an attribute
        def copy_row(self, row: int, source: Any, destination: Any) -> None:
            first = self.endpoint.__dict__.get("first", {}).get(self.peer)
            there = first and self.endpoint.transport.endpoints.get(first)
            if not there or first == self.endpoint.peers[self.peer]:
                super().copy_row(row, source, destination)
            elif self.op is Op.WRITE:
                at = int(self.destination[row, 0]) - destination.address
                data = self.read(source, *map(int, self.source[row, :2]))
                there.regions[0].write(at, data)
            else:
                self.write(destination, int(self.destination[row, 0]), np.zeros(int(self.source[row, 1]), np.uint8))

    def connect(self, peer: str, metadata: bytes) -> None:
        super().connect(peer, metadata)
        self.__dict__.setdefault("first", {}).setdefault(peer, self.peers[peer])


@breaks("312")
class PretendsRegionsThatCameLater(ReferenceEndpoint):
    """Its metadata says how many regions there are; rows in others go nowhere, and are done."""

    class transfer(ReferenceTransfer):  # noqa: N801  an attribute
        def copy_row(self, row: int, source: Any, destination: Any) -> None:
            far = self.endpoint.peer(self.peer)
            known = far.regions[: self.endpoint.__dict__.get("counts", {}).get(self.peer, 1 << 20)]
            if far is self.endpoint or (destination if self.op is Op.WRITE else source) in known:
                super().copy_row(row, source, destination)

    def metadata(self) -> bytes:
        self.__dict__["told"] = len(self.regions)
        return super().metadata()

    def connect(self, peer: str, metadata: bytes) -> None:
        super().connect(peer, metadata)
        far = self.transport.endpoints.get(self.peers[peer])
        self.__dict__.setdefault("counts", {})[peer] = far.__dict__.get("told", 1 << 20) if far else 1 << 20


@breaks("313")
class KnowsSevenPeers(ReferenceEndpoint):
    """And forgets the first of eight."""

    def connect(self, peer: str, metadata: bytes) -> None:
        super().connect(peer, metadata)
        if len(self.peers) > 7:
            del self.peers[next(iter(self.peers))]


# --- life ---


@breaks("401")
class MovesOnce(ReferenceTransfer):
    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        if not self.__dict__.get("moved"):
            super().copy_row(row, source, destination)

    def finished(self) -> None:
        self.__dict__["moved"] = True
        super().finished()


@breaks("401")
class KeepsWhatItReadFirst(ReferenceTransfer):
    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        kept = self.__dict__.setdefault("kept", {})
        if row not in kept:
            kept[row] = self.read(source, int(self.source[row, 0]), int(self.source[row, 1]))
        self.write(destination, int(self.destination[row, 0]), kept[row])


@breaks("402")
class CanBePostedTwice(ReferenceTransfer):
    def post(self) -> State:
        self.next = -1
        return super().post()


def _go_on(transfer: Any) -> None:
    """Copy all rows again, and again."""
    source, destination = transfer.check()
    times = iter(range(20))  # no more, or all later cases take long

    def again() -> None:
        if next(times, None) is None:
            return
        for row in range(len(transfer.source)):
            transfer.copy_row(row, source, destination)
        behind(transfer).append(again)

    behind(transfer).append(again)


class _GoesOnReleased(ReferenceTransfer):
    def release(self) -> None:
        if self.next >= 0:
            _go_on(self)
        super().release()


@breaks("403")
class WritesAfterRelease(Busy):
    transfer = _GoesOnReleased


@breaks("404")
class BreaksWhenReleasedTwice(ReferenceTransfer):
    def release(self) -> None:
        if self.__dict__.get("released"):
            self.endpoint.regions = []
        self.__dict__["released"] = True
        super().release()


class _GoesOnFailed(ReferenceTransfer):
    """Checks each row as it comes to it."""

    def check(self) -> Any:
        whole = self.source, self.destination
        self.source, self.destination = (side[self.next if self.next > 0 else 0 :][:1] for side in whole)
        try:
            return super().check()
        finally:
            self.source, self.destination = whole

    def copy(self, rows: int) -> None:
        while self.next < len(self.source) and rows:
            try:
                source, destination = self.check()
            except TransferFailed:
                self.source, self.destination = self.source[: self.next], self.destination[: self.next]
                self.next = 0
                if len(self.source):
                    _go_on(self)
                raise
            self.copy_row(self.next, source, destination)
            self.next, rows = self.next + 1, rows - 1


@breaks("406")
class WritesAfterAFailure(Busy):
    transfer = _GoesOnFailed


class _GoesOnCancelled(ReferenceTransfer):
    def cancel(self) -> State:
        _go_on(self)
        return super().cancel()


@breaks("407")
class WritesAfterCancel(Busy):
    transfer = _GoesOnCancelled


@breaks("408")
class NotifiesWheneverAsked(ReferenceTransfer):
    def poll(self) -> State:
        if self.next < 0 and self.state is State.DONE:
            self.finished()
        return super().poll()


@breaks("408")
class ForgetsThatItIsDone(ReferenceTransfer):
    def poll(self) -> State:
        if self.next < 0 and self.state is State.DONE:
            return State.PENDING
        return super().poll()


@breaks("410")
class WaitsForAnIdleTarget(ReferenceEndpoint):
    class transfer(ReferenceTransfer):  # noqa: N801  an attribute
        def poll(self) -> State:
            self.polls = self.__dict__.get("polls", 0) + 1
            if self.polls == 2 and not self.endpoint.peer(self.peer).__dict__.get("asked"):
                time.sleep(1.2)
            return super().poll()

    def progress(self) -> Any:
        self.__dict__["asked"] = True
        return super().progress()


@breaks("411")
class WritesAfterClose(ReferenceEndpoint):
    def close(self) -> None:
        active = [one for one in self.transfers if one.next >= 0]
        going = []
        for one in active:
            source, destination = one.check()
            going += [(one, row, source, destination) for row in range(len(one.source))]
        super().close()
        self.transport.__dict__.setdefault("going", []).extend(going)

    def progress(self) -> Any:
        going = self.transport.__dict__.get("going", [])
        for one, row, source, destination in going:
            one.copy_row(row, source, destination)
        self.transport.__dict__["turns"] = self.transport.__dict__.get("turns", 0) + bool(going)
        if self.transport.__dict__["turns"] >= 20:  # no more, or all later cases take long
            going.clear()
        return super().progress()


class _Owned(ReferenceTransfer):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        mine = threading.get_ident()
        self.foreign = self.endpoint.__dict__.setdefault("owner", mine) != mine

    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        if not self.foreign:
            super().copy_row(row, source, destination)


@breaks("412")
class ServesTheThreadThatCameFirst(ReferenceEndpoint):
    """What another one prepares is done, and goes nowhere."""

    transfer = _Owned


@breaks("413")
class SharesItsBuffersBetweenEndpoints(ReferenceTransfer):
    """What another endpoint has under way, in another thread, spoils a copy."""

    def post(self) -> State:
        self.thread = threading.get_ident()
        return super().post()

    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        others = [one for one in list(self.endpoint.transport.endpoints.values()) if one is not self.endpoint]
        under_way = [one for other in others for one in list(other.transfers) if one.next >= 0]
        main = threading.main_thread().ident  # what is left of earlier cases was posted there
        if all(one.__dict__.get("thread") in {self.thread, main} for one in under_way):
            super().copy_row(row, source, destination)


# --- what is left behind ---


@breaks("501")
class LeaksDescriptors(ReferenceTransfer):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        kept = self.endpoint.transport.__dict__.setdefault("kept", [])
        if len(kept) < 500:
            kept.append(open(os.devnull))  # noqa: PTH123, SIM115  it is to stay open


@breaks("502")
class LeaksMemory(ReferenceTransfer):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.endpoint.__dict__.setdefault("kept", []).append(np.ones(32 << 10, np.uint8))


@breaks("503")
class LeaksEndpoints(ReferenceEndpoint):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.transport.__dict__.setdefault("kept", []).append(open(os.devnull))  # noqa: PTH123, SIM115  it is to stay open


# --- files ---


@breaks("601", "607", "608", "609", "610", "611")
class StoresAllButTheLast(ReferenceTransfer):
    """Of each of two writers, too, wherever the file is, and whether there is room or not."""

    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        if self.op is not Op.STORE or row + 1 < len(self.source):
            super().copy_row(row, source, destination)


@breaks("602", "604", "608", "610", "611")
class FetchesAllButTheLast(ReferenceTransfer):
    """Also of a hole, wherever the file is."""

    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        if self.op is not Op.FETCH or row == 0 or row + 1 < len(self.source):
            super().copy_row(row, source, destination)


@breaks("603", "606", "612")
class TakesAShortReadForAll(ReferenceTransfer):
    def read(self, region: Any, address: int, length: int) -> Any:
        try:
            return super().read(region, address, length)
        except TransferFailed:
            return np.zeros(length, np.uint8)


@breaks("604")
class SkipsHoles(ReferenceTransfer):
    def write(self, region: Any, address: int, data: Any) -> None:
        if self.op is not Op.FETCH or data.any():
            super().write(region, address, data)


@breaks("605", "609", "611")
class IgnoresThatNothingWasWritten(ReferenceTransfer):
    """For want of room, too, and of alignment."""

    def write(self, region: Any, address: int, data: Any) -> None:
        with suppress(OSError):
            super().write(region, address, data)


@breaks("606", "608", "612")
class LooksAtTheSizeWhenPrepared(ReferenceTransfer):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        if self.op is Op.FETCH:
            file = next((one for one in self.endpoint.regions if one.kind == "file"), None)
            size = os.fstat(file.device).st_size if file else 0
            if (self.source[:, 0] + self.source[:, 1]).max(initial=0) > size:
                raise TransferFailed("past-the-end", "the file is shorter")

    def read(self, region: Any, address: int, length: int) -> Any:
        try:
            return super().read(region, address, length)
        except TransferFailed:
            return np.zeros(length, np.uint8)


@breaks("607")
class EmptiesTheFileFirst(ReferenceTransfer):
    def post(self) -> State:
        if self.op is Op.STORE:
            _, region = self.check()
            size = os.fstat(region.device).st_size
            os.ftruncate(region.device, 0)
            os.ftruncate(region.device, size)
        return super().post()


@breaks("608")
class TakesTheFirstFileForAll(ReferenceTransfer):
    """Of a region that is several."""

    def write(self, region: Any, address: int, data: Any) -> None:
        if region.kind == "file" and hasattr(region, "parts"):
            os.pwrite(region.device, data.data, address)
        else:
            super().write(region, address, data)


@breaks("609")
class TakesAShortWriteForAll(ReferenceTransfer):
    def write(self, region: Any, address: int, data: Any) -> None:
        try:
            super().write(region, address, data)
        except TransferFailed as error:
            if error.code != "short-write":
                raise


def _direct(region: Any) -> bool:
    return region.kind == "file" and bool(fcntl.fcntl(region.device, fcntl.F_GETFL) & os.O_DIRECT)


@breaks("610", "611")
class MovesOnePageOfADirectFile(ReferenceTransfer):
    """Of each row, aligned or not."""

    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        (start, length), to = map(int, self.source[row, :2]), int(self.destination[row, 0])
        most = min(length, 4096) if _direct(source) or _direct(destination) else length
        self.write(destination, to, self.read(source, start, most))


@breaks("611")
class RoundsRowsOfADirectFile(ReferenceTransfer):
    """To whole pages, as the kernel wants them."""

    def copy_row(self, row: int, source: Any, destination: Any) -> None:
        if not (_direct(source) or _direct(destination)):
            super().copy_row(row, source, destination)
            return
        (start, length), to = map(int, self.source[row, :2]), int(self.destination[row, 0])
        if _direct(source):
            start -= start % 4096
        if _direct(destination):
            to -= to % 4096
        whole = length - length % 4096
        if whole:
            self.write(destination, to, self.read(source, start, whole))


@breaks("608", "612")
class LooksAtTheSizeWhenPosted(ReferenceTransfer):
    """And then takes a short read for all."""

    def post(self) -> State:
        if self.op is Op.FETCH:
            file, _ = self.check()
            if int((self.source[:, 0] + self.source[:, 1]).max(initial=0)) > os.fstat(file.device).st_size:
                raise TransferFailed("past-the-end", "the file is shorter")
        return super().post()

    def read(self, region: Any, address: int, length: int) -> Any:
        try:
            return super().read(region, address, length)
        except TransferFailed:
            return np.zeros(length, np.uint8)


@breaks()
class IsAnotherReading(ReferenceTransfer):
    """Nothing that a sentence says: done in one poll, or in many, and no cancel in the traits."""

    def poll(self) -> State:
        state = super().poll()
        while self.next >= 0:
            state = super().poll()
        return state


without_cancel = ReferenceTransport("without_cancel")  # what it does not claim is skipped, not failed
without_cancel.traits = replace(without_cancel.traits, cancels=False, deregisters=False)
