"""The protocol of registered memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Region(Protocol):
    """A stretch of memory that a transport can register. Offsets and sizes are bytes."""

    kind: Literal["host", "cuda", "file"]
    device: int  # CUDA ordinal; file descriptor; 0 for host
    address: int  # virtual address; 0 for files, whose descriptors are offsets
    nbytes: int
    allocation: str  # "4k", "huge", "pinned", "cudaMalloc", "vmm", "direct", "buffered"
    emulated: bool

    def write(self, offset: int, data: NDArray[np.uint8]) -> None:
        """Copy `data` to `offset`; never in a window."""

    def read(self, offset: int, out: NDArray[np.uint8]) -> None:
        """Fill `out` from `offset`; never in a window."""

    def close(self) -> None:
        """Give the memory back."""
