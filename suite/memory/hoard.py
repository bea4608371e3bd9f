"""All memory of a device that the driver gives: for those who want to know what comes of a device that has none left."""

from __future__ import annotations

from suite.memory.driver import OUT_OF_MEMORY, Context, CudaError, call

_LARGEST, _SMALLEST = 1 << 34, 1 << 20


class Hoard:
    """Takes pieces, the large ones first, until not even 1 MiB is left; they are not touched. `close` frees them."""

    def __init__(self, device: int) -> None:
        self._context = Context(device)
        self._pieces: list[int] = []
        self.nbytes = 0
        size = _LARGEST
        with self._context.pushed():
            while size >= _SMALLEST:
                try:
                    self._pieces.append(int(call("cuMemAlloc", size)))
                except CudaError as error:
                    if error.status != OUT_OF_MEMORY:
                        raise
                    size >>= 1
                else:
                    self.nbytes += size

    def close(self) -> None:
        """Free all; the second time nothing happens."""
        if self.nbytes:
            self.nbytes = 0
            with self._context.pushed():
                while self._pieces:
                    call("cuMemFree", self._pieces.pop())
            self._context.close()
