"""Content filled and checked by the GPU itself: nothing crosses to the host but the verdict."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.kv import stamp
from suite.memory.content import check_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from suite.kv.stamp import Content
    from suite.memory.region import Region

SOURCE = Path(__file__).with_name("content_kernel.cu")
_THREADS = 256
_BLOCKS = 4096  # the kernels stride over the region: enough to fill any GPU, whatever the size
_NONE = (1 << 64) - 1


class DeviceContent:
    """The kernels of `content_kernel.cu` on a region of a real GPU, compiled and run by CuPy.

    Nobody has run this class on a GPU yet. What is tested without one: the
    kernels' arithmetic, compiled as C, against numpy's, and that NVRTC compiles them.
    """

    how = "on the device"

    def __init__(self, region: Region) -> None:
        self._cupy: Any = import_module("cupy")
        self._region = region
        with self._cupy.cuda.Device(region.device):
            memory = self._cupy.cuda.UnownedMemory(region.address, region.nbytes, region, region.device)
            pointer = self._cupy.cuda.MemoryPointer(memory, 0)
            self._words = self._cupy.ndarray((region.nbytes // stamp.WORD,), np.uint64, pointer)
            module = self._cupy.RawModule(code=SOURCE.read_text("ascii"))
            self._fill = module.get_function("content_fill")
            self._check = module.get_function("content_check")

    def fill(self, content: Content) -> None:
        """Write `content`; returns when it is there."""
        check_size(content, self._region.nbytes)
        with self._cupy.cuda.Device(self._region.device) as device:
            self._launch(self._fill, content)
            device.synchronize()

    def first_difference(self, content: Content) -> int | None:
        """Return the index of the first word that differs, or None."""
        check_size(content, self._region.nbytes)
        with self._cupy.cuda.Device(self._region.device):
            found = self._cupy.asarray(np.array([_NONE, 0], np.uint64))
            self._launch(self._check, content, found)
            first, count = found.get().tolist()
        return int(first) if count else None

    def words(self) -> NDArray[np.uint64]:
        """Return a copy of all words."""
        with self._cupy.cuda.Device(self._region.device):
            copy: NDArray[np.uint64] = self._words.get()
        return copy

    def _launch(self, kernel: Any, content: Content, *more: Any) -> None:
        """Start `kernel` on the current device's current stream, as CuPy's own copies are."""
        runs = [self._cupy.asarray(side) for side in (content.starts, content.identities)]
        kernel((_BLOCKS,), (_THREADS,), (self._words, *runs, np.int64(len(content)), *more))
