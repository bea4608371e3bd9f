"""A worker that is one side of one endpoint, with nothing of a sweep around it; found through PYTHONPATH."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.kv.plan import Plan
from suite.memory.host import HostRegion
from suite.transports import base
from suite.transports.base import Op, State
from suite.transports.nixl import NixlTransport

if TYPE_CHECKING:
    from suite.memory.region import Region
    from suite.transports.base import Endpoint, Transfer


class Endpoints:
    def __init__(self, role: str) -> None:
        self._agent = role
        self._region: Region
        self._endpoint: Endpoint
        self._transfer: Transfer

    def begin(self, nbytes: int, seed: int, kind: str = "host") -> int:
        """Make a region of random bytes, of host memory or of a device ("cuda:0"); return its address."""
        if kind == "host":
            self._region = HostRegion(nbytes, "4k")
        else:
            from suite.memory.cuda import CudaRegion

            self._region = CudaRegion(nbytes, int(kind.partition(":")[2]))
        self.refill(seed)
        return self._region.address

    def refill(self, seed: int) -> None:
        self._region.write(0, np.random.default_rng(seed).integers(0, 256, self._region.nbytes, np.uint8))

    def open(self, transport: str) -> str:
        """Open and register; the role of an endpoint changes nothing in the transports tested here."""
        loaded = NixlTransport(transport) if transport.startswith("nixl:") else base.load(transport)
        self._endpoint = loaded.open(self._agent, {}, "initiator")
        self._endpoint.register(self._region)
        return base64.b64encode(self._endpoint.metadata()).decode()

    def connect(self, peer: str, metadata: str) -> None:
        self._endpoint.connect(peer, base64.b64decode(metadata))

    def prepare(self, op: str, source: list[list[int]], destination: list[list[int]], peer: str, tag: str) -> int:
        """Prepare rows of (address, length, device); return the descriptors that will be posted."""
        nbytes = sum(row[1] for row in source)
        plan = Plan(np.array(source, np.uint64), np.array(destination, np.uint64), nbytes, nbytes, nbytes)
        self._transfer = self._endpoint.prepare(Op(op), plan, peer, tag.encode())
        return self._transfer.posted_descriptors

    def post(self) -> str:
        return self._transfer.post().name

    def finish(self) -> None:
        while self._transfer.poll() is not State.DONE:
            pass

    def run(self, times: int = 1) -> None:
        for _ in range(times):
            if self._transfer.post() is not State.DONE:
                self.finish()

    def notify(self, peer: str, tag: str) -> None:
        self._endpoint.notify(peer, tag.encode())

    def await_tags(self, count: int) -> list[list[str]]:
        """Drive this side until `count` notifications are there; return who sent what."""
        arrived: list[list[str]] = []
        while len(arrived) < count:
            arrived += [[peer, tag.decode()] for peer, tag in self._endpoint.progress()]
            os.sched_yield()
        return arrived

    def bytes(self) -> str:
        out = np.empty(self._region.nbytes, np.uint8)
        self._region.read(0, out)
        return base64.b64encode(out).decode()

    def descriptors_by_telemetry(self) -> int:
        """Return how many descriptors NIXL itself says the last transfer had."""
        endpoint: Any = self._endpoint
        transfer: Any = self._transfer
        return int(endpoint._agent.get_xfer_telemetry(transfer._handles[0]).descCount)

    def close(self, op: str, nbytes: int) -> dict[str, Any]:
        """Close; return wire and count of the descriptors of `nbytes`, as the evidence has them."""
        self._endpoint.close()
        found = self._endpoint.evidence(Op(op), (nbytes, nbytes))
        return {"wire": found.wire, "count": found.count, "reason": found.reason}
