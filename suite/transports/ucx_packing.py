"""From scattered rows of a region to one message, and back: TensorRT-LLM's UCX backend sends contiguous buffers.

Everything is worked out when a transfer is prepared. A plan that merges to one
row is a message already; all others have a staging buffer of their own, in the
kind of memory that the region is in.
"""

from __future__ import annotations

import ctypes
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from suite.errors import TransferFailed, Unsupported
from suite.kv.plan import ADDRESS, LENGTH
from suite.memory.driver import Context, call, explain, load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from suite.memory.region import Region

_WORD = 8


class Packing(Protocol):
    """The bytes of one message."""

    message: Any  # what UCXX is given: a contiguous array of uint8, or a CUDA array interface

    def gather(self) -> None:
        """Copy the rows into the message."""

    def scatter(self) -> None:
        """Copy the message to the rows."""

    def release(self) -> None:
        """Free the staging buffer."""


def packing(rows: NDArray[np.uint64], merged: NDArray[np.uint64], region: Region) -> Packing:
    """Return how `rows`, shape (N, 3), of one side of a plan become one message; `merged` are the same rows, merged.

    Raises `TransferFailed` for a row that is not wholly in `region`.
    """
    starts = _offsets(merged, region)
    lengths = merged[:, LENGTH].astype(np.int64)
    if len(merged) == 1:
        return Direct(_bytes_of(region, int(starts[0]), int(lengths[0])))
    if region.kind == "cuda":
        return DeviceRows(region, starts, lengths)
    for side in (merged, rows):
        grid = _grid(_offsets(side, region), side[:, LENGTH].astype(np.int64), region)
        if grid is not None:
            return Grid(*grid)
    return Runs(_bytes_of(region, 0, region.nbytes), starts, lengths)


class Direct:
    """One row: sent from, and received in, its place."""

    def __init__(self, message: Any) -> None:
        self.message = message

    def gather(self) -> None:
        """Nothing to gather."""

    def scatter(self) -> None:
        """Nothing to scatter."""

    def release(self) -> None:
        """Let go of the region."""
        self.message = None


class Grid:
    """Rows of one length, at multiples of it from each other: one call of numpy's, one copy a row."""

    def __init__(self, view: NDArray[Any], index: NDArray[np.int64]) -> None:
        self._view, self._index = view, index  # shapes (rows of the region, words of a row), (rows,)
        self._staging = np.zeros((len(index), view.shape[1]), view.dtype)
        self._staging.fill(1)  # touched: no page is made in a window
        self.message = self._staging.reshape(-1).view(np.uint8)

    def gather(self) -> None:
        """Take the rows; the index has been checked, and numpy buffers the output where it has to check it."""
        np.take(self._view, self._index, axis=0, out=self._staging, mode="clip")

    def scatter(self) -> None:
        """Put the rows."""
        self._view[self._index] = self._staging

    def release(self) -> None:
        """Free the staging buffer."""
        self._view = self._staging = self.message = np.empty((0, 0), np.uint8)


class Runs:
    """Rows of any length at any place of host memory: a copy each."""

    def __init__(self, region: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
        self.message = np.empty(int(lengths.sum()), np.uint8)
        self.message.fill(1)  # touched: no page is made in a window
        places = np.cumsum(lengths) - lengths
        self._pairs = [
            (region[start : start + length], self.message[place : place + length])
            for start, place, length in zip(starts.tolist(), places.tolist(), lengths.tolist(), strict=True)
        ]

    def gather(self) -> None:
        """Copy each row into the message."""
        for row, staged in self._pairs:
            staged[:] = row

    def scatter(self) -> None:
        """Copy each row to its place."""
        for row, staged in self._pairs:
            row[:] = staged

    def release(self) -> None:
        """Free the staging buffer."""
        self._pairs, self.message = [], np.empty(0, np.uint8)


class DeviceRows:
    """Rows on a device: the driver's asynchronous copies on one stream, to and from a buffer on the same device."""

    def __init__(self, region: Region, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
        from suite.memory.cuda import CudaRegion

        self._driver = driver = load()
        self._staging = CudaRegion(int(lengths.sum()), region.device)
        self._context = Context(region.device)
        self._stream = call("cuStreamCreate", driver.CUstream_flags.CU_STREAM_NON_BLOCKING)
        self.message: Any = DeviceBytes(self._staging.address, self._staging.nbytes)
        rows = [driver.CUdeviceptr(region.address + start) for start in starts.tolist()]
        pieces = [
            driver.CUdeviceptr(self._staging.address + place) for place in (np.cumsum(lengths) - lengths).tolist()
        ]
        self._gather = self._calls(zip(pieces, rows, lengths.tolist(), strict=True))
        self._scatter = self._calls(zip(rows, pieces, lengths.tolist(), strict=True))

    def gather(self) -> None:
        """Copy each row into the staging buffer; returns when they are there."""
        _run(self._gather)

    def scatter(self) -> None:
        """Copy each row to its place; returns when they are there."""
        _run(self._scatter)

    def release(self) -> None:
        """Free stream and staging buffer, once."""
        if self.message is None:
            return
        self.message = None
        with self._context.pushed():
            call("cuStreamDestroy", self._stream)
        self._staging.close()
        self._context.close()

    def _calls(self, copies: Any) -> list[partial[Any]]:
        driver = self._driver
        return [
            partial(driver.cuCtxSetCurrent, self._context.handle),
            *(partial(driver.cuMemcpyDtoDAsync, to, from_, nbytes, self._stream) for to, from_, nbytes in copies),
            partial(driver.cuStreamSynchronize, self._stream),
        ]


class DeviceBytes:
    """Device memory as UCXX takes it: the CUDA array interface, version 3."""

    def __init__(self, address: int, nbytes: int) -> None:
        self.__cuda_array_interface__ = {
            "shape": (nbytes,),
            "typestr": "|u1",
            "data": (address, False),
            "strides": None,
            "version": 3,
        }


def _run(calls: list[partial[Any]]) -> None:
    for one in calls:
        (status,) = one()
        if status:
            calls[-1]()  # nothing may be in flight when the caller learns of it
            raise TransferFailed("cuda-copy", f"ucx: {explain(one.func.__name__, status).message}")


def _offsets(rows: NDArray[np.uint64], region: Region) -> NDArray[np.int64]:
    """Return where each row starts in `region`; all must be inside, or a copy would be wild."""
    if not len(rows):
        raise Unsupported("empty-plan", "ucx: a plan without rows is no message")
    address, nbytes = np.uint64(region.address), np.uint64(region.nbytes)
    # a difference that wraps around is too large, like any other outside
    offsets, lengths = rows[:, ADDRESS] - address, rows[:, LENGTH]
    outside = (lengths > nbytes) | (offsets > nbytes - lengths)
    if outside.any():
        wild, count, _ = rows[outside][0].tolist()
        raise TransferFailed("not-registered", f"ucx: {count} bytes at {wild:#x} are not in the registered region")
    return offsets.astype(np.int64)


def _grid(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], region: Region
) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
    """Return the region as an array of rows, and the index of each; None for rows that do not fit such an array."""
    length = int(lengths[0])
    if length == 0 or (lengths != length).any() or ((starts - starts[0]) % length).any():
        return None
    first = int(starts[0]) % length
    count = (region.nbytes - first) // length
    view = _bytes_of(region, first, count * length).reshape(count, length)
    whole_words = length % _WORD == 0 and (region.address + first) % _WORD == 0
    return (view.view(np.uint64) if whole_words else view), (starts - first) // length


def _bytes_of(region: Region, offset: int, count: int) -> Any:
    """Return `count` bytes of a region: an array of host memory, or what stands for that of a device."""
    if region.kind == "cuda":
        return DeviceBytes(region.address + offset, count)
    memory: Any = (ctypes.c_uint8 * count).from_address(region.address + offset)  # the endpoint keeps the region
    return np.frombuffer(memory, np.uint8)
