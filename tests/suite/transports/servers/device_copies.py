"""A worker that is one side of a device copy; found through PYTHONPATH."""

from __future__ import annotations

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from cuda.bindings.driver import CUpointer_attribute

from suite.errors import KvgaugeError
from suite.kv.plan import Plan
from suite.memory.cuda import CudaRegion
from suite.memory.driver import CudaError, call
from suite.memory.host import HostRegion
from suite.transports import device_copy
from suite.transports.base import Op
from suite.transports.device_copy import DeviceCopyEndpoint

if TYPE_CHECKING:
    from suite.memory.region import Region
    from suite.transports.device_copy import DeviceCopyTransfer


class Piece:
    """A region in the middle of an allocation, as a block pool inside a framework's arena is."""

    def __init__(self, whole: CudaRegion, start: int) -> None:
        self.whole, self.start = whole, start
        self.kind, self.device, self.allocation, self.emulated = "cuda", whole.device, whole.allocation, whole.emulated
        self.address, self.nbytes = whole.address + start, whole.nbytes - start

    def write(self, offset: int, data: Any) -> None:
        self.whole.write(self.start + offset, data)

    def read(self, offset: int, out: Any) -> None:
        self.whole.read(self.start + offset, out)

    def close(self) -> None:
        self.whole.close()


def made(place: str, nbytes: int) -> Region:
    """Return a region: `host`, `cuda:1`, `cuda:1 vmm`, or `cuda:1 inside`, which is part of an allocation."""
    name, _, kind = place.partition(" ")
    if name == "host":
        return HostRegion(nbytes, "4k")
    ordinal = int(name.removeprefix("cuda:"))
    if kind == "inside":
        piece: Any = Piece(CudaRegion(nbytes + 4608, ordinal), 4608)
        return piece  # type: ignore[no-any-return]  # a region by its shape
    return CudaRegion(nbytes, ordinal, "vmm" if kind == "vmm" else "cudaMalloc")


class Copies:
    def __init__(self, role: str) -> None:
        self._endpoint = DeviceCopyEndpoint(role)
        self._regions: list[Region] = []
        self._transfer: DeviceCopyTransfer

    def begin(self, places: list[str], nbytes: int, seed: int) -> list[int]:
        """Make and register regions of random bytes; return their addresses."""
        self._regions = [made(place, nbytes) for place in places]
        for number, region in enumerate(self._regions):
            region.write(0, np.random.default_rng([seed, number]).integers(0, 256, nbytes, np.uint8))
            self._endpoint.register(region)
        return [region.address for region in self._regions]

    def metadata(self) -> str:
        return self._endpoint.metadata().decode()

    def connect(self, peer: str, metadata: str, *, peer_access: bool = True) -> None:
        if not peer_access:  # what some pairs of real devices answer; the emulated ones all can
            device_copy.call = lambda name, *more: 0 if name == "cuDeviceCanAccessPeer" else call(name, *more)
        self._endpoint.connect(peer, metadata.encode())

    def prepare(self, op: str, source: list[list[int]], destination: list[list[int]], peer: str, tag: str) -> int:
        """Prepare rows of (address, length, device); return the descriptors that will be posted."""
        nbytes = sum(row[1] for row in source)
        plan = Plan(np.array(source, np.uint64), np.array(destination, np.uint64), nbytes, nbytes, nbytes)
        self._transfer = self._endpoint.prepare(Op(op), plan, peer, tag.encode())
        return self._transfer.posted_descriptors

    def refusal(self, question: str, arguments: dict[str, Any]) -> dict[str, str]:
        """Ask what must be refused; return the error."""
        try:
            getattr(self, question)(**arguments)
        except KvgaugeError as error:
            return {"code": error.code, "message": error.message, "hint": error.hint}
        raise AssertionError(f"{question} was not refused")

    def run(self, times: int = 1) -> list[str]:
        return [self._transfer.post().name for _ in range(times)]

    def run_in_a_thread(self) -> list[str]:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self.run).result()

    def await_tags(self, count: int) -> list[list[str]]:
        arrived: list[list[str]] = []
        while len(arrived) < count:
            arrived += [[peer, tag.decode()] for peer, tag in self._endpoint.progress()]
            os.sched_yield()
        return arrived

    def bytes(self, region: int = 0) -> str:
        out = np.empty(self._regions[region].nbytes, np.uint8)
        self._regions[region].read(0, out)
        return base64.b64encode(out).decode()

    def driver_knows(self, peer: str = "") -> bool:
        """Tell whether the driver knows the first region (a device's, or page-locked), or what it opened of a peer."""
        address = self._endpoint._peers[peer].stretches[0].here if peer else self._regions[0].address
        try:
            call("cuPointerGetAttribute", CUpointer_attribute.CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address)
        except CudaError:
            return False
        return True

    def free(self) -> None:
        """Free the regions while a transfer is prepared, as a broken caller would."""
        for region in self._regions:
            region.close()

    def close_endpoint(self) -> None:
        self._endpoint.close()

    def close(self, op: str) -> dict[str, Any]:
        """Close; return the evidence, and how many contexts are still alive."""
        self._endpoint.close()
        found = self._endpoint.evidence(Op(op), (1, 1))
        for region in self._regions:
            region.close()
        alive = sum(call("cuDevicePrimaryCtxGetState", device)[1] for device in range(call("cuDeviceGetCount")))
        return {
            "wire": found.wire,
            "source": found.source,
            "count": found.count,
            "reason": found.reason,
            "alive": alive,
        }
