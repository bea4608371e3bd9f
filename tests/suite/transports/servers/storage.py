"""A worker with memory and a file, and a storage endpoint between them; found through PYTHONPATH."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.kv.plan import Plan
from suite.memory.file import FileRegion
from suite.memory.host import HostRegion
from suite.transports.base import Op, State
from suite.transports.nixl import NixlTransport

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from suite.memory.region import Region
    from suite.transports.base import Endpoint


class Storage:
    def __init__(self, role: str) -> None:
        self._agent = role
        self._endpoint: Endpoint
        self._memory: Region
        self._file: FileRegion

    def open(self, transport: str, path: str, nbytes: int, **how: Any) -> str:
        """Make memory and file (`kind`, `direct`, `create`, `settings`) and an endpoint; return its metadata."""
        self._memory = _memory(how.get("kind", "host"), nbytes)
        self._file = FileRegion(Path(path), nbytes, direct=how.get("direct", False), create=how.get("create", True))
        self._endpoint = NixlTransport(transport).open(self._agent, how.get("settings", {}), "initiator")
        self._endpoint.register(self._memory)
        self._endpoint.register(self._file)
        return base64.b64encode(self._endpoint.metadata()).decode()

    def connect(self, peer: str, metadata: str) -> None:
        self._endpoint.connect(peer, base64.b64decode(metadata))

    def fill(self, memory: int, file: int) -> None:
        """Fill both with random bytes of two seeds."""
        for region, seed in ((self._memory, memory), (self._file, file)):
            region.write(0, random_bytes(region.nbytes, seed))

    def move(self, op: str, rows: list[list[int]], times: int = 1) -> int:
        """Move rows of (memory offset, file offset, length); return the descriptors posted."""
        table = np.array(rows, np.uint64)
        memory, file = _side(table[:, 0] + np.uint64(self._memory.address), table), _side(table[:, 1], table)
        source, destination = (memory, file) if op == "STORE" else (file, memory)
        total = int(table[:, 2].sum())
        transfer = self._endpoint.prepare(Op(op), Plan(source, destination, total, total, total), None, b"")
        for _ in range(times):
            state = transfer.post()
            while state is not State.DONE:
                state = transfer.poll()
        return transfer.posted_descriptors

    def notify(self, peer: str, tag: str) -> None:
        self._endpoint.notify(peer, tag.encode())

    def await_tag(self) -> list[str]:
        while not (arrived := self._endpoint.progress()):
            os.sched_yield()
        return [f"{peer}:{tag.decode()}" for peer, tag in arrived]

    def differing(self, where: str, expected: dict[str, Any]) -> int:
        """Count the bytes that are not what numpy makes of the seeds and rows in `expected`."""
        region = self._memory if where == "memory" else self._file
        out = np.empty(region.nbytes, np.uint8)
        region.read(0, out)
        return int(np.count_nonzero(out != after(region.nbytes, **expected)))

    def close(self, op: str) -> dict[str, Any]:
        self._endpoint.close()
        found = self._endpoint.evidence(Op(op), (1, 1))
        return {"wire": found.wire, "source": found.source, "reason": found.reason, "emulated": self._memory.emulated}


def random_bytes(count: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, count, np.uint8)


def after(nbytes: int, source: int, destination: int, rows: list[list[int]]) -> NDArray[np.uint8]:
    """Return the destination's bytes after rows of (source offset, destination offset, length)."""
    whole, given = random_bytes(nbytes, destination), random_bytes(nbytes, source)
    for start, to, length in rows:
        whole[to : to + length] = given[start : start + length]
    return whole


def _side(starts: NDArray[np.uint64], table: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a side of a plan whose devices are wrong: endpoints know their own."""
    return np.column_stack((starts, table[:, 2], np.full(len(table), 99, np.uint64)))


def _memory(kind: str, nbytes: int) -> Region:
    if kind == "host":
        return HostRegion(nbytes, "4k")
    from suite.memory.cuda import CudaRegion

    return CudaRegion(nbytes, int(kind.partition(":")[2]))
