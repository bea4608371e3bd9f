"""Where the pools of one rank lie in its region: one for each layer group, with a guard before, between and behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from suite.kv.pool import Pool
from suite.transfer.task import SIDES, rank_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from suite.kv.geometry import Layout
    from suite.kv.groups import LayerGroup
    from suite.transfer.task import SideName, Task

GUARD_BYTES = 4096
_SPARE = 8  # an eighth of the blocks is nobody's, at least one: a byte that strays has somewhere to be seen


@dataclass(frozen=True)
class Placed:
    """One group's pool in a region: `offset` bytes from its start."""

    group: LayerGroup
    layout: Layout
    blocks: int
    offset: int

    @property
    def nbytes(self) -> int:
        """Bytes of the pool; none where the rank holds no layer of the group."""
        return self.blocks * self.layout.block_bytes

    def at(self, address: int, device: int) -> Pool:
        """Return the pool of a region that begins at `address`."""
        return Pool(self.layout, self.blocks, address + self.offset, device)


def placed(task: Task, name: SideName, number: int) -> tuple[Placed, ...]:
    """Return the pools of a rank, in the order of the model's groups."""
    side = task.side(name)
    rank = rank_of(side.parallel, number)
    found, offset = [], GUARD_BYTES
    for group in task.model.groups:
        pool = Placed(group, side.layout(task.model, group, rank), pool_blocks(task, name, group), offset)
        found.append(pool)
        offset += -(-pool.nbytes // GUARD_BYTES) * GUARD_BYTES + GUARD_BYTES
    return tuple(found)


def region_bytes(pools: Sequence[Placed]) -> int:
    """Return the size of the region, the last guard included."""
    last = pools[-1]
    return last.offset + -(-last.nbytes // GUARD_BYTES) * GUARD_BYTES + GUARD_BYTES


def pool_blocks(task: Task, name: SideName, group: LayerGroup) -> int:
    """Return the blocks of a group's pool: those of a batch's requests in one DP group, and the spare ones."""
    requests = -(-task.batch // task.side(name).parallel.dp)
    blocks = requests * task.block_count(name, group)
    return blocks + max(1, blocks // _SPARE)


def total_bytes(task: Task) -> int:
    """Return the bytes of all regions of both sides."""
    return sum(
        region_bytes(placed(task, name, number)) for name in SIDES for number in range(task.side(name).parallel.size)
    )


Tables = dict[int, dict[str, list[int]]]  # request -> group -> its blocks


def block_tables(task: Task, name: SideName, requests: Sequence[int], seed: Sequence[int]) -> Tables:
    """Return blocks for each of `requests`, anywhere in the pools and in any order, the same on all ranks of its DP group."""
    found: Tables = {request: {} for request in requests}
    for index, group in enumerate(task.model.groups):
        count = task.block_count(name, group)
        for dp in range(task.side(name).parallel.dp):
            rng = np.random.default_rng([*seed, SIDES.index(name), index, dp])
            free = rng.permutation(pool_blocks(task, name, group)).tolist()
            for request in requests:
                if task.group_of(name, request) == dp:
                    found[request][group.name], free = free[:count], free[count:]
    return found


def tables_from_json(told: Mapping[str, Mapping[str, Sequence[int]]]) -> Tables:
    """Return tables whose request numbers were made strings by JSON."""
    return {int(request): {name: list(blocks) for name, blocks in groups.items()} for request, groups in told.items()}
