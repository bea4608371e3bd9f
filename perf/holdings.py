"""What one worker holds: its regions, made once and kept for a launch, and what must be in them.

Files are made by the supervisor (`suite.run.scratch`); a worker opens them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from perf.memory import ordinal_of
from suite.kv import stamp as content_of
from suite.memory.content import content_access

if TYPE_CHECKING:
    from suite.kv.stamp import Content
    from suite.memory.content import ContentAccess
    from suite.memory.file import FileRegion
    from suite.memory.files import FileSpan
    from suite.memory.region import Region


@runtime_checkable
class OnDevice(Protocol):
    """A region whose CUDA context libraries expect to be the current one."""

    def make_current(self) -> None:
        """Make its context this thread's."""


@dataclass
class Holdings:
    """The regions of one worker, all of one size."""

    nbytes: int
    pages: Literal["4k", "huge"]
    _memories: dict[tuple[str, str], Region] = field(default_factory=dict)
    _files: dict[tuple[str, bool, int], FileRegion | FileSpan] = field(default_factory=dict)

    def memory(self, name: str, device_memory: Literal["cudaMalloc", "vmm"]) -> Region:
        """Return this worker's region in the memory `name` (`host`, `cuda:1`), made on first use."""
        key = name, device_memory if name != "host" else ""
        if key not in self._memories:
            self._memories[key] = self._made(name, device_memory)
        return self._memories[key]

    def file(self, path: str, *, direct: bool, files: int) -> FileRegion | FileSpan:
        """Return the file at `path`, or those called after it, opened with or without O_DIRECT."""
        from suite.memory.files import file_region

        key = path, direct, files
        if key not in self._files:
            self._files[key] = file_region(Path(path), self.nbytes, files=files, direct=direct, create=False)
        return self._files[key]

    def _made(self, name: str, device_memory: Literal["cudaMalloc", "vmm"]) -> Region:
        ordinal = ordinal_of(name)
        if ordinal is None:
            from suite.memory.host import HostRegion

            return HostRegion(self.nbytes, self.pages)
        from suite.memory.cuda import CudaRegion

        return CudaRegion(self.nbytes, ordinal, device_memory)


@dataclass(frozen=True)
class Held:
    """One place of a point in this worker's keeping: the region, and how its content is reached."""

    place: str
    region: Region
    access: ContentAccess

    @classmethod
    def of(cls, place: str, region: Region) -> Held:
        """Return the holding of a region."""
        return cls(place, region, content_access(region))

    def before(self, epoch: int, *, source: bool) -> Content:
        """Return what is written before a window: the KV cache where it comes from, fresh paint elsewhere."""
        side = content_of.Side.PREFILL if source else content_of.Side.DECODE
        return content_of.uniform(self.words, side, epoch)

    @property
    def words(self) -> int:
        """Size in words of content."""
        return self.region.nbytes // content_of.WORD
