"""Plain reads and writes of a file as a transport: one `pread` or `pwrite` for each row, one after the other."""

from __future__ import annotations

import ctypes
import os
from types import MappingProxyType
from typing import TYPE_CHECKING

from suite.errors import TransferFailed, Unsupported
from suite.kv.plan import ADDRESS, LENGTH
from suite.transports.base import Op, State, Traits
from suite.transports.evidence import WireEvidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from suite.kv.plan import Plan
    from suite.memory.region import Region
    from suite.transports.base import Role


class PlainFileTransport:
    """Stores and fetches host memory."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.traits = Traits(
            ops=frozenset({Op.STORE, Op.FETCH}),
            memory=frozenset({("host", "file")}),
            blocking_post=True,
            progress=MappingProxyType({"initiator": "caller"}),
        )

    def missing(self, environment: Mapping[str, str] | os._Environ[str] = MappingProxyType({})) -> str | None:
        """Return None: files are everywhere."""
        del environment
        return None

    def open(self, agent: str, settings: Mapping[str, str], role: Role) -> PlainFileEndpoint:
        """Return an endpoint; there is nothing to set."""
        del agent, settings, role
        return PlainFileEndpoint()


class PlainFileEndpoint:
    """One region of memory and one file."""

    def __init__(self) -> None:
        self._file = -1

    def register(self, region: Region) -> None:
        """Take the descriptor of the file; memory needs nothing."""
        if region.kind == "file":
            self._file = region.device

    def metadata(self) -> bytes:
        """Return nothing: there is no peer."""
        return b""

    def connect(self, peer: str, metadata: bytes) -> None:
        """Refuse: there is no peer."""
        del metadata
        raise Unsupported("unsupported", f"a plain file has no peer {peer!r}")

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> PlainFileTransfer:
        """Return the calls of the merged plan."""
        if op not in (Op.STORE, Op.FETCH) or peer is not None or tag:
            raise Unsupported("unsupported", f"a plain file cannot {op} with a peer")
        merged = plan.merged()
        memory, file = (merged.source, merged.destination) if op is Op.STORE else (merged.destination, merged.source)
        views = [(ctypes.c_ubyte * int(row[LENGTH])).from_address(int(row[ADDRESS])) for row in memory.tolist()]
        calls = [
            (memoryview(view).cast("B"), int(row[ADDRESS])) for view, row in zip(views, file.tolist(), strict=True)
        ]
        return PlainFileTransfer(self._file, calls, writes=op is Op.STORE)

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Return no notification: nobody sends any."""
        return []

    def notify(self, peer: str, tag: bytes) -> None:
        """Refuse: there is no peer."""
        del tag
        raise Unsupported("unsupported", f"a plain file has no peer {peer!r}")

    def close(self) -> None:
        """Nothing is held; the region closes its file."""

    def evidence(self, op: Op, sizes: tuple[int, int]) -> WireEvidence:
        """Return the system call."""
        del sizes
        return WireEvidence(wire="file", source="kernel", operation="pwrite" if op is Op.STORE else "pread")


class PlainFileTransfer:
    """System calls, ready to be made."""

    def __init__(self, descriptor: int, calls: list[tuple[memoryview, int]], *, writes: bool) -> None:
        self._descriptor, self._calls = descriptor, calls
        self._move = os.pwritev if writes else os.preadv
        self.posted_descriptors = len(calls)

    def post(self) -> State:
        """Make every call; returns when the kernel says that the bytes are there."""
        for view, offset in self._calls:
            moved = self._move(self._descriptor, [view], offset)
            if moved != len(view):
                raise TransferFailed("short", f"{self._move.__name__}: {moved} of {len(view)} bytes at {offset}")
        return State.DONE

    def poll(self) -> State:
        """Return DONE: `post` blocks."""
        return State.DONE

    def finish(self) -> None:
        """Nothing to scatter."""

    def cancel(self) -> State:
        """Refuse: the call is over when `post` returns."""
        raise Unsupported("cannot-cancel", "a plain file cannot be cancelled")

    def release(self) -> None:
        """Nothing is held."""
