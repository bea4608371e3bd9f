"""The files of a handoff: where they lie, how large they are, and how they are opened.

Each prefill rank has one, a mirror of its region: a block has the same offset in
both, so a block table says where to look in either. All are as large as the
largest region, so that decode can count them through.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import Missing
from suite.kv import reshard
from suite.kv.plan import ADDRESS, LENGTH
from suite.memory.file import ALIGNMENT, FileRegion
from suite.run.scratch import scratch
from suite.transfer.pools import placed, region_bytes
from suite.transfer.serving import shares
from suite.transfer.task import SIDES, seat_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suite.kv.pairs import Pair
    from suite.transfer.task import Task


@dataclass(frozen=True)
class Files:
    """What every rank is told; both sides open the files alike."""

    folder: str
    nbytes: int  # of each file
    direct: bool  # with O_DIRECT, past the page cache
    why: str  # it is not direct; empty if it is
    filesystem: str

    def path(self, role: str) -> Path:
        """Return the file of a prefill rank."""
        return Path(self.folder) / f"{role}.kv"

    def as_json(self) -> dict[str, Any]:
        """Return what `Files(**...)` takes."""
        return asdict(self)


@contextmanager
def files_for(task: Task, parent: Path, *, layers_each: int) -> Iterator[Files]:
    """Make a folder for the files inside `parent`; it is gone afterwards, also after SIGKILL."""
    regions = [region_bytes(placed(task, SIDES[0], number)) for number in range(task.prefill.parallel.size)]
    nbytes = -(-max(regions) // ALIGNMENT) * ALIGNMENT
    with scratch(parent) as folder:
        filesystem, lacking = _look(folder)
        why = unaligned(task, layers_each=layers_each) or lacking
        yield Files(str(folder), nbytes, not why, why, filesystem)


def unaligned(task: Task, *, layers_each: int = 0) -> str:
    """Return why some row of the transfers does not suit direct I/O; empty if all do.

    Address, offset and length must be multiples of `ALIGNMENT`. Pools begin at
    such offsets, so it is blocks and what is moved of them that decides.
    """
    for name in SIDES:
        for number in range(task.side(name).parallel.size):
            for pool in placed(task, name, number):
                if pool.layout.block_bytes % ALIGNMENT:
                    return f"a block of {pool.group.name} has {pool.layout.block_bytes} bytes at {name}"
    for way in task.every_way():
        for _, kept in shares.pieces(task, way, layers_each):
            for pair in kept:
                if odd := _odd(task, pair, (way.source, way.destination)):
                    return f"{way.source} to {way.destination}: {odd}"
    return ""


def _odd(task: Task, pair: Pair, roles: tuple[str, str]) -> str:
    """Say which of a pair's rows does not suit; blocks lie at multiples of what suits, so any table will do."""
    seats = [seat_of(role) for role in roles]
    pools = [pool.at(0, 0) for seat in seats for pool in placed(task, *seat) if pool.group == pair.group]
    tables = [np.arange(task.block_count(name, pair.group), dtype=np.int64) for name, _ in seats]
    plan = reshard.plan(pair, (pools[0], pools[1]), (tables[0], tables[1]), tokens=task.tokens, cached=task.cached)
    rows = plan.merged()
    for table in (rows.source, rows.destination):
        if len(wrong := np.flatnonzero((table[:, [ADDRESS, LENGTH]] % ALIGNMENT).any(axis=1))):
            first = table[wrong[0]]
            return f"a row of {pair.group.name} has {first[LENGTH]} bytes at offset {first[ADDRESS]}"
    return ""


def _look(folder: Path) -> tuple[str, str]:
    """Return the file system of `folder`, and what it lacks for direct I/O."""
    probe = folder / "probe"
    region = FileRegion(probe, ALIGNMENT, direct=False)
    filesystem = region.filesystem
    region.close(delete=True)
    try:
        FileRegion(probe, ALIGNMENT, direct=True).close(delete=True)
    except Missing as lacking:
        if lacking.code != "no-direct-io":
            raise
        return filesystem, lacking.message
    return filesystem, ""
