"""`copy` where a device's memory is at the other side: the driver's own copies, the ceiling for GPUs of one host.

The peer's memory is opened by CUDA IPC, and each row of the merged plan is one
asynchronous copy on one stream: between devices, or between a device and this
process's host memory, which is registered with the driver (page-locked) first.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from suite.errors import TransferFailed, Unsupported
from suite.kv.plan import LENGTH
from suite.memory.driver import Context, CudaError, call, device_uuid, explain, load
from suite.transports import ipc
from suite.transports.base import Op, State
from suite.transports.evidence import Lane, WireEvidence, unknown
from suite.transports.mailbox import Mailbox
from suite.transports.reach import Stretch, located

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from suite.kv.plan import Plan
    from suite.memory.region import Region
    from suite.transports.ipc import Shared
    from suite.transports.reach import Place

WIRE = "cuda copy"
MEMORY = frozenset({("cuda", "cuda"), ("host", "cuda")})  # (local kind, remote kind), for traits
_ALREADY_LOCKED = "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED"
_NO_HANDLE = "memory of the driver's virtual memory management (VMM) has no IPC handle for another process to open"
_NOT_OURS = "the driver cannot reach another process's host memory"
_TURN = "let the process with the host memory initiate: pull instead of push, or push instead of pull"
_CONTAINERS = "both processes must be of one user on one host; containers must share the host's IPC and PID namespaces"


@dataclass(frozen=True)
class _Peer:
    stretches: list[Stretch]
    home: Context | None  # in whose context the copies run; None where the peer has no device memory
    stream: Any = None


@dataclass
class _Tally:
    """How often a transfer was posted, and which calls one posting makes."""

    op: Op
    calls: Counter[str]
    posts: int = 0


class DeviceCopyEndpoint:
    """A process that shares its device memory, and copies between its own memory and its peer's device.

    Regions are registered before `metadata` and `connect`; the device memory of
    one side is of one device. What the peer opened is freed after the peer has closed.
    """

    def __init__(self, agent: str) -> None:
        self._mailbox = Mailbox(agent)
        self._regions: list[Region] = []
        self._contexts: dict[int, Context] = {}
        self._peers: dict[str, _Peer] = {}
        self._tallies: list[_Tally] = []
        self._undo = ExitStack()
        self._undo.callback(self._mailbox.close)

    def register(self, region: Region) -> None:
        """Take host or device memory; it is shared by `metadata`, and page-locked once it is known for which device."""
        if region.kind not in {"host", "cuda"}:
            raise Unsupported("unsupported", f"copy moves host and device memory, not {region.kind}")
        devices = {one.device for one in [*self._regions, region] if one.kind == "cuda"}
        if len(devices) > 1:
            raise Unsupported("unsupported", f"copy takes the memory of one device at each side, not of {devices}")
        self._regions.append(region)

    def metadata(self) -> bytes:
        """Return the regions, with IPC handles of those on a device, and where notifications go."""
        regions = [ipc.share(region).to_json() for region in self._regions]
        return json.dumps(json.loads(self._mailbox.metadata()) | {"regions": regions}).encode()

    def connect(self, peer: str, metadata: bytes) -> None:
        """Open the peer's device memory. `TransferFailed` if the driver refuses that, `Unsupported` without its device."""
        shared = ipc.received(self._mailbox.connect(peer, metadata), peer)
        theirs = next((one.uuid for one in shared if one.kind == "cuda"), None)
        if theirs is None:
            self._peers[peer] = _Peer([_refused(one, _NOT_OURS, _TURN) for one in shared], None)
            return
        there = self._context(_ordinal_of(theirs, peer))
        mine = next((region.device for region in self._regions if region.kind == "cuda"), there.ordinal)
        home = self._context(mine)
        mapped = home if home is there or call("cuDeviceCanAccessPeer", home.device, there.device) else there
        try:
            stretches = [self._opened(one, mapped) for one in shared]
        except CudaError as error:
            raise TransferFailed("cuda-ipc", f"copy: the memory of {peer}: {error.message}", _CONTAINERS) from error
        home.make_current()
        self._page_lock(home)
        stream = call("cuStreamCreate", load().CUstream_flags.CU_STREAM_NON_BLOCKING)
        self._undo.callback(_within, home, "cuStreamDestroy", stream)
        self._peers[peer] = _Peer(stretches, home, stream)

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> DeviceCopyTransfer:
        """Return the driver's calls that copy the merged plan."""
        if op not in {Op.WRITE, Op.READ} or peer is None:
            raise Unsupported("unsupported", f"copy cannot {op}")
        self._mailbox.check(peer)
        known = self._peers[peer]
        merged = plan.merged()
        local, remote = (merged.source, merged.destination) if op is Op.WRITE else (merged.destination, merged.source)
        there = located(remote, known.stretches, peer)
        here = located(local, self._own(known.home), self._mailbox.agent)
        source, destination = (here, there) if op is Op.WRITE else (there, here)
        if known.home is None:
            raise Unsupported("unsupported", f"copy: {peer} has no device memory", "host to host, copy needs no driver")
        driver = load()
        copies = [
            _copy(driver, from_, to, nbytes, known.stream)
            for from_, to, nbytes in zip(source, destination, merged.source[:, LENGTH].tolist(), strict=True)
        ]
        begin, end = ("cuCtxSetCurrent", known.home.handle), ("cuStreamSynchronize", known.stream)
        tally = _Tally(op, Counter(name for name, *_ in copies))
        self._tallies.append(tally)
        return DeviceCopyTransfer([begin, *copies, end], tally, partial(self.notify, peer, tag) if tag else None)

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Return new notifications; those of anyone but a peer are dropped."""
        return self._mailbox.progress()

    def notify(self, peer: str, tag: bytes) -> None:
        """Send `tag` to `peer`; waits while it has too many notifications that it has not looked at."""
        self._mailbox.notify(peer, tag)

    def close(self) -> None:
        """Close the peer's memory, unlock the own, let go of the devices."""
        self._undo.close()

    def evidence(self, op: Op, sizes: tuple[int, int]) -> WireEvidence:
        """Return the driver's calls that were made: there is no other wire it could have been."""
        del sizes
        calls: Counter[str] = Counter()
        for tally in self._tallies:
            if tally.op is op:
                calls.update({name: count * tally.posts for name, count in tally.calls.items() if tally.posts})
        if not calls:
            return unknown(f"copy: no {op} was posted")
        names = " + ".join(sorted(calls))
        return WireEvidence(
            wire=WIRE,
            source=names,
            operation=names,
            detail=names,
            reach="intra-node",
            count=calls.total(),
            lanes=(Lane(WIRE, "memory", 100),),
        )

    def _context(self, ordinal: int) -> Context:
        if ordinal not in self._contexts:
            self._contexts[ordinal] = Context(ordinal)
            self._undo.callback(self._contexts[ordinal].close)
        return self._contexts[ordinal]

    def _own(self, home: Context | None) -> list[Stretch]:
        return [
            Stretch(one.kind, one.address, one.nbytes, one.address, home if one.kind == "cuda" else None)
            for one in self._regions
        ]

    def _opened(self, shared: Shared, context: Context) -> Stretch:
        """Map a peer's region into `context`."""
        if shared.kind != "cuda":
            return _refused(shared, _NOT_OURS, _TURN)
        if not shared.handle:
            return _refused(shared, _NO_HANDLE, "allocate with cudaMalloc")
        with context.pushed():
            base = ipc.opened(shared)
        self._undo.callback(_within, context, "cuIpcCloseMemHandle", base)
        return Stretch("cuda", shared.address, shared.nbytes, base + shared.offset, context)

    def _page_lock(self, home: Context) -> None:
        """Register host memory with the driver, as UCX does: from pageable memory it would copy twice."""
        portable = 1  # CU_MEMHOSTREGISTER_PORTABLE, cuda.h: for the contexts of all devices
        for region in self._regions:
            if region.kind == "host":
                try:
                    call("cuMemHostRegister", region.address, region.nbytes, portable)
                except CudaError as error:
                    if error.status != _ALREADY_LOCKED:
                        raise
                else:
                    self._undo.callback(_within, home, "cuMemHostUnregister", region.address)


class DeviceCopyTransfer:
    """A list of ready-made driver calls, from making the context current to waiting for the stream."""

    __slots__ = ("_calls", "_names", "_notify", "_tally", "posted_descriptors")

    def __init__(self, calls: list[tuple[Any, ...]], tally: _Tally, notify: Callable[[], None] | None) -> None:
        driver = load()
        self._names = [name for name, *_ in calls]
        self._calls = [partial(getattr(driver, name), *arguments) for name, *arguments in calls]
        self._tally = tally
        self._notify = notify
        self.posted_descriptors = tally.calls.total()

    def post(self) -> State:
        """Copy everything, then notify; returns when the bytes are there."""
        for index, one in enumerate(self._calls):
            (status,) = one()
            if status:
                self._calls[-1]()  # nothing may be in flight when the caller learns of it
                error = explain(self._names[index], status)
                raise TransferFailed("cuda-copy", f"copy: {error.message}")
        self._tally.posts += 1
        if self._notify:
            self._notify()
        return State.DONE

    def poll(self) -> State:
        """Return DONE: `post` blocks."""
        return State.DONE

    def finish(self) -> None:
        """Nothing to scatter."""

    def cancel(self) -> State:
        """Refuse: the copy is over when `post` returns."""
        raise Unsupported("cannot-cancel", "copy cannot be cancelled")

    def release(self) -> None:
        """Nothing is held."""


def _copy(driver: Any, source: Place, destination: Place, nbytes: int, stream: Any) -> tuple[Any, ...]:
    """Return the driver's call, name first, that copies one row.

    Device addresses are wrapped here: an integer costs a call twice its time (measured with cuda-bindings 12.9).
    """
    (from_, origin), (to, target) = source, destination
    if origin.context is None:
        return "cuMemcpyHtoDAsync", driver.CUdeviceptr(to), from_, nbytes, stream
    if target.context is None:
        return "cuMemcpyDtoHAsync", to, driver.CUdeviceptr(from_), nbytes, stream
    there, here = driver.CUdeviceptr(to), driver.CUdeviceptr(from_)
    if origin.context is target.context:
        return "cuMemcpyDtoDAsync", there, here, nbytes, stream
    return "cuMemcpyPeerAsync", there, target.context.handle, here, origin.context.handle, nbytes, stream


def _refused(shared: Shared, reason: str, hint: str) -> Stretch:
    return Stretch(shared.kind, shared.address, shared.nbytes, refusal=(reason, hint))


def _ordinal_of(uuid: str, peer: str) -> int:
    """Return this process's number of a peer's device."""
    load()
    for ordinal in range(call("cuDeviceGetCount")):
        if device_uuid(call("cuDeviceGet", ordinal)) == uuid:
            return ordinal
    raise Unsupported(
        "unsupported",
        f"copy: {peer}'s device {uuid} is not visible in this process",
        "let CUDA_VISIBLE_DEVICES name the devices of both sides in both processes",
    )


def _within(context: Context, function: str, *arguments: Any) -> None:
    with context.pushed():
        call(function, *arguments)
