"""Several files as one region: each holds an equal part of it, the first the first."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from suite.kv.plan import ADDRESS, LENGTH
from suite.memory.file import ALIGNMENT, FileRegion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


class Located(NamedTuple):
    """Rows cut where files end: both sides of shape (M, 3), and the descriptor of each row's file, shape (M,)."""

    memory: NDArray[np.uint64]
    file: NDArray[np.uint64]
    descriptors: NDArray[np.uint64]


class FileSpan:
    """`nbytes` over several files; offsets go on from one to the next. Errors are those of `FileRegion`."""

    kind: Literal["host", "cuda", "file"] = "file"
    address = 0
    emulated = False

    def __init__(self, paths: Sequence[Path], nbytes: int, *, direct: bool, create: bool = True) -> None:
        self.nbytes = nbytes
        self.part_bytes = -(-nbytes // (len(paths) * ALIGNMENT)) * ALIGNMENT
        self.parts: list[FileRegion] = []
        with contextlib.ExitStack() as undo:
            for number, path in enumerate(paths):
                size = min(self.part_bytes, nbytes - number * self.part_bytes)
                if size > 0:  # a small region may need fewer files
                    self.parts.append(FileRegion(path, size, direct=direct, create=create))
                    undo.callback(self.parts[-1].close)
            undo.pop_all()
        self.device = self.parts[0].device
        self.allocation = self.parts[0].allocation
        self.filesystem = self.parts[0].filesystem

    def write(self, offset: int, data: NDArray[np.uint8]) -> None:
        """Write `data` at `offset` and wait until the devices have it."""
        for part, inside, piece in self._pieces(offset, data):
            part.write(inside, piece)

    def read(self, offset: int, out: NDArray[np.uint8]) -> None:
        """Fill `out` from `offset`, from the devices."""
        for part, inside, piece in self._pieces(offset, out):
            part.read(inside, piece)

    def locate(self, memory: NDArray[np.uint64], file: NDArray[np.uint64]) -> Located:
        """Return rows of (address, length, device) and (offset, length, device) with every row inside one file."""
        offsets, lengths = file[:, ADDRESS].astype(np.int64), file[:, LENGTH].astype(np.int64)
        first, last = offsets // self.part_bytes, (offsets + np.maximum(lengths, 1) - 1) // self.part_bytes
        pieces = last - first + 1
        row = np.repeat(np.arange(len(file)), pieces)
        part = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + first[row]
        begin = np.maximum(offsets[row], part * self.part_bytes)
        end = np.minimum(offsets[row] + lengths[row], (part + 1) * self.part_bytes)
        here, there = memory[row].copy(), file[row].copy()
        here[:, ADDRESS] += (begin - offsets[row]).astype(np.uint64)
        there[:, ADDRESS] = (begin - part * self.part_bytes).astype(np.uint64)
        here[:, LENGTH] = there[:, LENGTH] = (end - begin).astype(np.uint64)
        return Located(here, there, np.array([one.device for one in self.parts], np.uint64)[part])

    def sync(self) -> None:
        """Wait until everything written is on the devices."""
        for part in self.parts:
            part.sync()

    def drop_cache(self) -> None:
        """Flush the files and ask the kernel to forget their pages."""
        for part in self.parts:
            part.drop_cache()

    def cached_bytes(self) -> int:
        """Return how many bytes of the region are in the page cache."""
        return sum(part.cached_bytes() for part in self.parts)

    def close(self, *, delete: bool = False) -> None:
        """Close the files; with `delete` they go, too."""
        for part in self.parts:
            part.close(delete=delete)

    def _pieces(self, offset: int, data: NDArray[np.uint8]) -> Iterator[tuple[FileRegion, int, NDArray[np.uint8]]]:
        if offset < 0 or offset + len(data) > self.nbytes:
            raise IndexError(f"{len(data)} bytes at {offset} are outside a region of {self.nbytes}")
        done = 0
        while done < len(data):
            number, inside = divmod(offset + done, self.part_bytes)
            part = self.parts[number]
            count = min(len(data) - done, part.nbytes - inside)
            yield part, inside, data[done : done + count]
            done += count


def file_region(path: Path, nbytes: int, *, files: int, direct: bool, create: bool = True) -> FileRegion | FileSpan:
    """Return one file at `path`, or as many as `files` says, called after it."""
    if files == 1:
        return FileRegion(path, nbytes, direct=direct, create=create)
    paths = [path.with_name(f"{path.name}-{number + 1}-of-{files}") for number in range(files)]
    return FileSpan(paths, nbytes, direct=direct, create=create)
