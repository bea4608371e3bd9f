"""`copy` between host memory: one process copies from or to another's. The ceiling on one host.

The kernel's `process_vm_writev` (push) and `process_vm_readv` (pull) move the
same merged plan between the same pools with a single copy and no protocol.
UCX's own `cma` transport is made of these two calls.
"""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from suite.errors import PeerLost, TransferFailed, Unsupported
from suite.kv.plan import ADDRESS, LENGTH
from suite.transports.base import Op, State
from suite.transports.evidence import Lane, WireEvidence
from suite.transports.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from suite.kv.plan import Plan
    from suite.memory.region import Region

_IOV_MAX = 1024  # include/uapi/linux/uio.h, UIO_MAXIOV
_CALL_BYTES = 1 << 29  # a call may come to twice that; the kernel stops at 2 GiB less a page
_PR_SET_PTRACER = 0x59616D61  # include/uapi/linux/prctl.h: with Yama, who may reach into this process
_PR_SET_PTRACER_ANY = (1 << 64) - 1
_MAX_PID = (1 << 31) - 1  # pid_t
_CALLS = {Op.WRITE: "process_vm_writev", Op.READ: "process_vm_readv"}

_libc = ctypes.CDLL(None, use_errno=True)
for _name in _CALLS.values():
    _call = getattr(_libc, _name)
    _call.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
    _call.restype = ctypes.c_ssize_t


def refused() -> str | None:
    """Try a copy inside this process, and return why it failed: seccomp filters refuse the call itself."""
    here, there = np.arange(8, dtype=np.uint8), np.zeros(8, np.uint8)
    vectors = [np.array([[side.ctypes.data, 8]], np.uint64) for side in (there, here)]
    try:
        _transfer(Op.READ, os.getpid(), _Chunk(vectors[0], vectors[1], 8))
    except TransferFailed as error:
        return str(error)
    return None


class HostCopyEndpoint:
    """A process that lets its peer reach into it, and a mailbox for notifications."""

    def __init__(self, agent: str) -> None:
        self._mailbox = Mailbox(agent)
        self._pids: dict[str, int] = {}

    def register(self, region: Region) -> None:
        """Check the kind; the kernel needs no registration."""
        if region.kind != "host":
            raise Unsupported("unsupported", f"copy moves host memory, not {region.kind}")

    def metadata(self) -> bytes:
        """Return the process id and where notifications go."""
        return self._mailbox.metadata(pid=os.getpid())

    def connect(self, peer: str, metadata: bytes) -> None:
        """Remember the peer, and allow it to reach into this process where Yama asks for that."""
        pid = self._mailbox.connect(peer, metadata).get("pid")
        if not isinstance(pid, int) or not 0 < pid <= _MAX_PID:
            raise TransferFailed("bad-metadata", f"metadata of {peer!r} names no process: {pid!a:.100}")
        self._pids[peer] = pid
        allowed = pid if len(self._pids) == 1 else _PR_SET_PTRACER_ANY  # Yama remembers one process, or allows all
        _libc.prctl(_PR_SET_PTRACER, ctypes.c_ulong(allowed), 0, 0, 0)

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> HostCopyTransfer:
        """Return the system calls that copy the merged plan."""
        if op not in _CALLS or peer is None:
            raise Unsupported("unsupported", f"copy cannot {op}")
        merged = plan.merged()
        local, remote = (merged.source, merged.destination) if op is Op.WRITE else (merged.destination, merged.source)
        return HostCopyTransfer(self, op, peer=peer, chunks=_chunks(local, remote), tag=tag, descriptors=len(merged))

    def pid_of(self, peer: str) -> int:
        """Return the process id of a connected peer."""
        self._mailbox.check(peer)
        return self._pids[peer]

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Return new notifications; those of anyone but a peer are dropped."""
        return self._mailbox.progress()

    def notify(self, peer: str, tag: bytes) -> None:
        """Send `tag` to `peer`; waits while it has too many notifications that it has not looked at."""
        self._mailbox.notify(peer, tag)

    def close(self) -> None:
        """Close the mailbox."""
        self._mailbox.close()

    def evidence(self, op: Op, sizes: tuple[int, int]) -> WireEvidence:
        """Return the system call: there is no other wire it could have been."""
        del sizes
        call = _CALLS[op]
        lanes = (Lane("cma", "memory", 100),)
        return WireEvidence(wire="cma", source=call, operation=call, detail=call, reach="intra-node", lanes=lanes)


@dataclass(frozen=True)
class _Chunk:
    """The arguments of one call: iovec arrays, shape (n, 2) uint64, and the bytes they add up to."""

    local: NDArray[np.uint64]
    remote: NDArray[np.uint64]
    nbytes: int


class HostCopyTransfer:
    """A list of ready-made system calls."""

    __slots__ = ("_calls", "_chunks", "_endpoint", "_function", "_op", "_peer", "_pid", "_tag", "posted_descriptors")

    def __init__(
        self, endpoint: HostCopyEndpoint, op: Op, *, peer: str, chunks: list[_Chunk], tag: bytes, descriptors: int
    ) -> None:
        self._endpoint = endpoint
        self._op = op
        self._peer = peer
        self._pid = endpoint.pid_of(peer)
        self._chunks = chunks  # keeps the arrays alive that the calls point into
        self._calls = [
            (c.local.ctypes.data, len(c.local), c.remote.ctypes.data, len(c.remote), c.nbytes) for c in chunks
        ]
        self._function = getattr(_libc, _CALLS[op])
        self._tag = tag
        self.posted_descriptors = descriptors

    def post(self) -> State:
        """Copy everything, then notify; returns when the bytes are there."""
        function, pid = self._function, self._pid
        for index, (local, locals_, remote, remotes, nbytes) in enumerate(self._calls):
            if function(pid, local, locals_, remote, remotes, 0) != nbytes:
                _transfer(self._op, pid, self._chunks[index])  # again, to learn why: the same bytes to the same places
        if self._tag:
            self._endpoint.notify(self._peer, self._tag)
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


def _transfer(op: Op, pid: int, chunk: _Chunk) -> None:
    """Make one call and explain a failure."""
    ctypes.set_errno(0)
    moved = getattr(_libc, _CALLS[op])(
        pid, chunk.local.ctypes.data, len(chunk.local), chunk.remote.ctypes.data, len(chunk.remote), 0
    )
    if moved == chunk.nbytes:
        return
    code = ctypes.get_errno()
    if moved < 0 and code == errno.ESRCH:
        raise PeerLost("peer-lost", f"{_CALLS[op]}: process {pid} is gone")
    if moved < 0:
        hint = (
            "the peer must be of the same user; in containers seccomp or Yama may forbid it" if code in (1, 38) else ""
        )
        raise TransferFailed("copy", f"{_CALLS[op]}: {os.strerror(code)}", hint)
    raise TransferFailed("copy", f"{_CALLS[op]} moved {moved} of {chunk.nbytes} bytes: an address is not mapped")


def _chunks(local: NDArray[np.uint64], remote: NDArray[np.uint64]) -> list[_Chunk]:
    """Cut the rows into calls of at most `_IOV_MAX` vectors and less than twice `_CALL_BYTES` bytes."""
    local, remote = _split_long(local), _split_long(remote)
    lengths = local[:, LENGTH].astype(np.int64)
    group = (np.cumsum(lengths) - lengths) // _CALL_BYTES
    cuts = [0]
    for start, stop in _bounds(np.flatnonzero(np.diff(group)) + 1, len(local)):
        cuts.extend(range(start + _IOV_MAX, stop, _IOV_MAX))
        cuts.append(stop)
    vectors = [np.ascontiguousarray(side[:, [ADDRESS, LENGTH]]) for side in (local, remote)]
    return [
        _Chunk(vectors[0][start:stop], vectors[1][start:stop], int(lengths[start:stop].sum()))
        for start, stop in pairwise(cuts)
    ]


def _bounds(cuts: NDArray[np.int64], count: int) -> list[tuple[int, int]]:
    edges = [0, *cuts.tolist(), count]
    return list(pairwise(edges))


def _split_long(side: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Cut rows of more than `_CALL_BYTES` into pieces; equal lengths on both sides are cut alike."""
    lengths = side[:, LENGTH].astype(np.int64)
    if lengths.max() <= _CALL_BYTES:
        return side
    pieces = -(-lengths // _CALL_BYTES)
    row = np.repeat(np.arange(len(side)), pieces)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    cut = side[row]
    cut[:, ADDRESS] += (nth * _CALL_BYTES).astype(np.uint64)
    cut[:, LENGTH] = np.minimum(_CALL_BYTES, lengths[row] - nth * _CALL_BYTES).astype(np.uint64)
    return cut
