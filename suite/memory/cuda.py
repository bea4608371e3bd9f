"""Device memory, from the driver: what cudaMalloc gives, or virtual memory management (VMM)."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from suite.errors import Missing
from suite.memory.driver import EMULATED_NAME, OUT_OF_MEMORY, Context, CudaError, call, current, device_name, load

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Allocation", "CudaRegion", "current"]

Allocation = Literal["cudaMalloc", "vmm"]


class CudaRegion:
    """`nbytes` of zeroed memory of CUDA device `device`; its primary context stays current in this thread.

    `allocation` "cudaMalloc" is `cuMemAlloc`, as the runtime's cudaMalloc is;
    "vmm" is physical memory mapped into a reserved range, as PyTorch's
    expandable segments are. Raises `Missing` where there is no driver or not
    enough memory, `BadInput` for a device that is not there, `CudaError` for
    whatever else the driver refuses.
    """

    kind: Literal["host", "cuda", "file"] = "cuda"

    def __init__(self, nbytes: int, device: int, allocation: Allocation = "cudaMalloc") -> None:
        self.nbytes = self._held = nbytes
        self.device = device
        self.allocation: str = allocation
        with ExitStack() as undo:
            self._context = Context(device)
            undo.callback(self._context.close)
            self.emulated = device_name(self._context.device).startswith(EMULATED_NAME)
            self._context.make_current()
            self._memory = undo.enter_context(ExitStack())
            self.address = self._allocate()
            call("cuMemsetD8", self.address, 0, nbytes)
            call("cuCtxSynchronize")
            undo.pop_all()

    def write(self, offset: int, data: NDArray[np.uint8]) -> None:
        """Copy `data` (contiguous) to `offset`; returns when it is there."""
        self._check(offset, data)
        with self._context.pushed():
            call("cuMemcpyHtoD", self.address + offset, data.ctypes.data, data.nbytes)
            call("cuCtxSynchronize")  # the driver may return as soon as little pageable data is staged

    def read(self, offset: int, out: NDArray[np.uint8]) -> None:
        """Fill `out` (contiguous) from `offset`."""
        self._check(offset, out)
        with self._context.pushed():
            call("cuMemcpyDtoH", out.ctypes.data, self.address + offset, out.nbytes)
            call("cuCtxSynchronize")

    def make_current(self) -> None:
        """Make the device's context this thread's again: UCX and NIXL work on whichever is current."""
        self._context.make_current()

    def close(self) -> None:
        """Free the memory and let go of the context; the second time nothing happens."""
        if not self._held:
            return
        self._held = 0
        try:
            with self._context.pushed():
                self._memory.close()
        finally:
            self._context.close()

    def _allocate(self) -> int:
        try:
            return self._map() if self.allocation == "vmm" else self._malloc()
        except CudaError as error:
            if error.status != OUT_OF_MEMORY:
                raise
            free, total = call("cuMemGetInfo")
            raise Missing(
                "device-memory",
                f"cuda:{self.device} has {free} of {total} bytes free, a region needs {self.nbytes}",
                "use a smaller sweep, or see with nvidia-smi who holds the memory",
            ) from error

    def _malloc(self) -> int:
        address = int(call("cuMemAlloc", self.nbytes))
        self._memory.callback(call, "cuMemFree", address)
        return address

    def _map(self) -> int:
        """Reserve addresses, create memory, map it there and allow access; all in whole granules."""
        driver = load()
        properties = _pinned_on(driver, self._context)
        smallest = driver.CUmemAllocationGranularity_flags.CU_MEM_ALLOC_GRANULARITY_MINIMUM
        granule = call("cuMemGetAllocationGranularity", properties, smallest)
        size = -(-self.nbytes // granule) * granule
        address = int(call("cuMemAddressReserve", size, 0, 0, 0))
        self._memory.callback(call, "cuMemAddressFree", address, size)
        handle = call("cuMemCreate", size, properties, 0)
        self._memory.callback(call, "cuMemRelease", handle)
        call("cuMemMap", address, size, 0, handle, 0)
        self._memory.callback(call, "cuMemUnmap", address, size)
        access = driver.CUmemAccessDesc()
        access.location = properties.location
        access.flags = driver.CUmemAccess_flags.CU_MEM_ACCESS_FLAGS_PROT_READWRITE
        call("cuMemSetAccess", address, size, [access], 1)
        return address

    def _check(self, offset: int, host: NDArray[np.uint8]) -> None:
        """Refuse what the driver, which takes bare pointers, would read or write wrongly."""
        if host.dtype != np.uint8 or not host.flags.c_contiguous:
            raise ValueError(f"device memory is copied from and to contiguous uint8, not {host.dtype} {host.strides}")
        if offset < 0 or offset + host.nbytes > self._held:
            raise IndexError(f"{host.nbytes} bytes at {offset} are outside a region of {self._held}")


def _pinned_on(driver: Any, context: Context) -> Any:
    """Return the properties of memory of a device; registrable for RDMA and GDS where the device allows that."""
    properties = driver.CUmemAllocationProp()
    properties.type = driver.CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED
    properties.location.type = driver.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
    properties.location.id = context.ordinal
    rdma = driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WITH_CUDA_VMM_SUPPORTED
    properties.allocFlags.gpuDirectRDMACapable = int(bool(call("cuDeviceGetAttribute", rdma, context.device)))
    return properties
